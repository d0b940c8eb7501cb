"""One deployer at a time: the lock under which `migrate` runs.

It is taken on a connection of its own before anything reads what is applied, and the database (or,
for SQLite, the operating system) gives it back when its holder dies.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import unquote, urlsplit

from django.core.files import locks
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.timezone import now

# Two 32-bit keys, of the name that the other databases use as it is.
_NAME = "versioning.migrate"
_KEYS = tuple(
    int.from_bytes(hashlib.sha256(_NAME.encode()).digest()[at : at + 4], signed=True)
    for at in (0, 4)
)


class LockError(Exception):
    """The lock cannot be had; the message says why and what to do."""


class LockTimeoutError(LockError):
    """Somebody else holds the lock, and has for too long."""


class MigrateLock(ABC):
    """The lock of one database; `connection` is the one that migrations will run on."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    @abstractmethod
    def open(self) -> None:
        """Get ready to take the lock. Raises LockError, DatabaseError or OSError."""

    @abstractmethod
    def take(self) -> bool:
        """Take the lock if it is free, and return whether it was."""

    @abstractmethod
    def holder(self) -> str:
        """Return who holds it, in words; empty where that is not known."""

    @abstractmethod
    def is_held(self) -> bool:
        """Return whether the lock is still ours."""

    @abstractmethod
    def release(self) -> None:
        """Give the lock back, and close what `open` opened; it may be called without either."""


@contextmanager
def migrate_lock(
    connection: BaseDatabaseWrapper, timeout: float, waiting: Callable[[str], object]
) -> Iterator[MigrateLock | None]:
    """Hold the lock of the database of `connection`; wait `timeout` seconds for it at most.

    `waiting` is called once, with who holds it, when there is something to wait for. None for a
    database that nobody else can see (SQLite in memory) or whose backend is not known.
    Raises LockTimeoutError, and LockError where locks do not work or the database does not answer.
    """
    lock = _lock_of(connection)
    if lock is None:
        yield None
        return
    with closing(_Closing(lock)):
        try:
            lock.open()
            _wait(lock, timeout, waiting)
        except (DatabaseError, OSError) as error:
            raise LockError(
                f"The database {connection.alias!r} does not answer, so that nothing was migrated: "
                f"{' '.join(str(error).split())}"
            ) from error
        yield lock


class _Closing:
    def __init__(self, lock: MigrateLock) -> None:
        self.close = lock.release


def _lock_of(connection: BaseDatabaseWrapper) -> MigrateLock | None:
    if connection.vendor == "postgresql":
        return _PostgreSQLLock(connection)
    if connection.vendor == "mysql":
        return _MySQLLock(connection)
    if connection.vendor == "sqlite":
        path = sqlite_path(str(connection.settings_dict["NAME"]))
        return None if path is None else _FileLock(connection, path)
    return None


def _wait(lock: MigrateLock, timeout: float, waiting: Callable[[str], object]) -> None:
    end = time.monotonic() + timeout
    pause = 0.05
    told = False
    # Asked again and again: a statement that waits in PostgreSQL holds a snapshot, for which the
    # holder's CREATE INDEX CONCURRENTLY would wait in turn.
    while not lock.take():
        if not told:
            waiting(lock.holder())
            told = True
        left = end - time.monotonic()
        if left <= 0:
            holder = lock.holder()
            raise LockTimeoutError(
                f"Another migrate holds the lock of the database {lock.connection.alias!r}"
                f"{f' ({holder})' if holder else ''}, and did not end within {timeout:g} s. "
                "Nothing was changed. Wait for it and type the command again, or wait longer: "
                "python manage.py migrate --lock-timeout 600"
            )
        # Deployers that began together should not ask together.
        time.sleep(min(left, pause * random.uniform(0.5, 1.5)))  # noqa: S311
        pause = min(pause * 1.5, 0.5)


def sqlite_path(name: str) -> Path | None:
    """Return the file of a SQLite database by its NAME; None for one in memory."""
    if name == ":memory:" or not name:
        return None
    if name.startswith("file:"):
        parts = urlsplit(name)
        if "mode=memory" in parts.query or ":memory:" in parts.path:
            return None
        return Path(unquote(parts.path))
    return Path(name)


class _FileLock(MigrateLock):
    """A locked file beside a SQLite database; the system unlocks it when its holder dies."""

    def __init__(self, connection: BaseDatabaseWrapper, database: Path) -> None:
        super().__init__(connection)
        self.path = database.with_name(f"{database.name}.migrating")
        self._file: IO[str] | None = None

    def open(self) -> None:
        """Leave the file alone until the lock is taken."""

    def take(self) -> bool:
        file = self.path.open("a+", encoding="utf-8")
        if not locks.lock(file, locks.LOCK_EX | locks.LOCK_NB):
            file.close()
            return False
        if not self._is_at_its_path(file):
            # The holder before us took it away, after we opened it.
            file.close()
            return False
        file.truncate(0)
        json.dump({"pid": os.getpid(), "host": socket.gethostname(), "since": _clock()}, file)
        file.flush()
        self._file = file
        return True

    def _is_at_its_path(self, file: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def holder(self) -> str:
        try:
            told = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # It has just been given back, or is being written.
            return ""
        return f"process {told['pid']} on {told['host']}, since {told['since']}"

    def is_held(self) -> bool:
        return self._file is not None and self._is_at_its_path(self._file)

    def release(self) -> None:
        if self._file is not None:
            # While it is ours, so that nobody else's is taken away.
            self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


class _ServerLock(MigrateLock):
    """A lock that a server gives to a connection, and takes back when the connection ends."""

    own: BaseDatabaseWrapper | None = None

    def open(self) -> None:
        self.own = self.connection.copy()
        # A pool would hand the connection, and the lock with it, to somebody else.
        self.own.settings_dict["OPTIONS"].pop("pool", None)
        # Not by `connect()`, which also gets ready for models, and asks the server a lot for it.
        with self.own.wrap_database_errors:
            self.own.connection = self.own.get_new_connection(self.own.get_connection_params())
        # No transaction is to be open while waiting.
        self.own.set_autocommit(True)

    def ask(self, sql: str, params: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """Return the first row of the answer; empty without one."""
        assert self.own is not None, "open() comes first"
        with self.own.cursor() as cursor:
            cursor.execute(sql, params)
            return tuple(cursor.fetchone() or ())

    def release(self) -> None:
        if self.own is not None:
            # The session's end gives the lock back.
            self.own.close()
            self.own = None


class _PostgreSQLLock(_ServerLock):
    """A session's advisory lock (PostgreSQL manual, 13.3.5)."""

    def open(self) -> None:
        super().open()
        self._refuse_transaction_pooling()
        who = f"migrate {os.getpid()} on {socket.gethostname()}"
        self._set("application_name", who[:63])
        if self.own is not None and cast("Any", self.own).pg_version >= 140000:
            # It is idle for as long as migrations run.
            self._set("idle_session_timeout", "0")

    def _set(self, name: str, value: str) -> None:
        self.ask("SELECT set_config(%s, %s, false)", (name, value))

    def _refuse_transaction_pooling(self) -> None:
        """Raise LockError behind a pooler that gives each transaction another session.

        A pooler tells its clients a process id of its own. One that pools transactions then lends
        the session that this connection had to the next one that asks.
        """
        assert self.own is not None
        (pid,) = self.ask("SELECT pg_backend_pid()")
        told = getattr(getattr(self.own.connection, "info", None), "backend_pid", pid)
        if told == pid:
            return
        with closing(self.own.copy()) as other, other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT pg_backend_pid()")
            row = cursor.fetchone()
            (again,) = self.ask("SELECT pg_backend_pid()")
            cursor.execute("ROLLBACK")
        if row is not None and (row[0] == pid or again != pid):
            raise LockError(
                "The lock of migrate cannot be held here: a pooler (PgBouncer?) stands before the "
                f"database {self.connection.alias!r} and gives each transaction another session, "
                "so that two deployers would run at once. Connect to PostgreSQL itself for "
                "migrate, or let the pooler pool sessions (pool_mode = session): "
                "DATABASE_URL=postgres://…:5432/… python manage.py migrate"
            )

    def take(self) -> bool:
        return bool(self.ask("SELECT pg_try_advisory_lock(%s, %s)", _KEYS)[0])

    def holder(self) -> str:
        row = self.ask(
            "SELECT a.pid, a.application_name, coalesce(host(a.client_addr), 'a local socket'), "
            "to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') "
            "FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) "
            "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
            "AND l.classid::bigint = %s AND l.objid::bigint = %s AND l.database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())",
            tuple(key % 2**32 for key in _KEYS),
        )
        if not row:
            return ""
        pid, name, address, since = row
        return f"{name}, from {address}, since {since} UTC, database process {pid}"

    def is_held(self) -> bool:
        row = self.ask(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 "
            "AND classid::bigint = %s AND objid::bigint = %s AND pid = pg_backend_pid()",
            tuple(key % 2**32 for key in _KEYS),
        )
        return bool(row)


class _MySQLLock(_ServerLock):
    """A named lock of MySQL and MariaDB (GET_LOCK), whose names are the whole server's."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        super().__init__(connection)
        database = hashlib.sha256(str(connection.settings_dict["NAME"]).encode()).hexdigest()
        # 64 characters at most (MySQL manual, Locking Functions).
        self.name = f"{_NAME}.{database[:32]}"

    def open(self) -> None:
        super().open()
        # It is idle for as long as migrations run; the longest that there is, in seconds.
        self._set_wait_timeout()

    def _set_wait_timeout(self) -> None:
        assert self.own is not None
        with self.own.cursor() as cursor:
            cursor.execute("SET SESSION wait_timeout = 31536000")

    def take(self) -> bool:
        return bool(self.ask("SELECT GET_LOCK(%s, 0)", (self.name,))[0])

    def holder(self) -> str:
        row = self.ask(
            "SELECT id, user, host FROM information_schema.processlist WHERE id = IS_USED_LOCK(%s)",
            (self.name,),
        )
        if not row:
            return ""
        number, user, host = row
        return f"connection {number} of {user}, from {host}"

    def is_held(self) -> bool:
        return bool(self.ask("SELECT IS_USED_LOCK(%s) = CONNECTION_ID()", (self.name,))[0])


def _clock() -> str:
    return f"{now():%Y-%m-%d %H:%M:%S} UTC"
