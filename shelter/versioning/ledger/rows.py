"""What the rows of applied migrations say beside the files: a loader's view of both."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from django.apps import apps
from django.db import DatabaseError, connections
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry, Outcome
from shelter.versioning.ledger.marks import database_is_there
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.replay import CannotRunError, replay, same, steps_of


def ghosts(loader: MigrationLoader) -> list[Key]:
    """Return what is applied and in no file, of the apps that are installed, sorted."""
    return ghosts_of(loader.disk_migrations, loader.applied_migrations)


def ghosts_of(files: Mapping[Key, Migration], applied: Collection[Key]) -> list[Key]:
    """Return the ghosts among `applied`: what is not in `files`, nor replaced by one of them."""
    replaced = {(app, name) for migration in files.values() for app, name in migration.replaces}
    labels = {config.label for config in apps.get_app_configs()}
    return sorted(key for key in set(applied) - set(files) - replaced if key[0] in labels)


def unfinished_squashes(loader: MigrationLoader) -> list[Key]:
    """Return the squashes of which something that they replace is not applied."""
    return [
        key
        for key, migration in loader.replacements.items()
        if not all(replaced in loader.applied_migrations for replaced in migration.replaces)
    ]


def whole_plan(loader: MigrationLoader) -> list[Key]:
    """Return all migrations, in the order in which `migrate` would apply them to no tables."""
    graph = loader.graph
    # Each app's leaves are its targets.
    return list(
        dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    )


def not_applied(loader: MigrationLoader) -> list[Key]:
    """Return what `migrate` would apply, in its order."""
    return [key for key in whole_plan(loader) if key not in loader.applied_migrations]


def out_of_order(loader: MigrationLoader) -> list[tuple[Key, Key]]:
    """Return what is applied, and what it depends on and is not, as pairs, sorted.

    By the rule of Django 5.2's `MigrationLoader.check_consistent_history()`.
    """
    applied = loader.applied_migrations
    found = []
    for key in sorted(set(applied) & set(loader.graph.nodes)):
        for parent in sorted(node.key for node in loader.graph.node_map[key].parents):
            squash = loader.replacements.get(parent)
            replaced = squash is not None and all(name in applied for name in squash.replaces)
            if parent not in applied and not replaced:
                found.append((key, parent))
    return found


def applied_migrations(alias: str) -> set[Key] | None:
    """Return what the database `alias` has applied; None where it does not answer."""
    if not database_is_there(alias):
        return set()
    try:
        return set(MigrationRecorder(connections[alias]).applied_migrations())
    except DatabaseError:
        return None


def renamed(loader: MigrationLoader, entries: Mapping[Key, LedgerEntry]) -> dict[Key, Key]:
    """Return ghosts whose code is in a file of another name that is not applied, and that file.

    Not where two people wrote the same and the other's can no longer be applied around it, nor
    where it was stopped half way: its tables are not what a row says.
    """
    unapplied: dict[tuple[str, str], list[Key]] = {}
    for key, migration in loader.disk_migrations.items():
        if key not in loader.applied_migrations:
            mark = code_of(migration).fingerprint
            unapplied.setdefault((key[0], mark), []).append(key)
    found = {}
    for key in ghosts(loader):
        entry = entries.get(key)
        if entry is None or not entry.fingerprint or entry.outcome == Outcome.STARTED:
            continue
        same = unapplied.get((key[0], entry.fingerprint), [])
        # Of two alike nobody can tell which it is.
        if len(same) == 1:
            found[key] = same[0]
    fitting: dict[Key, Key] = {}
    for key, new in found.items():
        if _fits(loader, {**fitting, key: new}):
            fitting[key] = new
    return fitting


def _fits(loader: MigrationLoader, moves: Mapping[Key, Key]) -> bool:
    """Return whether, with rows so renamed, applying the rest ends where the files' order does."""
    applied = {moves.get(key, key) for key in loader.applied_migrations}
    plan = whole_plan(loader)
    return ends_as(loader, sorted(plan, key=lambda key: key not in applied), plan)


def ends_as(loader: MigrationLoader, order: Sequence[Key], wanted: Sequence[Key]) -> bool:
    """Return whether migrations can be applied in one order, and end where another one does."""
    pairs = zip(order, wanted, strict=True)
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    base = ProjectState(real_apps=loader.unmigrated_apps)
    for key in order[:alike]:
        loader.graph.nodes[key].mutate_state(base, preserve=False)
    try:
        one, two = (
            replay(base, steps_of(loader.graph.nodes[key] for key in each[alike:]))
            for each in (order, wanted)
        )
    except CannotRunError:
        return False
    return same(one, two)
