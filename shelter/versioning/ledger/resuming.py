"""From where a migration that was stopped half way can be carried on.

Of the statement that ran when a process died, its journal knows that it may have been carried out.
Where the operation is one of Django's own, the tables tell: they are as before it, or as after it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import Model

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.drift import expected_tables, models_of
from shelter.versioning.ledger.journal import Progress
from shelter.versioning.ledger.schema import Table, read_tables
from shelter.versioning.replay import CannotRunError, is_known, replay


def resume_from(
    progress: Progress,
    migration: Migration,
    loader: MigrationLoader,
    applied: Collection[Key],
    connection: BaseDatabaseWrapper,
) -> Progress | None:
    """Return the progress with which a migration that was stopped is to be carried on.

    At the beginning of a step, which the tables may tell. None where they do not. `progress` is
    what the ledger has of `migration`; `applied` are the migrations of the loader's graph whose
    tables are there. Nothing is changed, though a place may be made to compare the tables with
    (`ledger.drift`).
    """
    if progress.can_go_on:
        return progress.at_its_step()
    count, done = len(progress.steps), progress.done
    # Backwards, the last operation is the first step.
    place = count - 1 - done if progress.backwards else done
    if not is_known(migration.operations[place]):
        return None
    key = (migration.app_label, migration.name)
    others = [each for each in applied if each in loader.graph.nodes and each != key]
    steps = [(migration.app_label, operation) for operation in migration.operations]
    try:
        without = replay(loader.project_state(others), steps[:place])
        with_it = replay(without, steps[place : place + 1])
    except CannotRunError:
        return None
    before, after = (with_it, without) if progress.backwards else (without, with_it)
    try:
        has_run = _has_run(before, after, connection)
    except (DatabaseError, NotImplementedError):
        # No place to compare with can be made: the rights to do so may be lacking.
        return None
    if has_run is None:
        return None
    return replace(progress, done=done + has_run, statements=(), running="")


def _has_run(
    before: ProjectState, after: ProjectState, connection: BaseDatabaseWrapper
) -> bool | None:
    """Return whether the tables are as in `after`; None where they are as in neither state."""
    earlier, later = models_of(before, connection.alias), models_of(after, connection.alias)
    if _comments(earlier) != _comments(later):
        # They are statements of their own, and nothing reads them.
        return None
    old, new = (
        expected_tables(connection, models, {model._meta.db_table for model in models})
        for models in (earlier, later)
    )
    tables = read_tables(connection, old.keys() | new.keys())
    # Of tables that are the same, the names of indexes and constraints may differ by the way that
    # they came about: names are looked at where nothing else differs between the two states.
    for parts in (dict, _names):
        wanted = {True: parts(new), False: parts(old)}
        changed = [
            part
            for part in wanted[True].keys() | wanted[False].keys()
            if wanted[True].get(part) != wanted[False].get(part)
        ]
        if changed:
            actual = parts(tables)
            return next(
                (
                    has_run
                    for has_run, those in wanted.items()
                    if all(actual.get(part) == those.get(part) for part in changed)
                ),
                None,
            )
    return None


def _names(tables: Mapping[str, Table]) -> dict[Any, Any]:
    """Return the names of indexes and constraints, by their tables and definitions."""
    return {
        (table, definition): names
        for table, parts in tables.items()
        for definition, names in parts.names.items()
    }


def _comments(models: Sequence[type[Model]]) -> set[tuple[str, str, str]]:
    """Return the comments in the database: table, column (empty for the table's own), text."""
    found: set[tuple[str, str, str]] = set()
    for model in models:
        meta = model._meta
        found.add((meta.db_table, "", meta.db_table_comment or ""))
        found |= {
            (meta.db_table, field.column or "", field.db_comment or "")
            for field in meta.local_concrete_fields
        }
    return {comment for comment in found if comment[2]}
