"""How far a migration is that is not one transaction.

Where the database commits each statement by itself (MySQL and MariaDB; elsewhere a migration that
says `atomic = False`), a stop leaves it half done. So its entry in the ledger says, from before the
first statement on, which operations ran and which statements of the one that is running.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from shelter.versioning.ledger.entries import LedgerEntry

# On PostgreSQL, a foreign key is dropped by two statements in one (Django's sql_delete_fk).
_DEFINES = re.compile(r"(?:\A|;)\s*(?:CREATE|ALTER|DROP|RENAME|TRUNCATE|COMMENT)\b", re.IGNORECASE)
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """An operation, in the order in which a migration's operations are carried out.

    `again`: it may be run again after a stop. `whole`: it is one transaction, as long as it defines
    no table where that commits. `writes_rows`: it runs code or SQL that the journal does not see.
    """

    text: str
    again: bool
    whole: bool
    writes_rows: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """Which steps are done; of the one after them, which statements ran, and which is running."""

    backwards: bool
    steps: tuple[Step, ...]
    done: int = 0
    statements: tuple[str, ...] = ()
    running: str = ""

    @property
    def can_go_on(self) -> bool:
        """Whether the migration can be carried on at the step after those that are done.

        Not where that step has run in part, or may have.
        """
        if self.done == len(self.steps):
            return True
        step = self.steps[self.done]
        if step.again:
            return True
        return not self.statements and not self.running and (step.whole or not step.writes_rows)

    def at_its_step(self) -> Progress:
        """Return the progress at the beginning of the step that is not done."""
        return replace(self, statements=(), running="")

    def dumps(self) -> str:
        """Return the progress as JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def loads(text: str) -> Progress:
        """Return what `dumps` wrote."""
        told = json.loads(text)
        steps = tuple(Step(**step) for step in told.pop("steps"))
        return Progress(**{**told, "steps": steps, "statements": tuple(told["statements"])})


@dataclass(slots=True)
class Journal:
    """Keeps an entry's progress up to date while its migration runs.

    Written on the migration's own connection: where a step is a transaction, what the journal says
    of it is undone with it.
    """

    entry: LedgerEntry
    progress: Progress
    paused: bool = False

    def step_done(self) -> None:
        """Note that the running step is done."""
        self._write(replace(self.progress, done=self.progress.done + 1, statements=(), running=""))

    def watch(
        self,
        execute: Callable[[str, Any, bool, dict[str, Any]], Any],
        sql: str,
        params: Sequence[Any] | None,
        many: bool,
        context: dict[str, Any],
    ) -> Any:
        """Note a statement that defines something, before and after; an execute wrapper."""
        if self.paused or not _DEFINES.search(sql):
            return execute(sql, params, many, context)
        shown = sql if not params else f"{sql} -- {tuple(params)!r}"
        shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
        self._write(replace(self.progress, running=shown))
        result = execute(sql, params, many, context)
        ran = (*self.progress.statements, shown)
        self._write(replace(self.progress, statements=ran, running=""))
        return result

    def _write(self, progress: Progress) -> None:
        self.progress = progress
        LedgerEntry.objects.using(self.entry._state.db).filter(pk=self.entry.pk).update(
            progress=progress.dumps()
        )
