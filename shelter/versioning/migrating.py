"""Django's `migrate`, with a lock before it, a gate at its door and a ledger behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate as django_migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    InconsistentMigrationHistory,
    NodeNotFoundError,
)
from django.db.migrations.executor import MigrationExecutor

from shelter.versioning import project
from shelter.versioning.ledger.executor import HalfDoneError, LedgerExecutor, Plan, half_done
from shelter.versioning.ledger.lock import LockError, MigrateLock, migrate_lock
from shelter.versioning.ledger.provenance import provenance_of
from shelter.versioning.ledger.recording import LedgerRecorder, has_ledger
from shelter.versioning.ledger.rows import ghosts, out_of_order, unfinished_squashes
from shelter.versioning.ledger.waiting import Patience

if TYPE_CHECKING:
    from shelter.versioning.report.findings import Finding, Report

# What the gate needs in order to explain is imported where there is something to explain: it takes
# longer than all else that is done here when there is nothing to do.

COMMAND = "migrate"


@dataclass(frozen=True, slots=True)
class Options:
    """How to migrate the database of the alias `database`; times are in seconds."""

    database: str
    lock_timeout: float
    patience: Patience
    gate: bool = True
    fake: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Says:
    """Whom to tell: of findings, and of what happens meanwhile, a line each."""

    findings: Callable[[Report], object]
    line: Callable[[str], object]


class StoppedError(CommandError):
    """The gate stopped `migrate`; nothing was changed."""


class InconsistentError(StoppedError, InconsistentMigrationHistory):
    """The same, for who catches Django's own exception."""


def default_lock_timeout() -> float:
    """Return how long to wait for another migrate: VERSIONING_LOCK_TIMEOUT, or 60 seconds."""
    return float(getattr(settings, "VERSIONING_LOCK_TIMEOUT", 60))


def default_patience() -> Patience:
    """Return the patience that the settings VERSIONING_TABLE_LOCK_* ask for."""
    usual = Patience()
    return Patience(
        table_lock=float(getattr(settings, "VERSIONING_TABLE_LOCK_TIMEOUT", usual.table_lock)),
        in_all=float(getattr(settings, "VERSIONING_TABLE_LOCK_PATIENCE", usual.in_all)),
    )


@contextmanager
def safely(options: Options, says: Says) -> Iterator[_Making]:
    """Let Django's `migrate` that runs inside be serialised, gated, polite, and remembered.

    Raises StoppedError where the gate stops it, and CommandError with `returncode` 2 where the lock
    cannot be had.
    """
    connection = connections[options.database]
    making = _Making(options, says, connection)
    try:
        with ExitStack() as stack:
            if not options.read_only:
                lock = locked(options.database, says.line, options.lock_timeout)
                making.lock = stack.enter_context(lock)
            with _executor_made_by(making):
                yield making
            making.keep_up()
    except LockError as error:
        raise CommandError(str(error), returncode=2) from error
    except HalfDoneError as error:
        raise StoppedError(
            f"{error.entry.app}.{error.entry.name} is half done, and cannot be carried on.",
            returncode=1,
        ) from error


@contextmanager
def locked(
    database: str, say: Callable[[str], object], timeout: float | None = None
) -> Iterator[MigrateLock | None]:
    """Hold the lock of a database, as `migrate_lock`; `say` tells if it has to be waited for.

    `timeout` is in seconds, by default that of the settings.
    """
    seconds = default_lock_timeout() if timeout is None else timeout

    def waiting(holder: str) -> None:
        who = f" ({holder})" if holder else ""
        say(
            f"Another migrate is at work on the database {database!r}{who}; waiting for it, "
            f"{seconds:g} s at most."
        )

    with migrate_lock(connections[database], seconds, waiting) as lock:
        yield lock


@contextmanager
def _executor_made_by(making: _Making) -> Iterator[None]:
    """Let Django's command use our executor: the command offers no other way to name one."""
    command: Any = django_migrate
    usual = command.MigrationExecutor
    command.MigrationExecutor = making
    try:
        yield
    finally:
        command.MigrationExecutor = usual


@dataclass(slots=True)
class _Making:
    """Makes the executor where Django's command does, and is asked about its plan."""

    options: Options
    says: Says
    connection: BaseDatabaseWrapper
    lock: MigrateLock | None = None
    executor: LedgerExecutor | None = None
    _seen: bool = False

    def __call__(
        self, connection: BaseDatabaseWrapper, progress_callback: Callable[..., object] | None
    ) -> MigrationExecutor:
        provenance = functools.cache(lambda: provenance_of(project.root()))
        try:
            executor = LedgerExecutor(
                connection,
                progress_callback,
                recorder=LedgerRecorder(connection, provenance, self._ledger_began),
                patience=self.options.patience,
                say=self.says.line,
                look_over=self._look_over,
                still_ours=self._still_ours,
                afresh=not self.options.gate,
            )
        except (NodeNotFoundError, CircularDependencyError, BadMigrationError) as error:
            if isinstance(error, NodeNotFoundError):
                self._tell_of_squashes()
            self._tell_of_the_graph()
            raise StoppedError(f"{error} Nothing was migrated.", returncode=1) from error
        self.executor = executor
        if self.options.gate:
            self._look_at_history(executor)
        else:
            _let_pass(executor)
        return executor

    def _look_at_history(self, executor: LedgerExecutor) -> None:
        if out_of_order(executor.loader):
            from shelter.versioning.gate import history_findings  # noqa: PLC0415

            if not self._tell_of_squashes():
                self._tell(history_findings(executor.loader, self.options.database))
            try:
                executor.loader.check_consistent_history(self.connection)
            except InconsistentMigrationHistory as error:
                raise InconsistentError(f"{error} Nothing was changed.", returncode=1) from error
        # Django's command says in short what is told here at length, and stops.
        if executor.loader.detect_conflicts():
            self._tell_of_the_graph()

    def _look_over(self, executor: LedgerExecutor, plan: Plan) -> None:
        """Look over the plan of Django's command, which it makes before it changes anything."""
        if self._seen or self.options.read_only:
            return
        self._seen = True
        if not self.options.gate:
            _leave_out_what_hangs_loose(executor)
        elif not self.options.fake:
            self._stop_at_errors(executor, plan)
        if executor.recorder.has_table():
            # Also with nothing to do: the ledger's model is there, and its table is to be.
            executor.recorder.ensure_schema()
        self._keep([migration for migration, backwards in plan if not backwards])

    def _stop_at_errors(self, executor: LedgerExecutor, plan: Plan) -> None:
        clear = (
            not any(backwards for _, backwards in plan)
            and not ghosts(executor.loader)
            and not unfinished_squashes(executor.loader)
            and not (has_ledger(self.connection) and half_done(self.options.database))
        )
        if clear:
            return
        from shelter.versioning.gate import plan_findings  # noqa: PLC0415
        from shelter.versioning.report.findings import Level  # noqa: PLC0415

        found = plan_findings(executor.loader, plan, self.options.database)
        self._tell(found)
        grave = sum(finding.level is Level.ERROR for finding in found)
        if grave:
            raise StoppedError(
                f"Nothing was migrated: {grave} finding{'s' if grave > 1 else ''}. "
                "--no-gate migrates all the same.",
                returncode=1,
            )

    def _keep(self, wanted: Sequence[Migration]) -> None:
        """Keep the code of what is about to be applied."""
        if not wanted:
            return
        from shelter.versioning.ledger.keeping import keep  # noqa: PLC0415

        problem = keep(self.connection, wanted, project.root())
        if problem is not None:
            self.says.line(f"The code is not kept in git: {problem}")

    def _still_ours(self) -> None:
        if self.lock is not None and not self.lock.is_held():
            raise CommandError(
                f"The lock of the database {self.options.database!r} was lost, so that another "
                "migrate may be at work. What is done is recorded; type the command again.",
                returncode=2,
            )

    def _ledger_began(self, count: int) -> None:
        self.says.line(
            f"The ledger begins. The {count} migrations applied before it are noted as unknown: "
            "who applied them, and from which commit, is not known."
        )

    def _tell_of_the_graph(self) -> None:
        from shelter.versioning.gate import graph_findings  # noqa: PLC0415

        self._tell(graph_findings(self.options.database))

    def _tell_of_squashes(self) -> bool:
        """Tell of squashes that came or went, if any: what rests on them then hangs loose."""
        from shelter.versioning.gate import find_squashes_of, swap_findings  # noqa: PLC0415

        database = self.options.database
        found = tuple(swap_findings(find_squashes_of(database).swaps, database))
        self._tell(found)
        return bool(found)

    def _tell(self, findings: Sequence[Finding]) -> None:
        from shelter.versioning.report.findings import Report  # noqa: PLC0415

        if findings:
            self.says.findings(Report(COMMAND, tuple(findings)))

    def keep_up(self) -> None:
        """Keep the code of squashes that were recorded, and let go of what is no longer applied."""
        if self.executor is None or self.options.read_only:
            return
        self._keep(self.executor.adopted)
        if self.executor.recorder.unapplied:
            from shelter.versioning.ledger.keeping import prune  # noqa: PLC0415

            applied = self.executor.recorder.applied_migrations()
            prune(self.connection, set(applied), project.root())


def _leave_out_what_hangs_loose(executor: LedgerExecutor) -> None:
    """Let the models' state be that of the applied migrations whose ancestors are applied too.

    Of others no state can be made. Call it when the plan is made, which needs to know them.
    """
    graph, applied = executor.loader.graph, executor.loader.applied_migrations
    executor.loader.applied_migrations = {
        key: row
        for key, row in applied.items()
        if key not in graph.nodes or applied.keys() >= set(graph.forwards_plan(key))
    }


def _let_pass(executor: LedgerExecutor) -> None:
    """Let Django's command go on with a history that does not hold together."""
    loader: Any = executor.loader
    loader.check_consistent_history = lambda _: None


def plain_executor(
    connection: BaseDatabaseWrapper,
    say: Callable[[str], object],
    progress_callback: Callable[..., object] | None = None,
) -> LedgerExecutor:
    """Return an executor for repairs, which hold the lock and have looked over their plan."""
    return LedgerExecutor(
        connection,
        progress_callback,
        recorder=plain_recorder(connection),
        patience=default_patience(),
        say=say,
        look_over=lambda *_: None,
        still_ours=lambda: None,
    )


def plain_recorder(connection: BaseDatabaseWrapper) -> LedgerRecorder:
    """Return a recorder for repairs."""
    return LedgerRecorder(connection, functools.cache(lambda: provenance_of(project.root())))
