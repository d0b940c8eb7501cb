"""Migrations that die around a statement, and are carried on: run in a project, it tells how.

`python -m tests.versioning.dying NUMBER...` goes through these migrations of `keepers`. Each dies
before its first statement that defines something was sent, and after its last one was carried out,
before that was noted, forwards and backwards. Printed is a line of JSON for each: how the run ends
that is to carry it on.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import django
from django.core.management import CommandError, call_command
from django.db import connections

if TYPE_CHECKING:
    from shelter.versioning.ledger.journal import Journal

DIED = 9
NEVER = -1


def migrate(
    number: int, *, before: int = NEVER, after: int = NEVER, **options: Any
) -> tuple[str, int] | None:
    """Migrate `keepers` to that number in a process that dies before, or after, that statement.

    Return how it ended, and how many statements it carried out; None where it died.
    """
    connections.close_all()
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        statements = _dying(before, after)
        try:
            call_command("migrate", "keepers", f"{number:04}", verbosity=0, **options)
            ended = "done"
        except CommandError as error:
            ended = str(error)
        connections.close_all()
        os.write(writing, json.dumps((ended, len(statements))).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) == DIED:
        return None
    ended, count = json.loads(text)
    return ended, count


def _dying(before: int, after: int) -> list[str]:
    """Let this process die around a statement; return the list that statements come into."""
    # Django is to be set up first.
    from shelter.versioning.ledger.journal import Journal  # noqa: PLC0415

    statements: list[str] = []
    watch = Journal.watch

    def watched(journal: Journal, execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        def run(*given: Any) -> Any:
            if journal.paused or not journal.progress.running.startswith(sql[:100]):
                # It defines nothing.
                return execute(*given)
            number = len(statements)
            statements.append(sql)
            if number == before:
                os._exit(DIED)
            result = execute(*given)
            if number == after:
                os._exit(DIED)
            return result

        return watch(journal, run, sql, *arguments)

    setattr(Journal, "watch", watched)  # noqa: B010
    return statements


def carried_on(number: int) -> tuple[str, int]:
    """Carry on what died; return how that ended, and how many statements it carried out."""
    ended = migrate(number)
    assert ended is not None
    return ended


def main(numbers: Iterable[int]) -> None:
    """Let each of these migrations die, and carry it on."""
    django.setup()
    for number in numbers:
        migrate(number - 1)
        told = {}
        lasts = {}
        ways = {"forwards": number, "backwards": number - 1}
        for way, target in ways.items():
            if migrate(target, before=0) is not None:
                # It defines nothing.
                continue
            told[f"{way}, before"], statements = carried_on(target)
            if not statements:
                _, statements = migrate(target, gate=False) or ("", 0)
            lasts[way] = statements - 1
        for way, target in ways.items():
            if migrate(target, after=lasts.get(way, NEVER)) is not None:
                continue
            told[f"{way}, after"], _ = carried_on(target)
            # Where it was not carried on: all of it ran.
            migrate(target, fake=True)
        sys.stdout.write(f"{json.dumps(told)}\n")


if __name__ == "__main__":
    main(map(int, sys.argv[1:]))
