"""What `make test` runs, demands, and says it left out."""

import os
import secrets
import socket
import subprocess
import sys

import psycopg
import pytest

from tests import databases, run
from tests.databases import drop_postgresql_databases, missing_servers, required_servers

REFUSED = "connection refused"


class Recorder:
    """Stands in for pytest: remembers the commands, answers with one exit code after the other."""

    def __init__(self, *codes: int) -> None:
        self.codes = iter(codes)
        self.commands: list[str] = []

    def __call__(self, command: list[str], environment: dict[str, str]) -> int:
        arguments = " ".join(command[len(run.PYTEST) :])
        self.commands.append(f"{arguments} on {environment['DATABASE_URL'] or 'SQLite'}")
        return next(self.codes)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the servers missing on this pretended machine: none, until a test says so."""
    missing: dict[str, str] = {}
    for name in ("DATABASES", "BROWSER", "PARSERS"):
        monkeypatch.delenv(f"SHELTER_REQUIRE_{name}", raising=False)
    monkeypatch.setattr(run, "missing_servers", lambda: dict(missing))
    monkeypatch.setattr(run, "missing_browser", lambda: None)
    monkeypatch.setattr(run, "missing_parsers", dict)
    monkeypatch.setattr(run, "drop_postgresql_databases", lambda prefix: None)
    return missing


def pytest_stand_in(monkeypatch: pytest.MonkeyPatch, *codes: int) -> Recorder:
    recorder = Recorder(*codes)
    monkeypatch.setattr(run, "_run", recorder)
    return recorder


def test_everything_on_sqlite_then_the_database_tests_on_postgresql(
    here: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = pytest_stand_in(monkeypatch, 0, 0)
    assert run.main(["-x"]) == 0
    assert recorder.commands == [
        "--cov -x on SQLite",
        (
            "--database-tests -m not scenario and not browser -x on "
            f"{databases.POSTGRESQL_URL}/shelter_{os.getpid()}"
        ),
    ]
    assert "Left out" not in capsys.readouterr().out


@pytest.mark.parametrize("codes", [(1, 0), (0, 1)])
def test_a_failure_on_either_is_a_failure(
    here: dict[str, str], monkeypatch: pytest.MonkeyPatch, codes: tuple[int, int]
) -> None:
    pytest_stand_in(monkeypatch, *codes)
    assert run.main([]) == 1


def test_an_interrupt_ends_it(here: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = pytest_stand_in(monkeypatch, pytest.ExitCode.INTERRUPTED)
    assert run.main([]) == 2
    assert len(recorder.commands) == 1


def test_what_is_not_here_is_left_out_and_named_last(
    here: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.update(postgresql=REFUSED, mariadb=REFUSED)
    monkeypatch.setattr(run, "missing_browser", lambda: "chromium is not on the path")
    monkeypatch.setattr(run, "missing_parsers", lambda: {"graphviz": "dot is not on the path"})
    recorder = pytest_stand_in(monkeypatch, 0)
    assert run.main([]) == 0
    assert recorder.commands == ["--cov on SQLite"]
    assert capsys.readouterr().out == (
        "All tests, on SQLite:\n"
        "Left out:\n"
        "  postgresql (connection refused)\n"
        "  mariadb (connection refused)\n"
        "  browser (chromium is not on the path)\n"
        "  graphviz (dot is not on the path)\n"
    )


def test_what_is_required_and_not_here_fails_before_any_test(
    here: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here.update(mariadb=REFUSED)
    monkeypatch.setattr(run, "missing_browser", lambda: "chromium is not on the path")
    monkeypatch.setenv("SHELTER_REQUIRE_DATABASES", "postgresql, mariadb")
    monkeypatch.setenv("SHELTER_REQUIRE_BROWSER", "1")
    monkeypatch.setattr(run, "missing_parsers", lambda: {"mermaid": "bin/mermaid was not run"})
    monkeypatch.setenv("SHELTER_REQUIRE_PARSERS", "1")
    recorder = pytest_stand_in(monkeypatch)
    assert run.main([]) == 1
    assert recorder.commands == []
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        "Required, and not here: browser (chromium is not on the path)\n"
        "Required, and not here: mariadb (connection refused)\n"
        "Required, and not here: mermaid (bin/mermaid was not run)\n"
    )


def test_an_unknown_requirement_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELTER_REQUIRE_DATABASES", "postgres")
    with pytest.raises(SystemExit) as refusal:
        required_servers()
    assert refusal.value.code == (
        "SHELTER_REQUIRE_DATABASES names postgres; there are: postgresql, mariadb."
    )


def test_sqlite_may_be_required_and_always_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELTER_REQUIRE_DATABASES", "sqlite,postgresql")
    assert required_servers() == {"postgresql"}


def test_servers_that_do_not_answer_or_are_others_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        # It takes connections, and says nothing.
        monkeypatch.setattr(databases, "MARIADB_ADDRESS", f"127.0.0.1:{port}")
        monkeypatch.setattr(databases, "POSTGRESQL_URL", "postgres://postgres@127.0.0.1:1")
        missing = missing_servers()
    assert missing["mariadb"] == "timed out"
    assert "Connection refused" in missing["postgresql"]
    assert "\n" not in missing["postgresql"]


def test_databases_that_were_left_are_dropped_though_in_use(postgresql_url: str) -> None:
    name = f"test_left_{secrets.token_hex(4)}"

    def names() -> list[str]:
        with psycopg.connect(f"{postgresql_url}/postgres") as connection:
            found = connection.execute(
                "SELECT datname FROM pg_database WHERE datname ~ %s ORDER BY 1", [f"^{name}"]
            )
            return [row[0] for row in found]

    with psycopg.connect(f"{postgresql_url}/postgres", autocommit=True) as connection:
        for suffix in ("", "_gw0"):
            connection.execute(f'CREATE DATABASE "{name}{suffix}"')
    assert names() == [name, f"{name}_gw0"]
    user = psycopg.connect(f"{postgresql_url}/{name}")
    drop_postgresql_databases(name)
    user.close()
    assert names() == []


def test_the_database_tests_are_those_that_use_it() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--database-tests"]
    done = subprocess.run(
        [*command, "tests/shelter/test_health.py"],
        cwd=databases.__file__.rpartition("/tests/")[0],
        capture_output=True,
        text=True,
        check=False,
    )
    names = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert "test_ready_when_everything_is_applied" in names
    assert "test_alive_needs_no_database" not in names
