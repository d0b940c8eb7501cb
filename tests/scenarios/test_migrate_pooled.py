"""migrate behind PgBouncer: a pooler that gives each transaction another session."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.databases import Database, database_of, missing_servers
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

# Debian puts it where only root looks.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    reason = missing_servers().get("postgresql")
    if reason or PGBOUNCER is None:
        pytest.skip(reason or "pgbouncer is not here")
    with database_of("postgresql", tmp_path) as made:
        yield made


@pytest.fixture
def pooled(tmp_path: Path, database: Database) -> Iterator[Callable[[str], Project]]:
    """Return what makes a project whose connections are pooled by sessions or transactions."""
    running: list[subprocess.Popen[bytes]] = []

    def make(mode: str) -> Project:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        settings = database.settings
        folder = tmp_path / "bouncer"
        folder.mkdir()
        (folder / "users").write_text(f'"{settings["USER"]}" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={settings['HOST']} port={settings['PORT']}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = trust\nauth_file = {folder}/users\npool_mode = {mode}\n"
        )
        command = [str(PGBOUNCER), "--quiet", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:
            # It does not run as root.
            for path in (folder, *folder.parents):
                if path.is_relative_to("/tmp") and path != Path("/tmp"):
                    path.chmod(0o755)
            command[1:1] = ["--user", "nobody"]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        options = {"DISABLE_SERVER_SIDE_CURSORS": True}
        return make_project(tmp_path / "zoo", {**settings, "PORT": port, **options})

    try:
        yield make
    finally:
        for process in running:
            process.terminate()
            process.wait()


def test_transactions_pooled_are_refused(
    pooled: Callable[[str], Project], database: Database
) -> None:
    zoo = pooled("transaction")
    done = zoo.manage("migrate")
    assert done.returncode == 2, done.stderr
    said = " ".join(done.stderr.split())
    assert "a pooler (PgBouncer?) stands before the database 'default'" in said
    assert "pool_mode = session" in said
    assert database.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []


def test_sessions_pooled_are_as_good_as_none(
    pooled: Callable[[str], Project], database: Database
) -> None:
    zoo = pooled("session")
    done = zoo.manage("migrate")
    assert done.returncode == 0, done.stderr
    assert database.rows("SELECT name FROM versioning_ledger") == [("0001_initial",)]
