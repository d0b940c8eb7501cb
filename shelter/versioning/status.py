"""Which state a database is in, compared with this checkout."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection, Iterator, Mapping

from django.apps import apps
from django.db import connections
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from shelter.versioning import project
from shelter.versioning.checkout import check_checkout
from shelter.versioning.gate import (
    find_squashes_of,
    ghost_findings,
    history_findings,
    renamed_findings,
    swap_findings,
)
from shelter.versioning.gate import shown as shown_path
from shelter.versioning.half_done import half_done_findings
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.drift import Difference, find_drift
from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.marks import database_is_there
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.ledger.recording import latest_entries
from shelter.versioning.ledger.rows import ghosts, not_applied, renamed
from shelter.versioning.ledger.squashes import SwappedLoader
from shelter.versioning.report.commands import MANAGE, option
from shelter.versioning.report.findings import Finding, Level, Report

COMMAND = "dbstatus"

_OF_THE_FILES = {"versioning.W001", "versioning.W002", "versioning.W003", "versioning.I002"}


def status_of(databases: Collection[str], *, drift: bool = False) -> Report:
    """Return what is off between the databases of those aliases and this checkout.

    With `drift`, also whether their tables are what their applied migrations say. Nothing is
    changed. Raises DatabaseError where a database does not answer or no scratch place can be made
    in it, OSError and ImproperlyConfigured where the files cannot be read, NotImplementedError
    where drift cannot be seen.
    """
    findings: list[Finding] = []
    for number, database in enumerate(databases):
        files = check_checkout(database=database, exactly=True)
        found = [finding for finding in files.findings if finding.id in _OF_THE_FILES]
        # What the files say is the same for all; what is applied is told of the first one.
        findings += found if number == 0 else ()
        findings += _of_database(database, drift=drift)
    if not any(finding.id == "versioning.W001" for finding in findings):
        findings += _model_changes()
    return Report(COMMAND, tuple(findings))


def _of_database(database: str, *, drift: bool) -> list[Finding]:
    is_there = database_is_there(database)
    loader = MigrationLoader(connections[database] if is_there else None, load=False)
    try:
        loader.build_graph()
    except NodeNotFoundError:
        # Of a squash that is applied in part, Django's loader lets go.
        swaps = find_squashes_of(database, loader.disk_migrations).swaps if is_there else ()
        return [*swap_findings(swaps, database)]
    except (CircularDependencyError, BadMigrationError):
        # The files say so, and no plan can be made.
        return []
    if not is_there:
        return [*_behind(loader, (), database)]
    swaps = find_squashes_of(database, loader.disk_migrations).swaps
    if swaps:
        loader = SwappedLoader(connections[database], swaps)
    entries = latest_entries(database)
    moved = renamed(loader, entries)
    findings: list[Finding] = [
        *half_done_findings(loader, (), database),
        *swap_findings(swaps, database),
        *history_findings(loader, database),
        *_edited(loader, entries, database),
        *renamed_findings(moved, database),
        *ghost_findings(loader, database, besides=moved),
        *_behind(loader, moved.values(), database),
    ]
    return [*findings, *drift_findings(database)] if drift else findings


def _behind(loader: MigrationLoader, renamed: Collection[Key], database: str) -> Iterator[Finding]:
    conflicts = loader.detect_conflicts()
    command = "dbsync" if ghosts(loader) else "migrate"
    by_app: dict[str, list[str]] = {}
    for app, name in not_applied(loader):
        if (app, name) not in renamed:
            by_app.setdefault(app, []).append(name)
    for app, names in sorted(by_app.items()):
        yield Finding(
            "versioning.W016",
            Level.WARNING,
            app,
            "",
            f"The database {database!r} is behind in {app}: {', '.join(names)} "
            f"{'are' if len(names) > 1 else 'is'} not applied.",
            reason="The code expects tables that this database does not have yet.",
            next=() if conflicts else (f"{MANAGE} {command}{option(database)}",),
        )


def _model_changes() -> Iterator[Finding]:
    try:
        loader = MigrationLoader(None)
    except (NodeNotFoundError, CircularDependencyError, BadMigrationError):
        return
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    for app, migrations in sorted(detector.changes(graph=loader.graph).items()):
        operations = [operation.describe() for m in migrations for operation in m.operations]
        yield Finding(
            "versioning.W017",
            Level.WARNING,
            app,
            "",
            f"The models of {app} have changes that no migration has: {'; '.join(operations)}.",
            reason="No database can get them before there is a migration.",
            next=(f"{MANAGE} makemigrations {app}", f"{MANAGE} migrate"),
        )


def _edited(
    loader: MigrationLoader, entries: Mapping[Key, LedgerEntry], database: str
) -> Iterator[Finding]:
    for key, entry in sorted(entries.items()):
        migration = loader.disk_migrations.get(key)
        if migration is None or key not in loader.applied_migrations or not entry.fingerprint:
            continue
        code = code_of(migration)
        if code.path is None or code.fingerprint == entry.fingerprint:
            continue
        path = shown_path(migration)
        yield Finding(
            "versioning.W012",
            Level.WARNING,
            key[0],
            path,
            f"{'.'.join(key)} was edited after it was applied in the database {database!r}.",
            reason="The database has what it said then, and will not get what it says now. Put it "
            f"back, and write the change as a new migration.{_diff(entry, code.path.read_bytes())}",
            next=(
                f"git cat-file blob {entry.git_blob} > {shlex.quote(path)}",
                f"{MANAGE} makemigrations {key[0]}",
            ),
        )


def _diff(entry: LedgerEntry, now: bytes) -> str:
    """Return the lines that changed since, each on a line; empty where git does not have them."""
    try:
        kept = Repository(project.root()).blobs([entry.git_blob], largest=len(now) + 100_000)
    except GitError:
        return ""
    then = kept.get(entry.git_blob)
    if not isinstance(then, bytes):
        return ""
    lines = difflib.ndiff(
        then.decode(errors="replace").splitlines(), now.decode(errors="replace").splitlines()
    )
    return "".join(f"\n{line}" for line in lines if line.startswith(("- ", "+ ")))


def drift_findings(database: str) -> Iterator[Finding]:
    """Yield a finding for each table that drifted, and one for what is beside the migrations."""
    found = find_drift(database)
    by_table: dict[tuple[str, str], list[Difference]] = {}
    for difference in found.differences:
        by_table.setdefault((difference.app, difference.table), []).append(difference)
    for (app, table), differences in by_table.items():
        yield Finding(
            "versioning.W015",
            Level.WARNING,
            app,
            "",
            f"The table {table} of the database {database!r} is not what the applied migrations "
            f"of {app} say: {'; '.join(map(str, differences))}.",
            reason="It was changed by hand, by another program, or by a migration that was faked "
            "or edited. Change it back; or write the change as a migration, and record that as "
            "applied.",
            next=(
                f"{MANAGE} makemigrations {app} --empty --name match_{table}",
                f"{MANAGE} migrate {app} --fake",
            ),
        )
    beside = [str(difference) for difference in found.beside]
    beside += [f"table {table} is in no migration" for table in found.others]
    if beside:
        yield Finding(
            "versioning.I004",
            Level.INFO,
            "",
            "",
            f"Not in the migrations' state, in the database {database!r}: {'; '.join(beside)}.",
            reason="Made by SQL of a migration, or by another program: no drift.",
        )
