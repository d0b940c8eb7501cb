"""`make run` on a new machine, and again."""

import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.checkout import ROOT, run_python
from tests.servers import free_port, wait_until_alive

pytestmark = pytest.mark.scenario


def prepare(project: Path) -> str:
    done = run_python(project, "bin/prepare.py", env={"HOME": str(project)})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def count(project: Path) -> str:
    done = run_python(
        project,
        "manage.py",
        "shell",
        "--no-imports",
        "-c",
        "from animals.models import *; print(Animal.objects.count(), PastStay.objects.count())",
    )
    return done.stdout.strip()


def test_the_first_time_makes_everything_and_the_second_nothing(project: Path) -> None:
    first = prepare(project)
    assert "No conflicting migrations." in first
    assert "Applying animals.0007_outcome_date... OK" in first
    assert re.search(r"Log in as admin@shelter\.example with the password \S+", first)
    animals, stays = map(int, count(project).split())
    assert animals + stays == 500
    second = prepare(project)
    assert "No migrations to apply." in second
    assert "Lost the password?" in second
    assert count(project) == f"{animals} {stays}"


def test_make_run_serves_and_refuses_a_busy_port(project: Path) -> None:
    # The environment that is here stands in for the one it would make.
    (project / ".venv").symlink_to(ROOT / ".venv")
    stamp = ROOT / ".venv/installed"
    if not stamp.exists():
        pytest.skip("the tests do not run in an environment that `make setup` made")
    port = free_port()
    environment = {"PATH": os.environ["PATH"], "HOME": str(project)}
    command = ["make", "run", f"PORT={port}"]
    with subprocess.Popen(
        command,
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as server:
        try:
            wait_until_alive(f"http://127.0.0.1:{port}", server)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                assert answer.status == 200
            busy = subprocess.run(
                command, cwd=project, env=environment, capture_output=True, text=True, check=False
            )
            assert busy.returncode == 2
            assert f"127.0.0.1:{port} cannot be listened on" in busy.stderr
            assert "Choose another one: make run PORT=8001" in busy.stderr
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


def test_without_a_python_that_is_new_enough_it_says_so(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text(
        '#!/bin/sh\nif [ "$1" = --version ]; then echo "Python 3.9.1"; else exit 1; fi\n'
    )
    old.chmod(0o755)
    for name in ("head", "sh"):
        (tmp_path / name).symlink_to(f"/bin/{name}" if name == "sh" else "/usr/bin/head")
    done = subprocess.run(
        ["/bin/sh", "bin/python"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "The shelter needs Python 3.11 or later, and there is none here." in done.stderr
    assert f"{old} is Python 3.9.1" in done.stderr
    assert "make PYTHON=/path/to/python3" in done.stderr


def test_conflicting_migrations_are_said_before_django_stops(project: Path) -> None:
    for name in ("photo", "weight"):
        (project / f"animals/migrations/0008_animal_{name}.py").write_text(
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    dependencies = [("animals", "0007_outcome_date")]\n'
        )
    done = run_python(project, "bin/prepare.py")
    assert done.returncode == 1
    assert "WARNING versioning.W001 animals/migrations" in done.stdout
    assert "Conflicting migrations detected" in done.stderr
    assert "Traceback" not in done.stderr
