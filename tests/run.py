"""Run all tests, on SQLite and on every other database that is here: `make test`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.databases import (
    POSTGRESQL_URL,
    drop_postgresql_databases,
    missing_servers,
    required_servers,
)
from tests.parsers import missing_parsers
from tests.walks import missing_browser

PYTEST = [sys.executable, "-m", "pytest", "-n", "auto", "-q"]


def main(arguments: list[str]) -> int:
    """Run the tests, pytest's `arguments` added, and return the exit code.

    What is required (SHELTER_REQUIRE_DATABASES, SHELTER_REQUIRE_BROWSER, SHELTER_REQUIRE_PARSERS)
    and is not here fails before any test; what else is left out is said at the end.
    """
    missing = missing_servers()
    required = required_servers()
    without_browser = missing_browser()
    if without_browser:
        missing["browser"] = without_browser
    if os.environ.get("SHELTER_REQUIRE_BROWSER") == "1":
        required.add("browser")
    missing |= missing_parsers()
    if os.environ.get("SHELTER_REQUIRE_PARSERS") == "1":
        required |= {"graphviz", "mermaid"}
    wanting = sorted(required & set(missing))
    for name in wanting:
        sys.stderr.write(f"Required, and not here: {name} ({missing[name]})\n")
    if wanting:
        return 1

    _say("All tests, on SQLite:")
    code = _run([*PYTEST, "--cov", *arguments], {"DATABASE_URL": ""})
    if "postgresql" not in missing and code != pytest.ExitCode.INTERRUPTED:
        _say("The tests that use the shelter's database, on PostgreSQL:")
        # The process id keeps two checkouts apart that are tested at once.
        name = f"shelter_{os.getpid()}"
        command = [*PYTEST, "--database-tests", "-m", "not scenario and not browser", *arguments]
        try:
            code = _run(command, {"DATABASE_URL": f"{POSTGRESQL_URL}/{name}"}) or code
        finally:
            # pytest drops them itself, unless it was killed.
            drop_postgresql_databases(f"test_{name}")
    if missing:
        _say("Left out:")
        for name, reason in missing.items():
            _say(f"  {name} ({reason})")
    return code


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    with subprocess.Popen(command, env={**os.environ, **environment}) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # Ctrl-C reached pytest too, which is dropping its databases now.
            process.wait()
            return pytest.ExitCode.INTERRUPTED


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
