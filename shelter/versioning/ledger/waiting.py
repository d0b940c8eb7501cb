"""Waiting for the locks of tables so that nobody else has to wait behind.

PostgreSQL queues every later reader behind a migration that waits for an ACCESS EXCLUSIVE lock, and
MySQL and MariaDB do the same with metadata locks. So a migration waits for a short time only, gives
up its place in the queue, and tries again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

_POSTGRESQL_CODES = {"55P03", "40P01"}
"""lock_not_available, deadlock_detected (PostgreSQL manual, appendix A)."""

_MYSQL_CODES = {1205}
"""ER_LOCK_WAIT_TIMEOUT, which undoes the one statement (MariaDB: innodb_rollback_on_timeout)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a lock, in seconds.

    A statement waits `table_lock` (0: as long as it takes), and is tried again for `in_all`.
    `pause` is the first one between two tries; they grow up to `longest_pause`.
    """

    table_lock: float = 2.0
    in_all: float = 600.0
    pause: float = 0.5
    longest_pause: float = 15.0


@dataclass(slots=True)
class Retry:
    """The tries of one thing: counts them, waits between them, and gives up in the end."""

    patience: Patience
    say: Callable[[str], object]
    end: float | None = None
    pause: float = 0.0

    def wait_after(self, error: Exception) -> bool:
        """Wait, and return True; or False when it has been tried for long enough."""
        if self.end is None:
            self.end = time.monotonic() + self.patience.in_all
            self.pause = self.patience.pause
        # Those that wait for one lock should not come back together.
        pause = self.pause * random.uniform(0.5, 1.5)  # noqa: S311
        if time.monotonic() + pause > self.end:
            return False
        said = " ".join(str(error).split())
        self.say(
            f"A lock was not free for {self.patience.table_lock:g} s ({said}); "
            f"trying again in {pause:.1f} s."
        )
        time.sleep(pause)
        self.pause = min(self.pause * 1.5, self.patience.longest_pause)
        return True


def is_lock_timeout(error: BaseException, connection: BaseDatabaseWrapper) -> bool:
    """Return whether `error` says that a lock was not free, or that a deadlock was cut."""
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    if connection.vendor == "postgresql":
        # psycopg 3 and psycopg2 name it differently.
        code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        return code in _POSTGRESQL_CODES
    if connection.vendor == "mysql":
        return bool(error.args) and error.args[0] in _MYSQL_CODES
    return False


@contextmanager
def polite(
    connection: BaseDatabaseWrapper, patience: Patience, say: Callable[[str], object]
) -> Iterator[None]:
    """Let each statement wait for locks as `patience` says, and try again what is safe alone.

    A statement outside a transaction is undone by its failure, wholly and alone, and so is one in
    MySQL and MariaDB. What fails inside a transaction is for its owner to try again.
    """
    if not patience.table_lock or connection.vendor not in ("postgresql", "mysql"):
        yield
        return
    before = _set_timeouts(connection, patience.table_lock)
    try:
        with connection.execute_wrapper(_Wrapper(patience, say)):
            yield
    finally:
        if connection.connection is not None and not connection.in_atomic_block:
            _put_back(connection, before)


class _Wrapper:
    def __init__(self, patience: Patience, say: Callable[[str], object]) -> None:
        self.patience = patience
        self.say = say

    def __call__(
        self,
        execute: Callable[[str, Any, bool, dict[str, Any]], Any],
        sql: str,
        params: Sequence[Any] | None,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        connection = context["connection"]
        if connection.vendor == "postgresql":
            if connection.in_atomic_block or many:
                return execute(sql, params, many, context)
            if " CONCURRENTLY " in sql.upper():
                # Its lock lets readers and writers go on, so that nobody waits behind it; and one
                # that gives up leaves an invalid index.
                before = _set_timeouts(connection, 0)
                try:
                    return execute(sql, params, many, context)
                finally:
                    _put_back(connection, before)
        retry = Retry(self.patience, self.say)
        while True:
            try:
                return execute(sql, params, many, context)
            except OperationalError as error:
                if not is_lock_timeout(error, connection) or not retry.wait_after(error):
                    raise


def _set_timeouts(connection: BaseDatabaseWrapper, seconds: float) -> list[tuple[str, str]]:
    """Set the session's timeouts for locks, and return what they were."""
    before: list[tuple[str, str]] = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SHOW lock_timeout")
            before.append(("lock_timeout", cursor.fetchone()[0]))
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false)", [f"{round(seconds * 1000)}ms"]
            )
        else:
            for name in ("lock_wait_timeout", "innodb_lock_wait_timeout"):
                cursor.execute(f"SELECT @@SESSION.{name}")
                before.append((name, str(cursor.fetchone()[0])))
                cursor.execute(f"SET SESSION {name} = {max(1, round(seconds))}")
    return before


def _put_back(connection: BaseDatabaseWrapper, before: list[tuple[str, str]]) -> None:
    with connection.cursor() as cursor:
        for name, value in before:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
            else:
                cursor.execute(f"SET SESSION {name} = {value}")
