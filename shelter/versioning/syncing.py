"""A database brought to this checkout: rows put right, ghosts taken back, the rest applied."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from shelter.versioning import project
from shelter.versioning.gate import files_here, find_squashes_of, swap_findings
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry, Outcome
from shelter.versioning.ledger.executor import HalfDoneError, LedgerExecutor
from shelter.versioning.ledger.journal import Progress
from shelter.versioning.ledger.keeping import follow, keep, path_in_git, prune, recorded_code
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.ledger.recording import applied_rows, latest_entries
from shelter.versioning.ledger.renaming import rename_rows
from shelter.versioning.ledger.resuming import resume_from
from shelter.versioning.ledger.rows import ghosts, not_applied, renamed
from shelter.versioning.ledger.squashes import Squashes, SwappedLoader, swap_rows
from shelter.versioning.migrating import locked, plain_executor, plain_recorder
from shelter.versioning.repair.losses import CannotTakeBackError, applied_models, losses_of
from shelter.versioning.repair.saving import save
from shelter.versioning.repair.sync import (
    CannotSyncError,
    Ghost,
    GhostLoader,
    SyncPlan,
    load_ghosts,
)
from shelter.versioning.report.commands import MANAGE, option
from shelter.versioning.report.findings import Finding, Level, Report

COMMAND = "dbsync"


def plan_sync(database: str, *, trust_git: Callable[[tuple[Ghost, ...]], bool]) -> SyncPlan:
    """Return what brings the database of that alias to this checkout; nothing is changed.

    The code of ghosts that this database's ledger recorded is run to learn what taking it back
    does; code that was found by its name in git only if `trust_git` says so. Raises CannotSyncError
    with the reason where it cannot be done, HalfDoneError where a ghost was stopped half way and
    cannot be carried on, and what Django's loader raises.
    """
    squashes = _squashes(database)
    loader = SwappedLoader(connections[database], squashes.swaps)
    entries = latest_entries(database)
    moved = renamed(loader, entries)
    try:
        return _plan(database, loader, entries, squashes, moved, trust_git=trust_git)
    except CannotTakeBackError as error:
        reason = error
    if moved:
        # Two people wrote the same, so that what looked renamed is a ghost like the others.
        with suppress(CannotTakeBackError):
            return _plan(database, loader, entries, squashes, {}, trust_git=trust_git)
    raise CannotSyncError(
        f"{reason} Nothing was changed. Go to its branch, or begin with a new database."
    ) from reason


def _squashes(database: str) -> Squashes:
    """Return the squashes that came or went. Raises CannotSyncError where rows cannot be told."""
    found = find_squashes_of(database)
    stopping = [swap for swap in found.swaps if not swap.can_be_done]
    if stopping:
        raise CannotSyncError(
            "\n".join(
                "\n  ".join(
                    (f"{told.message} {told.reason} Nothing was changed. Type:", *told.next)
                )
                for told in swap_findings(stopping, database)
            )
        )
    return found


def _plan(
    database: str,
    loader: MigrationLoader,
    entries: Mapping[Key, LedgerEntry],
    squashes: Squashes,
    moved: Mapping[Key, Key],
    *,
    trust_git: Callable[[tuple[Ghost, ...]], bool],
) -> SyncPlan:
    going_along = {key for replaced in squashes.whole.values() for key in replaced}
    found = tuple(
        replace(_ghost(key, entries.get(key), database), replaces=squashes.whole.get(key, ()))
        for key in ghosts(loader)
        if key not in moved and key not in going_along
    )
    strange = tuple(ghost for ghost in found if not ghost.recorded)
    if strange and not trust_git(strange):
        looks = "; ".join(
            f"git show {shlex.quote(f'{ghost.commit[:10]}:{ghost.path}')}" for ghost in strange
        )
        raise CannotSyncError(
            f"{_named(strange)}: this database's ledger does not know the code, which was found in "
            f"git by its name. Nothing was changed. Look at it: {looks}; if it is what ran here: "
            f"{MANAGE} dbsync --trust-git{option(database)}"
        )
    migrations = load_ghosts(found, moved, squashes.swaps)
    with_ghosts = GhostLoader(connections[database], migrations, moved, squashes.swaps)
    left = _what_is_left(with_ghosts, entries, database)
    if left:
        ghosts_left = {**migrations, **left}
        with_ghosts = GhostLoader(connections[database], ghosts_left, moved, squashes.swaps)
    order = with_ghosts.order[::-1]
    by_key = {ghost.key: ghost for ghost in found}
    losses = tuple(loss for loss in losses_of(with_ghosts, order, database) if loss.rows)
    missing = tuple(key for key in not_applied(loader) if key not in moved.values())
    renames = tuple(sorted(moved.items()))
    in_order = tuple(by_key[key] for key in order)
    return SyncPlan(database, squashes.swaps, renames, in_order, losses, missing)


def _what_is_left(
    loader: GhostLoader, entries: Mapping[Key, LedgerEntry], database: str
) -> dict[Key, Migration]:
    """Return the ghosts that were stopped half way, without the operations taken back by then.

    Raises HalfDoneError for one that cannot be carried on.
    """
    found = {}
    for key, migration in loader.ghosts.items():
        entry = entries.get(key)
        if entry is None or entry.outcome != Outcome.STARTED:
            continue
        begun = Progress.loads(entry.progress)
        applied = loader.applied_migrations
        resumed = (
            resume_from(begun, migration, loader, applied, connections[database])
            if begun.backwards
            else None
        )
        if resumed is None:
            raise HalfDoneError(entry)
        left = copy(migration)
        vars(left)["operations"] = migration.operations[: len(resumed.steps) - resumed.done]
        found[key] = left
    return found


def _named(found: tuple[Ghost, ...]) -> str:
    return ", ".join(
        f"{'.'.join(ghost.key)} (commit {ghost.commit[:10]} of {ghost.author})" for ghost in found
    )


def _ghost(key: Key, entry: LedgerEntry | None, database: str) -> Ghost:
    """Return a ghost with its code: by the ledger's blob, by what is kept, or by its name."""
    repository = Repository(project.root())
    try:
        recorded = recorded_code(repository, connections[database], key, entry)
        if recorded is not None:
            return Ghost(key, recorded, recorded=True)
        found = repository.versions(path_in_git(key))
    except GitError as error:
        raise CannotSyncError(
            f"The code of {'.'.join(key)}, which is to be taken back, cannot be looked for: {error}"
        ) from error
    if not found:
        raise CannotSyncError(
            f"The code of {'.'.join(key)}, which is to be taken back, is in no branch, reflog or "
            "stash of this repository. Fetch the branch that has it: git fetch --all. Nothing was "
            "changed."
        )
    commit, path, content = found[0]
    return Ghost(key, content, recorded=False, commit=commit.id, author=commit.author, path=path)


def carry_out_sync(
    plan: SyncPlan, say: Callable[[str], object], *, save_to: Path | None = None
) -> None:
    """Carry a plan out, each step whole or not at all, under the lock of migrate.

    What data goes is written to `save_to` first, if given. Raises CannotSyncError or OSError where
    it cannot be, LockError, and what a migration or a database raises; what was done until then is
    recorded, and the next call goes on from there.
    """
    connection = connections[plan.database]
    with locked(plan.database, say):
        if plan.swaps:
            _swap(plan)
        if plan.renames:
            names = {key for pair in plan.renames for key in pair}
            before = names & set(applied_rows(plan.database))
            rename_rows(plan.database, before, plan.renames)
        _follow_files(connection, say)
        if plan.ghosts:
            _take_back(plan, say, save_to)
        if plan.missing:
            _apply(plan, say)
    # With nothing left to apply, this tells what waits for migrations to be done.
    call_command("migrate", database=plan.database, verbosity=0)


def _swap(plan: SyncPlan) -> None:
    """Swap the rows of squashes, unless it was done meanwhile."""
    now = find_squashes_of(plan.database).swaps
    if now and now != plan.swaps:
        raise CannotSyncError(
            f"The database {plan.database!r} was changed meanwhile. Nothing was changed here. "
            f"Look at it again: {MANAGE} dbsync{option(plan.database)}"
        )
    connection = connections[plan.database]
    swap_rows(plain_recorder(connection), now, files_here())
    prune(connection, applied_rows(plan.database).keys(), project.root())


def _follow_files(connection: BaseDatabaseWrapper, say: Callable[[str], object]) -> None:
    """Know what is applied by the files that a rebase, here or elsewhere, made of it."""
    loader = MigrationLoader(connection)
    paths = {
        key: path
        for key, migration in loader.disk_migrations.items()
        if key in loader.applied_migrations and (path := code_of(migration).path) is not None
    }
    problem = follow(connection, paths, project.root())
    if problem is not None:
        say(f"The code is not kept in git: {problem}")


def _apply(plan: SyncPlan, say: Callable[[str], object]) -> None:
    """Apply what is missing. After a rebase that may be what an applied one rests on.

    Django's command stops there; its executor does not, and knows the models of what is applied.
    """
    executor = _executor(plan, say)
    nodes = executor.loader.graph.nodes
    migrations = [nodes[key] for key in plan.missing]
    keep(executor.connection, migrations, project.root())
    executor.migrate(None, plan=[(migration, False) for migration in migrations])


def _executor(plan: SyncPlan, say: Callable[[str], object]) -> LedgerExecutor:
    def tell(action: str, migration: Any = None, fake: bool = False) -> None:
        if action == "apply_success":
            say(f"{migration} was applied.")
        elif action == "unapply_success":
            say(f"{migration} was taken back.")

    return plain_executor(connections[plan.database], say, tell)


def _take_back(plan: SyncPlan, say: Callable[[str], object], save_to: Path | None) -> None:
    executor = _executor(plan, say)
    connection = executor.connection
    migrations = load_ghosts(plan.ghosts, dict(plan.renames), plan.swaps)
    executor.loader = loader = GhostLoader(connection, migrations, {}, ())
    if save_to is not None and plan.losses:
        left = _what_is_left(loader, latest_entries(plan.database), plan.database)
        models = applied_models(GhostLoader(connection, {**migrations, **left}, {}, ()))
        rows = save(save_to, plan.losses, models, plan.database)
        say(f"{'1 row was' if rows == 1 else f'{rows:,} rows were'} saved to {save_to}.")
    nodes = executor.loader.graph.nodes
    executor.migrate(None, plan=[(nodes[ghost.key], True) for ghost in plan.ghosts])
    prune(connection, set(executor.recorder.applied_migrations()), project.root())


def report_of(plan: SyncPlan) -> Report:
    """Return what a plan does, a finding a step."""
    return Report(COMMAND, tuple(_steps(plan)))


def _steps(plan: SyncPlan) -> Iterator[Finding]:
    for swap in plan.swaps:
        gone = ", ".join(".".join(key) for key in swap.gone)
        recorded = ", ".join(".".join(key) for key in swap.new)
        told = []
        if gone:
            told.append(f"Taken off the record: {gone}.")
        if recorded:
            told.append(f"Recorded without being run: {recorded}.")
        yield _step(swap.squash[0], " ".join([*told, "The tables stay as they are."]))
    for old, new in plan.renames:
        yield _step(old[0], f"The row of {'.'.join(old)} gets its new name, {new[1]}.")
    for ghost in plan.ghosts:
        losses = [
            f"{loss.what} ({loss.rows:,} row{'s' if loss.rows != 1 else ''})"
            for loss in plan.losses
            if loss.ghost == ghost.key
        ]
        origin = (
            "with the code that the ledger recorded"
            if ghost.recorded
            else f"with the code of commit {ghost.commit[:10]} by {ghost.author}"
        )
        yield _step(
            ghost.key[0],
            f"{'.'.join(ghost.key)} is taken back, {origin}."
            + (f" Data goes: {', '.join(losses)}." if losses else ""),
            Level.WARNING if losses else Level.INFO,
        )
    if plan.missing:
        names = ", ".join(".".join(key) for key in plan.missing)
        yield _step("", f"Then these are applied: {names}.")


def _step(app: str, message: str, level: Level = Level.INFO) -> Finding:
    return Finding("versioning.I006", level, app, "", message)
