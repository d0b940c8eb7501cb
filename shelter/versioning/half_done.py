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
from shelter.versioning.ledger.keeping import recorded_code, visit
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.ledger.recording import has_ledger
from shelter.versioning.ledger.resuming import resume_from
from shelter.versioning.report.commands import MANAGE, option
from shelter.versioning.report.findings import Finding, Level

_CAN_GO_ON = "The tables are between two versions; it can be carried on where it ended."
_BY_HAND = (
    "Finish by hand what did not run and record it, or take back by hand what ran and begin again."
)


def half_done_findings(loader: MigrationLoader, plan: Plan, database: str) -> Iterator[Finding]:
    """Yield what was stopped half way; an error unless `plan` carries it on."""
    if not has_ledger(connections[database]):
        return
    planned = {(migration.app_label, migration.name): back for migration, back in plan}
    for key, entry in half_done(database).items():
        progress = Progress.loads(entry.progress)
        file = loader.disk_migrations.get(key)
        identity, level = "versioning.W014", Level.ERROR
        if file is None:
            reason, commands = _elsewhere(key, entry, progress, database)
        else:
            same = code_of(file).fingerprint == entry.fingerprint
            applied, connection = loader.applied_migrations, connections[database]
            resumed = resume_from(progress, file, loader, applied, connection) if same else None
            if resumed is not None and planned.get(key) == progress.backwards:
                identity, level = "versioning.I003", Level.INFO
                reason, commands = "It is carried on there.", ()
            else:
                reason, commands = _here(
                    key, progress, file, database, can_go_on=resumed is not None
                )
        message = _stopped(key, entry, progress, database)
        yield Finding(identity, level, key[0], "", message, reason=reason, next=commands)


def _stopped(key: Key, entry: LedgerEntry, progress: Progress, database: str) -> str:
    verb = "unapplied" if progress.backwards else "applied"
    ran = "; ".join(step.text for step in progress.steps[: progress.done])
    return (
        f"{'.'.join(key)} was being {verb} in the database {database!r} on "
        f"{entry.started:%Y-%m-%d %H:%M} by {entry.os_user or '?'} on {entry.host} and was "
        f"stopped: {progress.done} of {len(progress.steps)} operations ran"
        + (f" ({ran})." if ran else ".")
    )


def _here(
    key: Key, progress: Progress, file: Migration, database: str, *, can_go_on: bool
) -> tuple[str, tuple[str, ...]]:
    """Return the reason and the commands for a migration that was stopped, whose file is here."""
    app, name = key
    alias = option(database)
    target, again = name, "migrate"
    if progress.backwards:
        target = _before(app, file.dependencies)
        again = f"migrate {app} {target}"
    if can_go_on:
        return _CAN_GO_ON, (f"{MANAGE} {again}{alias}",)
    return (
        f"{_what_ran(progress)} {_BY_HAND}",
        (*_by_hand(key, progress, target, alias), f"{MANAGE} {again}{alias} --no-gate"),
    )


def _elsewhere(
    key: Key, entry: LedgerEntry, progress: Progress, database: str
) -> tuple[str, tuple[str, ...]]:
    """Return the same for a migration that is in no file here.

    To look into the tables, its code is to be run, which `dbsync` does.
    """
    alias = option(database)
    sync = f"{MANAGE} dbsync{alias}"
    away, back = visit(key, project.root()) or ((), ())
    if not progress.backwards:
        return (
            f"{_what_ran(progress)} Its files are elsewhere: go there, and migrate.",
            (*away, f"{MANAGE} migrate{alias}", *back, sync),
        )
    if progress.can_go_on and entry.fingerprint:
        return _CAN_GO_ON, (sync,)
    target = _before_by_code(key, entry, database)
    by_hand = (*away, *_by_hand(key, progress, target, alias), *back, sync)
    ran = _what_ran(progress)
    # An entry of before ghosts' code was noted has none to compare with.
    if not entry.fingerprint or progress.steps[progress.done].writes_rows:
        return f"{ran} {_BY_HAND}", by_hand
    looks = (
        "dbsync looks into the tables whether that ran, and carries it on where they tell. Where "
        "they do not:"
    )
    return f"{ran} {looks} {_BY_HAND[0].lower()}{_BY_HAND[1:]}", (sync, *by_hand)


def _by_hand(key: Key, progress: Progress, target: str | None, alias: str) -> tuple[str, ...]:
    """Return the commands that show what a migration does, and record it when it is done."""
    app, name = key
    flag = " --backwards" if progress.backwards else ""
    return (
        f"{MANAGE} sqlmigrate {app} {name}{flag}{alias}",
        # To record "zero" in place of what is not known would forget the whole app.
        f"{MANAGE} migrate {app} {target}{alias} --fake"
        if target
        else f"{MANAGE} showmigrations {app}{alias}",
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
