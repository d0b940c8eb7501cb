"""Django's own tests of migrations, run with this `migrate` in place of its own.

`python -m tests.django_suite` fetches the source distribution of the installed Django with pip and
runs its `tests/migrations` as they are and with ours; what fails with ours must fail without.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

ROOT = Path(__file__).parents[1]

SETTINGS = """
from test_sqlite import *

import functools
import django.core.management as management

django_commands = management.get_commands
management.get_commands = functools.cache(
    lambda: {**django_commands(), "migrate": "shelter.versioning"}
)
"""


def main() -> int:
    """Run the tests and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="django-suite-") as folder:
        tests = _fetch(Path(folder))
        plain = _run(tests, "test_sqlite")
        runner = tests / "runtests.py"
        text = runner.read_text()
        apps = "ALWAYS_INSTALLED_APPS = [\n"
        assert text.count(apps) == 1, "Django's runner lists its apps differently now"
        runner.write_text(text.replace(apps, f'{apps}    "shelter.versioning",\n'))
        (tests / "with_versioning.py").write_text(SETTINGS)
        ours = _run(tests, "with_versioning")
    count, failed = ours
    sys.stdout.write(
        f"Django {django.get_version()}: {count} tests of migrations, "
        f"{len(failed)} fail with this migrate, {len(plain[1])} without.\n"
    )
    broken = sorted(failed - plain[1])
    sys.stdout.writelines(f"  {name}\n" for name in broken)
    return 1 if broken or not count or count != plain[0] else 0


def _fetch(folder: Path) -> Path:
    version = django.get_version()
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    wanted = ["--no-binary", "django", "--dest", str(folder), f"django=={version}"]
    subprocess.run([*fetch, *wanted], check=True)
    with tarfile.open(folder / f"django-{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"django-{version}" / "tests"


def _run(tests: Path, settings: str) -> tuple[int, set[str]]:
    """Return how many tests ran, and the names of those that failed."""
    done = subprocess.run(
        [sys.executable, "runtests.py", "migrations", "--settings", settings, "--parallel", "1"],
        cwd=tests,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tests.parent), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    ran = re.search(r"^Ran (\d+) tests", done.stderr, re.MULTILINE)
    if ran is None:
        raise SystemExit(f"Django's tests did not run:\n{done.stdout}{done.stderr}")
    failed = set(re.findall(r"^(?:FAIL|ERROR): (.+)$", done.stderr, re.MULTILINE))
    if os.environ.get("SHOW_FAILURES"):
        sys.stderr.write(done.stderr)
    return int(ran[1]), failed


if __name__ == "__main__":
    raise SystemExit(main())
