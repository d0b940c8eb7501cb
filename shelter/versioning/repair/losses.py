"""What data goes when migrations are taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.apps.registry import Apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddField,
    AlterField,
    CreateModel,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.rows import whole_plan
from shelter.versioning.replay import CannotRunError, is_known, replay, steps_of


@dataclass(frozen=True, slots=True)
class Loss:
    """Data that goes when a ghost is taken back: what it is in, and how many rows have some.

    `model` is the app label and the name of the model as the applied migrations have it, `field`
    the name of the field, None for a whole table.
    """

    ghost: Key
    what: str
    rows: int
    model: tuple[str, str]
    field: str | None = None


class CannotTakeBackError(Exception):
    """Migrations cannot be taken back; the message says which, and why."""


def losses_of(loader: MigrationLoader, order: Sequence[Key], database: str) -> Iterator[Loss]:
    """Yield what data goes when `order`, the last applied first, is taken back.

    What an operation of Django's made is known. What other code does when it is reversed is its
    own. Nothing is changed. Raises CannotTakeBackError.
    """
    names = _Names(applied_models(loader))
    for key in order:
        for operation in reversed(loader.graph.nodes[key].operations):
            if not operation.reversible:
                raise CannotTakeBackError(
                    f"{'.'.join(key)} cannot be taken back: {operation.describe()} is irreversible."
                )
            yield from _lost(key, operation, names, connections[database])


def what_speaks_against_redoing(
    loader: MigrationLoader, order: Sequence[Key], database: str
) -> str | None:
    """Return why `order`, the last applied first, cannot be taken back and applied once more.

    None where that loses nothing: it is all Django's own operations, no row has anything in what
    they made, and no column that has something changes its type on the way.
    """
    connection = connections[database]
    try:
        losses = [loss for loss in losses_of(loader, order, database) if loss.rows]
    except CannotTakeBackError as error:
        return str(error)
    if losses:
        told = ", ".join(f"{loss.what} ({loss.rows:,} rows)" for loss in losses)
        return f"Data would go: {told}."
    names = _Names(applied_models(loader))
    for key in order:
        retyped = _retyped(loader, key, connection)
        for operation in reversed(loader.graph.nodes[key].operations):
            if not is_known(operation):
                return f"{'.'.join(key)} cannot be run twice for sure: {operation.describe()}."
            if operation in retyped:
                last = names.field(key[0], operation.model_name, operation.name)
                if last is not None and _has_data(last, connection):
                    return (
                        f"The type of {last.model._meta.db_table}.{last.column}, which has data, "
                        "would change back and forth."
                    )
            names.undo(key[0], operation)
    return None


def _retyped(
    loader: MigrationLoader, key: Key, connection: BaseDatabaseWrapper
) -> list[AlterField]:
    """Return the operations of a migration that change the type of a column."""
    found = []
    state = loader.project_state(key, at_end=False)
    for operation in loader.graph.nodes[key].operations:
        before = state.clone()
        operation.state_forwards(key[0], state)
        if isinstance(operation, AlterField):
            old, new = (
                each.apps.get_model(key[0], operation.model_name)._meta.get_field(operation.name)
                for each in (before, state)
            )
            if old.db_type(connection) != new.db_type(connection):
                found.append(operation)
    return found


def applied_models(loader: MigrationLoader) -> Apps:
    """Return the models as the applied migrations, ghosts included, leave them.

    Raises CannotTakeBackError where ghosts cannot come last.
    """
    state = ProjectState(real_apps=loader.unmigrated_apps)
    plan = whole_plan(loader)
    try:
        state = replay(
            state,
            steps_of(loader.graph.nodes[key] for key in plan if key in loader.applied_migrations),
        )
    except CannotRunError as error:
        raise CannotTakeBackError(
            f"What is to be taken back was changed since by migrations that stay applied. {error}."
        ) from error
    registry: Apps = state.apps
    return registry


@dataclass(slots=True)
class _Names:
    """What models and fields of an earlier point are called in the end; None for what is gone.

    Names are in lower case. What is not told was not touched since.
    """

    registry: Apps
    last_models: dict[Key, str | None] = field(default_factory=dict)
    last_fields: dict[tuple[str, str, str], str | None] = field(default_factory=dict)

    def model(self, app: str, name: str) -> type[models.Model] | None:
        """Return the model of that name as it is in the end."""
        last = self.last_models.get((app, name.lower()), name)
        return None if last is None else self.registry.get_model(app, last)

    def field(self, app: str, model: str, name: str) -> models.Field[object, object] | None:
        """Return the field of that name as it is in the end, if it has a place of its own."""
        end = self.model(app, model)
        if end is None or end._meta.model_name is None:
            return None
        last = self.last_fields.get((app, end._meta.model_name, name.lower()), name)
        found = None if last is None else end._meta.get_field(last)
        return found if isinstance(found, models.Field) else None

    def undo(self, app: str, operation: Operation) -> None:
        """Go back over an operation."""
        if isinstance(operation, RenameModel):
            old, new = (app, operation.old_name_lower), (app, operation.new_name_lower)
            self.last_models[old] = self.last_models.pop(new, operation.new_name)
        elif isinstance(operation, DeleteModel):
            self.last_models[app, operation.name_lower] = None
        elif isinstance(operation, CreateModel):
            self.last_models.pop((app, operation.name_lower), None)
        elif isinstance(operation, RenameField | RemoveField | AddField):
            end = self.model(app, operation.model_name)
            if end is not None and end._meta.model_name is not None:
                self._undo_field((app, end._meta.model_name), operation)

    def _undo_field(self, model: Key, operation: RenameField | RemoveField | AddField) -> None:
        if isinstance(operation, RenameField):
            last = self.last_fields.pop((*model, operation.new_name_lower), operation.new_name)
            self.last_fields[*model, operation.old_name_lower] = last
        elif isinstance(operation, RemoveField):
            self.last_fields[*model, operation.name_lower] = None
        else:
            self.last_fields.pop((*model, operation.name_lower), None)


def _lost(
    key: Key, operation: Operation, names: _Names, connection: BaseDatabaseWrapper
) -> Iterator[Loss]:
    app = key[0]
    if isinstance(operation, SeparateDatabaseAndState):
        for part in reversed(operation.database_operations):
            yield from _lost(key, part, names, connection)
        return
    if isinstance(operation, CreateModel):
        model = names.model(app, operation.name)
        if model is not None:
            yield _of_table(key, model, connection)
    elif isinstance(operation, AddField):
        added = names.field(app, operation.model_name, operation.name)
        if added is not None:
            yield from _of_field(key, added, connection)
    names.undo(app, operation)


def _of_field(
    key: Key, added: models.Field[object, object], connection: BaseDatabaseWrapper
) -> Iterator[Loss]:
    meta = added.model._meta
    if isinstance(added, models.ManyToManyField):
        through = added.remote_field.through
        if through is not None and through._meta.auto_created:
            yield _of_table(key, through, connection)
    elif added.column:
        yield Loss(
            key,
            f"column {meta.db_table}.{added.column}",
            _count(connection, meta.db_table, added.column),
            (meta.app_label, meta.object_name or ""),
            added.name,
        )


def _has_data(kept: models.Field[object, object], connection: BaseDatabaseWrapper) -> bool:
    return bool(kept.column) and _count(connection, kept.model._meta.db_table, kept.column) > 0


def _of_table(key: Key, model: type[models.Model], connection: BaseDatabaseWrapper) -> Loss:
    meta = model._meta
    rows = _count(connection, meta.db_table) if meta.can_migrate(connection) else 0
    return Loss(key, f"table {meta.db_table}", rows, (meta.app_label, meta.object_name or ""))


def _count(connection: BaseDatabaseWrapper, table: str, column: str | None = None) -> int:
    quote = connection.ops.quote_name
    where = "" if column is None else f" WHERE {quote(column)} IS NOT NULL"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {quote(table)}{where}")  # noqa: S608
        return int(cursor.fetchone()[0])
