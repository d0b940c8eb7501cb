"""What would end badly, found before `migrate` runs."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence

from django.apps import apps
from django.db import connections, router
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from shelter.versioning import project
from shelter.versioning.checkout import check_checkout
from shelter.versioning.half_done import half_done_findings
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.executor import Plan
from shelter.versioning.ledger.keeping import path_in_git, visit
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.ledger.recording import latest_entries
from shelter.versioning.ledger.rows import ghosts, out_of_order, renamed
from shelter.versioning.ledger.squashes import Squashes, Swap, SwappedLoader, find_squashes
from shelter.versioning.report.commands import MANAGE, option
from shelter.versioning.report.findings import Finding, Level


def graph_findings(database: str) -> tuple[Finding, ...]:
    """Return what keeps Django from planning at all: conflicting leaves, and holes in the graph."""
    report = check_checkout(database=database)
    stopping = {"versioning.W001", "versioning.W002", "versioning.W003"}
    return tuple(finding for finding in report.findings if finding.id in stopping)


def history_findings(loader: MigrationLoader, database: str) -> tuple[Finding, ...]:
    """Return the rows of migrations that are applied before one that they depend on."""
    pairs = out_of_order(loader)
    return tuple(_inconsistent(child, parent, loader, database) for child, parent in pairs)


def _inconsistent(child: Key, parent: Key, loader: MigrationLoader, database: str) -> Finding:
    since = getattr(loader.applied_migrations[child], "applied", None)
    when = f", since {since:%Y-%m-%d %H:%M}" if since else ""
    target = f"{MANAGE} migrate {parent[0]} {parent[1]}{option(database)} --no-gate"
    return Finding(
        "versioning.W013",
        Level.ERROR,
        child[0],
        shown(loader.disk_migrations.get(child)),
        f"{'.'.join(child)} is applied in the database {database!r}{when}; "
        f"{'.'.join(parent)}, on which it depends, is not.",
        reason="So it comes about: the one was renamed or renumbered after it was applied, the "
        "dependency was added to a migration that was applied already, or rows were copied from "
        "another database. If the tables have what it makes, record it; if not, run it.",
        next=(f"{target} --fake", target),
    )


def plan_findings(loader: MigrationLoader, plan: Plan, database: str) -> tuple[Finding, ...]:
    """Return what speaks against carrying `plan` out in the database of that alias.

    Errors are reasons to stop; warnings are to be told.
    """
    swaps = find_squashes_of(database, loader.disk_migrations).swaps
    if swaps:
        loader = SwappedLoader(connections[database], swaps)
    moved = renamed(loader, latest_entries(database))
    return (
        *swap_findings(swaps, database),
        *half_done_findings(loader, plan, database),
        *_edited([migration for migration, backwards in plan if backwards], database),
        *renamed_findings(moved, database, Level.ERROR),
        *ghost_findings(loader, database, plan, besides=moved),
    )


def renamed_findings(
    moved: Mapping[Key, Key], database: str, level: Level = Level.WARNING
) -> Iterator[Finding]:
    """Yield what was applied under a name that it no longer has: old names and new ones."""
    for old, new in moved.items():
        app, name = new
        yield Finding(
            "versioning.W018",
            level,
            app,
            "",
            f"{app}.{old[1]}, applied in the database {database!r}, is {name} in this checkout.",
            reason="Somebody rebased it. What it does is the same, so that it is to be recorded "
            "under its new name, and not run again.",
            next=(f"{MANAGE} dbsync{option(database)}",),
        )


def files_here() -> dict[Key, Migration]:
    """Return the migrations of this checkout's files. Raises BadMigrationError."""
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    files: dict[Key, Migration] = loader.disk_migrations
    return files


def find_squashes_of(database: str, files: Mapping[Key, Migration] | None = None) -> Squashes:
    """Return the squashes that came or went between a database and `files`, by default all here."""
    return find_squashes(files_here() if files is None else files, database, project.root())


def swap_findings(swaps: Sequence[Swap], database: str) -> Iterator[Finding]:
    """Yield what is told of squashes that came or went.

    As an error where `migrate` would run what was run already, or leave out what was not.
    """
    for swap in swaps:
        app, name = swap.squash
        squash = f"{app}.{name}"
        named = _named(swap.replaced, app)
        here = f"in the database {database!r}"
        commands: tuple[str, ...] = (f"{MANAGE} dbsync{option(database)}",)
        reason = "The tables are the same. Other rows are to be recorded for them, and nothing run."
        if swap.lacking:
            message = (
                f"{squash} stands for {named}, of which {_named(swap.lacking, app)} "
                f"{'are' if len(swap.lacking) > 1 else 'is'} not applied {here}, and in no file of "
                "this checkout."
            )
            reason, commands = _way_over(swap, database)
        elif swap.edited:
            message = f"{squash} was edited since its file said that it replaces {named}."
            reason = (
                "Whether it does what they did cannot be told. Look at its versions; if it does, "
                "record by hand what this checkout has, and take off the record what it has not."
            )
            path = shlex.quote(f":(top,glob)**/{path_in_git(swap.squash)}")
            target = swap.squash if swap.came else swap.replaced[-1]
            alias = option(database)
            record = f"{MANAGE} migrate {' '.join(target)} --fake --no-gate{alias}"
            commands = (
                f"git log -p --all -- {path}",
                *((record,) if swap.new else ()),
                f"{MANAGE} migrate {app} --prune{alias}",
            )
        elif not swap.came:
            message = f"{squash} is applied {here}; this checkout has what it replaces: {named}."
        elif swap.gone:
            message = f"{squash} of this checkout stands for what is applied {here}: {named}."
        else:
            message = (
                f"{squash} is applied {here}, and the rows of what it replaces are gone: {named}."
            )
        grave = swap.new or not swap.can_be_done
        yield Finding(
            "versioning.W019",
            Level.ERROR if grave else Level.WARNING,
            app,
            "",
            message,
            reason=reason,
            next=commands,
        )


def _named(keys: Sequence[Key], app: str) -> str:
    """Return migrations by name, those of other apps than `app` with their app."""
    return ", ".join(key[1] if key[0] == app else ".".join(key) for key in keys)


def _way_over(swap: Swap, database: str) -> tuple[str, tuple[str, ...]]:
    """Return why a squash that is applied in part is no use, and what to type to apply the rest."""
    danger = (
        "It can neither be run, as the tables are there, nor be taken for applied: what is not "
        "applied would be left out."
    )
    way = visit(swap.lacking[-1], project.root())
    if way is None:
        return f"{danger} Put its files back, and migrate; git has no commit with them here.", ()
    away, back = way
    last = dict(swap.lacking)
    alias = option(database)
    return (
        f"{danger} Apply it with the files of a commit that has them.",
        (
            *away,
            *(f"{MANAGE} migrate {app} {name}{alias}" for app, name in last.items()),
            *back,
            f"{MANAGE} {'migrate' if swap.in_file else 'dbsync'}{alias}",
        ),
    )


def _edited(reversed_ones: Sequence[Migration], database: str) -> Iterator[Finding]:
    if not reversed_ones:
        return
    entries = latest_entries(database)
    for migration in reversed_ones:
        entry = entries.get((migration.app_label, migration.name))
        code = code_of(migration)
        if entry is None or not entry.fingerprint or entry.fingerprint == code.fingerprint:
            continue
        path = shown(migration)
        yield Finding(
            "versioning.W012",
            Level.ERROR,
            migration.app_label,
            path,
            f"{migration.app_label}.{migration.name} was edited after it was applied in the "
            f"database {database!r}. Taking it back would undo what it says now, not what it did.",
            reason=f"Applied {entry.started:%Y-%m-%d %H:%M} from commit "
            f"{entry.git_commit[:10] or 'unknown'}, blob {entry.git_blob[:10]}. Put that version "
            "back, unapply it, then take the edited one again.",
            next=(
                f"git diff {entry.git_blob} {shlex.quote(path)}",
                f"git cat-file blob {entry.git_blob} > {shlex.quote(path)}",
            ),
        )


def ghost_findings(
    loader: MigrationLoader, database: str, plan: Plan = (), *, besides: Collection[Key] = ()
) -> tuple[Finding, ...]:
    """Return the ghosts of a database, by app, besides those of which something else is told.

    As an error where this code could not add rows, or `plan` could lose what they made.
    """
    by_app: dict[str, list[str]] = {}
    for app, name in (key for key in ghosts(loader) if key not in besides):
        by_app.setdefault(app, []).append(name)
    if not by_app:
        return ()
    strange = _strange_columns(loader, by_app, database)
    entries = latest_entries(database)
    # SQLite makes a table anew when it changes, and Django without what its models do not know.
    remade = (
        {migration.app_label for migration, backwards in plan if not backwards}
        if connections[database].vendor == "sqlite"
        else set()
    )
    return tuple(
        _ghosts_of(
            app,
            names,
            needed=[column for column, needed in strange.get(app, []) if needed],
            endangered=[
                column for column, needed in strange.get(app, []) if not needed and app in remade
            ],
            entries=entries,
            database=database,
        )
        for app, names in by_app.items()
    )


def _ghosts_of(
    app: str,
    names: Sequence[str],
    *,
    needed: Sequence[str],
    endangered: Sequence[str],
    entries: Mapping[Key, LedgerEntry],
    database: str,
) -> Finding:
    many = len(names) > 1
    message = (
        f"{', '.join(f'{app}.{name}' for name in names)} {'are' if many else 'is'} applied in the "
        f"database {database!r}, and in no file of this checkout."
    )
    if needed:
        message += (
            f" {', '.join(needed)} may not be NULL and {'have' if len(needed) > 1 else 'has'} no "
            "default, and this code does not know of it: it cannot add a row there."
        )
    if endangered:
        message += (
            f" {', '.join(endangered)} could be lost: SQLite makes a table anew when a migration "
            "changes it, without what this code does not know of."
        )
    origins = [
        _origin((app, name), entry)
        for name in names
        if (entry := entries.get((app, name))) and (entry.git_branch or entry.git_commit)
    ]
    branches = [
        entry.git_branch
        for name in names
        if (entry := entries.get((app, name))) and entry.git_branch
    ]
    origins.append(
        "Go back to the code that has them, or take them back here: it shows first what "
        "data would go."
    )
    back = (f"git switch {shlex.quote(branches[-1])}",) if branches else ()
    return Finding(
        "versioning.W011" if needed or endangered else "versioning.W010",
        Level.ERROR if needed or endangered else Level.WARNING,
        app,
        "",
        message,
        reason=" ".join(origins),
        next=(*back, f"{MANAGE} dbsync{option(database)}"),
    )


def _origin(key: Key, entry: LedgerEntry) -> str:
    """Return where a ghost came from, in a sentence: branch, commit, author, and when."""
    branch, head = entry.git_branch, entry.git_commit
    places = ["refs/heads/", "refs/remotes/origin/"] if branch else []
    revisions = [place + branch for place in places] + ([head] if head else [])
    try:
        commit = Repository(project.root()).beside_head(path_in_git(key), revisions)
    except GitError:
        # The code may run where there is no repository: the ledger alone tells, then.
        commit = None
    if commit:
        made = f"commit {commit.id[:10]} of {commit.author}"
    else:
        made = f"commit {head[:10]}" if head else ""
    place = f"{branch} ({made})" if branch and made else branch or made
    return f"{key[1]} came from {place} and was applied on {entry.started:%Y-%m-%d %H:%M}."


def _strange_columns(
    loader: MigrationLoader, by_app: Mapping[str, object], database: str
) -> dict[str, list[tuple[str, bool]]]:
    """Return, by app, the columns that no known migration made, and whether every row needs one."""
    connection = connections[database]
    known = loader.project_state(
        [key for key in loader.applied_migrations if key in loader.graph.nodes]
    )
    introspection = connection.introspection
    found: dict[str, list[tuple[str, bool]]] = {}
    with connection.cursor() as cursor:
        tables = set(introspection.table_names(cursor))
        for model in apps.get_models(include_auto_created=True):
            meta = model._meta
            if (
                meta.app_label not in by_app
                or not meta.can_migrate(connection)
                or not router.allow_migrate_model(database, model)
                or meta.db_table not in tables
            ):
                continue
            columns = {field.column for field in meta.local_concrete_fields}
            state = known.models.get((meta.app_label, meta.model_name or ""))
            if state is not None:
                before = known.apps.get_model(meta.app_label, meta.object_name)
                columns |= {field.column for field in before._meta.local_concrete_fields}
            found.setdefault(meta.app_label, []).extend(
                (f"{meta.db_table}.{column.name}", not column.null_ok and column.default is None)
                for column in introspection.get_table_description(cursor, meta.db_table)
                if column.name not in columns
            )
    return found


def shown(migration: Migration | None) -> str:
    """Return a migration's file as people type it; empty where it has none."""
    path = None if migration is None else code_of(migration).path
    if path is None:
        return ""
    root = project.root()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
