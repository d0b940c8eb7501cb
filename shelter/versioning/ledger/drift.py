"""Whether a database's tables are what its applied migrations say."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import RunSQL
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Model

from shelter.versioning.ledger.schema import Table, read_tables

_OURS = {"django_migrations", "versioning_ledger"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the applied migrations say.

    `what` is `table`, `column`, `index` or `constraint`; `name` is that of a column, and else
    empty. `expected` and `actual` are definitions as the database writes them, None where the thing
    is missing on that side.
    """

    app: str
    table: str
    what: str
    name: str
    expected: str | None
    actual: str | None

    def __str__(self) -> str:
        subject = f"{self.what} {self.table}{f'.{self.name}' if self.name else ''}"
        if self.actual is None:
            return f"{subject} is missing{_of(self.expected)}"
        if self.expected is None:
            return f"{subject} is in no migration{_of(self.actual)}"
        return f"{subject} is {self.actual}, and should be {self.expected}"


def _of(definition: str | None) -> str:
    return f": {definition}" if definition else ""


@dataclass(frozen=True, slots=True)
class Drift:
    """How a database differs from its migrations; what SQL of migrations made stands apart.

    `beside` is not in the migrations' state, and named in their SQL, so that it is no drift;
    `others` are the tables that no migration of an installed app knows.
    """

    differences: tuple[Difference, ...]
    beside: tuple[Difference, ...]
    others: tuple[str, ...]


def find_drift(alias: str) -> Drift:
    """Return how the tables of a database differ from what its applied migrations say.

    The expected tables are made from the models' state by the same backend, in a place of their own
    that is thrown away, and read by the same code as the live ones, of which nothing is changed.
    Raises DatabaseError where that place cannot be made, NotImplementedError for another backend
    than PostgreSQL, SQLite, MySQL and MariaDB.
    """
    connection = connections[alias]
    loader = MigrationLoader(connection)
    applied = [key for key in loader.applied_migrations if key in loader.graph.nodes]
    models = models_of(loader.project_state(applied), alias)
    migrated = loader.migrated_apps
    owners = {
        model._meta.db_table: model._meta.app_label
        for model in models
        if model._meta.app_label in migrated
    }
    # Those of apps without migrations are made too: others refer to them.
    expected = expected_tables(connection, models, owners)
    actual = read_tables(connection, owners)
    differences = list(_differences(owners, expected, actual))
    sql = " ".join(_sql_of(loader.graph.nodes[key].operations for key in applied)).lower()
    beside = [found for found in differences if _is_beside(found, actual, sql)]
    known = {model._meta.db_table for model in models}
    return Drift(
        tuple(found for found in differences if found not in beside),
        tuple(beside),
        tuple(sorted(set(connection.introspection.table_names()) - known - _OURS)),
    )


def models_of(state: ProjectState, alias: str) -> list[type[Model]]:
    """Return the models of a state that have a table of their own in the database `alias`."""
    return [
        model
        for model in state.apps.get_models(include_auto_created=True)
        if model._meta.managed
        and not model._meta.proxy
        and not model._meta.swapped
        and router.allow_migrate_model(alias, model)
    ]


def expected_tables(
    connection: BaseDatabaseWrapper, models: Iterable[type[Model]], names: Collection[str]
) -> dict[str, Table]:
    """Return those of the tables `names` that Django would make of `models`.

    They are made in a place that is thrown away. Raises as `find_drift`.
    """
    with _scratch(connection) as scratch:
        _make(scratch, models)
        return read_tables(scratch, names)


def _make(connection: BaseDatabaseWrapper, models: Iterable[type[Model]]) -> None:
    with connection.schema_editor() as editor:
        for model in models:
            # Of a relation's table, the model that has the relation takes care.
            if not model._meta.auto_created:
                editor.create_model(model)


# --- A place of their own ------------------------------------------------------------------------


@contextmanager
def _scratch(connection: BaseDatabaseWrapper) -> Iterator[BaseDatabaseWrapper]:
    """Give a connection that makes and finds tables in a place that is thrown away afterwards."""
    places = {"postgresql": _scratch_schema, "sqlite": _memory, "mysql": _scratch_database}
    if connection.vendor not in places:
        raise NotImplementedError(f"Drift cannot be seen on {connection.display_name}.")
    with closing(connection.copy()) as other:
        other.settings_dict["OPTIONS"].pop("pool", None)
        with places[connection.vendor](other):
            yield other


@contextmanager
def _memory(connection: BaseDatabaseWrapper) -> Iterator[None]:
    connection.settings_dict["NAME"] = ":memory:"
    # In memory there is no journal to choose.
    connection.settings_dict["OPTIONS"].pop("init_command", None)
    yield


@contextmanager
def _scratch_schema(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Work in a schema that is never committed, on PostgreSQL."""
    name = _scratch_name()
    connection.set_autocommit(False)
    # Where a transaction was begun by hand, Django's own become savepoints in it.
    connection.in_atomic_block = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {name}")
            # Types and functions of extensions are found where they are.
            cursor.execute("SELECT current_setting('search_path')")
            path = cursor.fetchone()[0]
            cursor.execute(f"SET LOCAL search_path TO {name}, {path}")
        yield
    finally:
        connection.in_atomic_block = False
        connection.rollback()


@contextmanager
def _scratch_database(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Work in a database of its own, on MySQL and MariaDB."""
    name = _scratch_name()
    quoted = connection.ops.quote_name(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT @@character_set_database, @@collation_database")
        charset, collation = cursor.fetchone()
        cursor.execute(f"CREATE DATABASE {quoted} CHARACTER SET {charset} COLLATE {collation}")
        try:
            cursor.execute(f"USE {quoted}")
            yield
        finally:
            cursor.execute(f"DROP DATABASE {quoted}")


def _scratch_name() -> str:
    return f"versioning_scratch_{os.getpid()}_{os.urandom(4).hex()}"


# --- Comparing -----------------------------------------------------------------------------------


def _differences(
    owners: Mapping[str, str], expected: Mapping[str, Table], actual: Mapping[str, Table]
) -> Iterator[Difference]:
    for table, app in sorted(owners.items()):
        if table not in actual:
            yield Difference(app, table, "table", "", "", None)
            continue
        # A table that the scratch place does not have is a fault of this module.
        wanted, found = expected[table], actual[table]
        for column in sorted(wanted.columns.keys() | found.columns.keys()):
            should, does = wanted.columns.get(column), found.columns.get(column)
            if should != does:
                yield Difference(app, table, "column", column, should, does)
        for what, ours, theirs in (
            ("index", wanted.indexes, found.indexes),
            ("constraint", wanted.constraints, found.constraints),
        ):
            yield from _missing(app, table, what, ours - theirs, theirs - ours)


def _missing(
    app: str, table: str, what: str, missing: Counter[str], surplus: Counter[str]
) -> Iterator[Difference]:
    for definition in sorted(missing.elements()):
        yield Difference(app, table, what, "", definition, None)
    for definition in sorted(surplus.elements()):
        yield Difference(app, table, what, "", None, definition)


def _is_beside(found: Difference, actual: Mapping[str, Table], sql: str) -> bool:
    """Return whether a thing too many is named in the SQL of applied migrations."""
    if found.expected is not None or found.actual is None:
        return False
    names: Collection[str] = (
        [found.name] if found.name else actual[found.table].names.get(found.actual, ())
    )
    return any(name and name.lower() in sql for name in names)


def _sql_of(groups: Iterable[Iterable[Operation]]) -> Iterator[str]:
    for operations in groups:
        for operation in operations:
            yield from _sql_of([getattr(operation, "database_operations", ())])
            if isinstance(operation, RunSQL):
                yield from _texts(operation.sql)


def _texts(sql: Any) -> Iterator[str]:
    if isinstance(sql, str):
        yield sql
        return
    for statement in sql:
        yield statement if isinstance(statement, str) else str(statement[0])
