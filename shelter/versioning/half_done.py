"""Migrations that were stopped half way, and what is to be done about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import connections
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from shelter.versioning import project
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.history.reading import read_migration
from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.executor import Plan, half_done
from shelter.versioning.ledger.journal import Progress
from shelter.versioning.ledger.keeping import path_in_git, recorded_code
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.ledger.recording import has_ledger
from shelter.versioning.ledger.resuming import resume_from
from shelter.versioning.report.commands import MANAGE, option
from shelter.versioning.report.findings import Finding, Level

_CAN_GO_ON = "The tables are between two versions; it can be carried on where it ended."
_BY_HAND = (
    "Finish by hand what did not run and record it, or take back by hand what ran and begin again."
)


def visit(key: Key) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return how to go to the last commit with a migration's file, and back; None for no commit."""
    repository = Repository(project.root())
    try:
        commit = repository.last_with(path_in_git(key))
        head = repository.head()
    except GitError:
        return None
    if commit is None:
        return None
    if commit == head.commit:
        return ("git stash",), ("git stash pop",)
    back = "git switch -" if head.branch else f"git switch --detach {head.commit}"
    return (f"git switch --detach {commit}",), (back,)


def half_done_findings(loader: MigrationLoader, plan: Plan, database: str) -> Iterator[Finding]:
    """Yield what was stopped half way; an error unless `plan` carries it on."""
    if not has_ledger(connections[database]):
        return
    planned = {(migration.app_label, migration.name): back for migration, back in plan}
    for key, entry in half_done(database).items():
        progress = Progress.loads(entry.progress)
        file = loader.disk_migrations.get(key)
        if file is None:
            yield _half_done_elsewhere(key, entry, progress, database)
            continue
        same = code_of(file).fingerprint == entry.fingerprint
        applied, connection = loader.applied_migrations, connections[database]
        can_go_on = same and resume_from(progress, file, loader, applied, connection) is not None
        if can_go_on and planned.get(key) == progress.backwards:
            yield Finding(
                "versioning.I003",
                Level.INFO,
                key[0],
                "",
                _stopped(key, entry, progress, database),
                reason="It is carried on there.",
            )
        else:
            yield _half_done_here(key, entry, progress, file, database, can_go_on=can_go_on)


def _stopped(key: Key, entry: LedgerEntry, progress: Progress, database: str) -> str:
    verb = "unapplied" if progress.backwards else "applied"
    ran = "; ".join(step.text for step in progress.steps[: progress.done])
    return (
        f"{'.'.join(key)} was being {verb} in the database {database!r} on "
        f"{entry.started:%Y-%m-%d %H:%M} by {entry.os_user or '?'} on {entry.host} and was "
        f"stopped: {progress.done} of {len(progress.steps)} operations ran"
        + (f" ({ran})." if ran else ".")
    )


def _half_done_here(
    key: Key,
    entry: LedgerEntry,
    progress: Progress,
    file: Migration,
    database: str,
    *,
    can_go_on: bool,
) -> Finding:
    """Return what is told of a migration that was stopped, whose file is here."""
    app, alias = key[0], option(database)
    again = "migrate"
    target = key[1]
    if progress.backwards:
        target = _before(app, file.dependencies)
        again = f"migrate {app} {target}"
    back = " --backwards" if progress.backwards else ""
    by_hand = (
        f"{MANAGE} sqlmigrate {app} {key[1]}{back}{alias}",
        f"{MANAGE} migrate {app} {target}{alias} --fake",
        f"{MANAGE} {again}{alias} --no-gate",
    )
    return Finding(
        "versioning.W014",
        Level.ERROR,
        app,
        "",
        _stopped(key, entry, progress, database),
        reason=_CAN_GO_ON if can_go_on else f"{_what_ran(progress)} {_BY_HAND}",
        next=(f"{MANAGE} {again}{alias}",) if can_go_on else by_hand,
    )


def _half_done_elsewhere(
    key: Key, entry: LedgerEntry, progress: Progress, database: str
) -> Finding:
    """Return what is told of a migration that was stopped, and is in no file here.

    To look into the tables, its code is to be run, which `dbsync` does.
    """
    app, alias = key[0], option(database)
    sync, migrate = f"{MANAGE} dbsync{alias}", f"{MANAGE} migrate{alias}"
    away, back = visit(key) or ((), ())
    target: str | None = key[1]
    if progress.backwards:
        target = _before_by_code(key, entry, database)
    flag = " --backwards" if progress.backwards else ""
    by_hand = (
        *away,
        f"{MANAGE} sqlmigrate {app} {key[1]}{flag}{alias}",
        # To record "zero" in place of what is not known would forget the whole app.
        f"{MANAGE} migrate {app} {target}{alias} --fake"
        if target
        else f"{MANAGE} showmigrations {app}{alias}",
        *back,
        sync,
    )
    if not progress.backwards:
        reason = f"{_what_ran(progress)} Its files are elsewhere: go there, and migrate."
        commands = (*away, migrate, *back, sync)
    elif progress.can_go_on and entry.fingerprint:
        reason, commands = _CAN_GO_ON, (sync,)
    elif progress.steps[progress.done].writes_rows:
        reason, commands = f"{_what_ran(progress)} {_BY_HAND}", by_hand
    else:
        reason = (
            f"{_what_ran(progress)} dbsync looks into the tables whether that ran, and carries it "
            f"on where they tell. Where they do not: {_BY_HAND[0].lower()}{_BY_HAND[1:]}"
        )
        commands = (sync, *by_hand)
    return Finding(
        "versioning.W014",
        Level.ERROR,
        app,
        "",
        _stopped(key, entry, progress, database),
        reason=reason,
        next=commands,
    )


def _what_ran(progress: Progress) -> str:
    """Return which statements ran of a migration that was stopped, and what did not run."""
    texts = [step.text for step in progress.steps]
    facts = ["The tables are between two versions."]
    if progress.done < len(texts):
        facts.append(f"Running: {texts[progress.done]}.")
        if progress.statements:
            facts.append(f"Of it ran: {'; '.join(progress.statements)}.")
        if progress.running:
            facts.append(f"It may have run: {progress.running}.")
        if texts[progress.done + 1 :]:
            facts.append(f"Did not run: {'; '.join(texts[progress.done + 1 :])}.")
    return " ".join(facts)


def _before(app: str, dependencies: Iterable[Key]) -> str:
    """Return what `migrate` takes as the target that lies before a migration."""
    return next((name for label, name in dependencies if label == app), "zero")


def _before_by_code(key: Key, entry: LedgerEntry, database: str) -> str | None:
    """Return the same of a migration that is in no file; None where its code cannot be read."""
    try:
        code = recorded_code(Repository(project.root()), connections[database], key, entry)
    except GitError:
        return None
    read = None if code is None else read_migration(code, *key, "")
    if read is None or read.migration is None or read.unreadable:
        return None
    return _before(key[0], read.migration.dependencies)
