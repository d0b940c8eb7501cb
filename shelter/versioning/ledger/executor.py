"""Django's executor of migrations, polite, with a ledger, and safe to stop anywhere."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry, Outcome
from shelter.versioning.ledger.journal import Journal, Progress, Step
from shelter.versioning.ledger.recording import LedgerRecorder, Run
from shelter.versioning.ledger.waiting import Patience, Retry, is_lock_timeout, polite
from shelter.versioning.report.commands import MANAGE, option

Plan = Sequence[tuple[Migration, bool]]
"""Migrations and whether each is to be unapplied, as Django's executor plans them."""


class HalfDoneError(Exception):
    """A migration that is not one transaction was stopped; `entry` says how far it came."""

    def __init__(self, entry: LedgerEntry) -> None:
        database = str(entry._state.db)
        super().__init__(
            f"{entry.app}.{entry.name} is half done in the database {database!r}, and cannot be "
            "carried on: what was running when it was stopped may have run or not. What ran, and "
            f"how to go on: {MANAGE} dbstatus{option(database)}"
        )
        self.entry = entry


class LedgerExecutor(MigrationExecutor):
    """Carries migrations out as Django 5.2's executor does, and besides:

    - what a migration defines is recorded in the transaction that defines it. Django runs the
      statements that a migration deferred after it, and records it after those, so that a stop
      between the two leaves tables that the next run tries to make again. It records a squash when
      the whole plan is done;
    - a migration that waits for a lock too long is undone and tried again (`ledger.waiting`);
    - one that is not one transaction is carried on after a stop where it ended (`ledger.journal`).

    `look_over` is called with each plan before it is carried out, and stops it by raising.
    `still_ours` is asked before each migration, and raises where the lock was lost. With `afresh`,
    what a stop left half done is begun from its first operation.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        progress_callback: Callable[..., object] | None = None,
        *,
        recorder: LedgerRecorder,
        patience: Patience,
        say: Callable[[str], object],
        look_over: Callable[[LedgerExecutor, Plan], object],
        still_ours: Callable[[], object],
        afresh: bool = False,
    ) -> None:
        super().__init__(connection, cast("Any", progress_callback))
        self.recorder: LedgerRecorder = recorder
        self.total = 0
        self._patience = patience
        self._say = say
        self._look_over = look_over
        self._still_ours = still_ours
        self._afresh = afresh
        self.adopted: list[Migration] = []

    # The stubs have the arguments of Django 1.
    def record_migration(self, migration: Migration) -> None:  # type: ignore[override]
        super().record_migration(migration)  # type: ignore[call-arg, arg-type]
        if migration.replaces:
            self.recorder.record_applied(migration.app_label, migration.name)

    def check_replacements(self) -> None:
        """Record squashes of which all that they replace is applied, each with its own code.

        By the rule of Django 5.2's executor. `adopted` are those that it recorded.
        """
        applied = self.recorder.applied_migrations()
        for key, migration in self.loader.replacements.items():
            if key not in applied and all(replaced in applied for replaced in migration.replaces):
                self.recorder.adopt(key, migration)
                self.adopted.append(migration)

    def migration_plan(
        self,
        targets: Any,
        clean_start: bool = False,
    ) -> list[tuple[Migration, bool]]:
        plan = super().migration_plan(targets, clean_start)
        # With a clean start it is no plan for this database, but the order of all migrations.
        if not clean_start:
            self._look_over(self, plan)
            self.total = len(plan)
        return plan

    def apply_migration(
        self,
        state: ProjectState,
        migration: Migration,
        fake: bool = False,
        fake_initial: bool = False,
    ) -> ProjectState:
        if fake_initial and not fake:
            fake, state = self.detect_soft_applied(state, migration)
        if fake:
            with self.recorder.running(migration, Outcome.FAKED):
                return super().apply_migration(state, migration, fake=True)

        # The class is named: in a function inside, super() would have no instance.
        def forwards(watched: Migration) -> ProjectState:
            return MigrationExecutor.apply_migration(self, state.clone(), watched)

        with self.recorder.running(migration, Outcome.APPLIED) as run:
            return self._carry_out(run, forwards, backwards=False)

    def unapply_migration(
        self,
        state: ProjectState,
        migration: Migration,
        fake: bool = False,
    ) -> ProjectState:
        if fake:
            with self.recorder.running(migration, Outcome.FORGOTTEN):
                return super().unapply_migration(state, migration, fake=True)

        def backwards(watched: Migration) -> ProjectState:
            return MigrationExecutor.unapply_migration(self, state.clone(), watched)

        with self.recorder.running(migration, Outcome.UNAPPLIED) as run:
            return self._carry_out(run, backwards, backwards=True)

    def _carry_out(
        self, run: Run, carry_out: Callable[[Migration], ProjectState], *, backwards: bool
    ) -> ProjectState:
        """Carry out one migration, once or until its locks are free."""
        self._still_ours()
        # Before any transaction: making the tables is none of the migration's business.
        self.recorder.ensure_schema()
        atomic = run.migration.atomic and self.connection.features.can_rollback_ddl
        retry = Retry(self._patience, self._say)
        afresh = self._afresh
        while True:
            journal = None if atomic else self._journal(run, backwards=backwards, afresh=afresh)
            # A second try goes on where the first one ended.
            afresh = False
            try:
                with ExitStack() as stack:
                    stack.enter_context(polite(self.connection, self._patience, self._say))
                    if journal is not None:
                        stack.enter_context(self.connection.execute_wrapper(journal.watch))
                    return carry_out(_watched(run.migration, journal, self._end(run)))
            except OperationalError as error:
                if not is_lock_timeout(error, self.connection):
                    raise
                if not (atomic or self._can_go_on(run)) or not retry.wait_after(error):
                    raise

    def _journal(self, run: Run, *, backwards: bool, afresh: bool) -> Journal:
        """Return the journal of a run: what a stop left behind, or a new one.

        Raises HalfDoneError where it cannot go on from there.
        """
        progress = Progress(backwards, _steps(run.migration, backwards=backwards))
        left = None if afresh else half_done(self.connection.alias).get(run.key)
        if left is not None:
            begun = Progress.loads(left.progress)
            resumed = (
                self._resumed(run, begun) if _is_the_same(left, begun, run, progress) else None
            )
            if resumed is None:
                raise HalfDoneError(left)
            progress = resumed
        return Journal(self.recorder.begin(run, progress.dumps()), progress)

    def _resumed(self, run: Run, begun: Progress) -> Progress | None:
        # Seldom needed, and reading tables takes long to import.
        from shelter.versioning.ledger.resuming import resume_from  # noqa: PLC0415

        # What the loader has is of before this run.
        rows = self.recorder.applied_migrations()
        applied = [
            key
            for key, migration in self.loader.graph.nodes.items()
            if key in rows
            or (migration.replaces and all(replaced in rows for replaced in migration.replaces))
        ]
        return resume_from(begun, run.migration, self.loader, applied, self.connection)

    def _can_go_on(self, run: Run) -> bool:
        # Asked of the database: what a transaction undid, its journal has undone too.
        left = half_done(self.connection.alias).get(run.key)
        return left is not None and Progress.loads(left.progress).can_go_on

    def _end(self, run: Run) -> Callable[[], object]:
        """Return what records that a migration was unapplied; Django does so itself, and later."""

        def unapplied() -> None:
            migration = run.migration
            for app, name in (*migration.replaces, (migration.app_label, migration.name)):
                self.recorder.record_unapplied(app, name)

        return unapplied


class _End(Operation):
    """Stands after a migration's operations, forwards and backwards, inside its transaction."""

    reversible = True

    def __init__(self, unapplied: Callable[[], object]) -> None:
        self.unapplied = unapplied

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the models."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        _run_deferred(schema_editor)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        _run_deferred(schema_editor)
        self.unapplied()


def _run_deferred(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Run what operations left for the end of the migration, and leave nothing for it."""
    for sql in schema_editor.deferred_sql:
        schema_editor.execute(sql, None)
    schema_editor.deferred_sql.clear()


def _watched(
    migration: Migration, journal: Journal | None, unapplied: Callable[[], object]
) -> Migration:
    """Return `migration` with an end, and with operations that tell the journal of themselves."""
    watched: Any = copy.copy(migration)
    operations = list(migration.operations)
    if journal is not None:
        done = journal.progress.done
        count = len(operations)
        operations = [
            _noted(
                operation,
                journal,
                # Of steps, the last operation is the first when they go backwards.
                skipped=(count - 1 - place if journal.progress.backwards else place) < done,
            )
            for place, operation in enumerate(operations)
        ]
    # Backwards, operations are run from the last to the first.
    watched.operations = [_End(unapplied), *operations, _End(lambda: None)]
    return cast("Migration", watched)


def _noted(operation: Operation, journal: Journal, *, skipped: bool) -> Operation:
    noted = copy.copy(operation)

    def wrapped(method: Callable[..., None]) -> Callable[..., None]:
        def run(
            app_label: str,
            schema_editor: BaseDatabaseSchemaEditor,
            from_state: ProjectState,
            to_state: ProjectState,
        ) -> None:
            if skipped:
                return
            with _unseen(journal, operation):
                method(app_label, schema_editor, from_state, to_state)
                # What is deferred would be lost if the migration were carried on from here.
                _run_deferred(schema_editor)
            journal.step_done()

        return run

    for name in ("database_forwards", "database_backwards"):
        setattr(noted, name, wrapped(getattr(operation, name)))
    return noted


def _is_rerunnable(operation: Operation) -> bool:
    return bool(getattr(operation, "rerunnable", False))


@contextmanager
def _unseen(journal: Journal, operation: Operation) -> Any:
    """Do not note the statements of an operation that may be run again whatever ran of it."""
    journal.paused = _is_rerunnable(operation)
    try:
        yield
    finally:
        journal.paused = False


def _steps(migration: Migration, *, backwards: bool) -> tuple[Step, ...]:
    operations = reversed(migration.operations) if backwards else migration.operations
    return tuple(
        Step(
            text=operation.describe(),
            again=_is_rerunnable(operation),
            # As Django 5.2's Migration.apply() decides.
            whole=bool(
                getattr(operation, "atomic", False)
                or (migration.atomic and getattr(operation, "atomic", None) is not False)
            ),
            writes_rows=not operation.reduces_to_sql or _is_sql(operation),
        )
        for operation in operations
    )


def _is_sql(operation: Operation) -> bool:
    """Return whether an operation is, or holds, SQL that a person wrote."""
    parts = getattr(operation, "database_operations", ())
    return hasattr(operation, "sql") or any(
        _is_sql(part) or not part.reduces_to_sql for part in parts
    )


def half_done(alias: str) -> dict[Key, LedgerEntry]:
    """Return the entries of migrations that were begun and did not end. It must have a ledger."""
    entries = LedgerEntry.objects.using(alias).filter(outcome=Outcome.STARTED)
    return {(entry.app, entry.name): entry for entry in entries}


def _is_the_same(left: LedgerEntry, begun: Progress, run: Run, wanted: Progress) -> bool:
    """Return whether a run is that of what was left: same code, same way."""
    return left.fingerprint == run.code(run.key).fingerprint and (
        begun.backwards,
        begun.steps,
    ) == (wanted.backwards, wanted.steps)
