"""What brings a database to a checkout: a plan, with the code that takes ghosts back."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType

from django.apps.registry import Apps
from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField, CreateModel
from django.db.migrations.operations.base import Operation

from shelter.versioning.history.migration import Key


class CannotSyncError(Exception):
    """The database cannot be brought to this checkout; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ghost:
    """A migration that is applied and in no file, and its code.

    `recorded`: the ledger of this very database says that this blob ran here. Else it was found by
    its name in git, and `commit` and `author` say whose it is.
    """

    key: Key
    source: bytes
    recorded: bool
    commit: str = ""
    author: str = ""


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


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The steps, in order: rows renamed, ghosts taken back (last first), the rest applied."""

    database: str
    renames: tuple[tuple[Key, Key], ...]
    ghosts: tuple[Ghost, ...]
    losses: tuple[Loss, ...]
    missing: tuple[Key, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.renames or self.ghosts or self.missing)


class GhostLoader(MigrationLoader):
    """Django's loader, to which migrations from git are as if they lay on disk."""

    def __init__(self, connection: BaseDatabaseWrapper, ghosts: Mapping[Key, Migration]) -> None:
        self._ghosts = ghosts
        super().__init__(connection)

    def load_disk(self) -> None:
        super().load_disk()
        self.disk_migrations.update(self._ghosts)


def load_ghosts(ghosts: Sequence[Ghost]) -> dict[Key, Migration]:
    """Run the code of `ghosts` and return their migrations. Only with somebody's consent.

    Raises CannotSyncError for code that does not run in this checkout.
    """
    return {ghost.key: _load(ghost) for ghost in ghosts}


def _load(ghost: Ghost) -> Migration:
    app, name = ghost.key
    package, _ = MigrationLoader.migrations_module(app)
    module = ModuleType(f"{package}.{name}")
    module.__package__ = package
    try:
        # Relative imports are looked up in it.
        importlib.import_module(str(package))
        exec(compile(ghost.source, f"<{app}.{name} in git>", "exec"), module.__dict__)  # noqa: S102
        migration: Migration = module.Migration(name, app)
    except Exception as error:
        raise CannotSyncError(
            f"{app}.{name}, which is to be taken back, does not run in this checkout: "
            f"{type(error).__name__}: {error}"
        ) from error
    sys.modules.setdefault(module.__name__, module)
    return migration


def order_of(loader: MigrationLoader, ghosts: Sequence[Ghost]) -> list[Key]:
    """Return the ghosts, the last applied first, so that none is needed by one after it.

    Raises CannotSyncError where something that is no ghost rests on one.
    """
    keys = {ghost.key for ghost in ghosts}
    order: dict[Key, None] = {}
    for key in sorted(keys):
        for above in loader.graph.backwards_plan(key):
            if above not in loader.applied_migrations:
                continue
            if above not in keys:
                raise CannotSyncError(
                    f"{'.'.join(above)} rests on {'.'.join(key)}, which is to be taken back."
                )
            order.setdefault(above)
    placed: list[Key] = []
    for key in order:
        below = loader.graph.forwards_plan(key)
        # Before the first one that it rests on.
        at = next((i for i, other in enumerate(placed) if other in below), len(placed))
        placed.insert(at, key)
    return placed


def losses_of(loader: MigrationLoader, order: Sequence[Key], database: str) -> Iterator[Loss]:
    """Yield what data goes when `order` is taken back; nothing is changed.

    Raises CannotSyncError for an operation that cannot be reversed.
    """
    connection = connections[database]
    registry = applied_models(loader)
    for key in order:
        migration = loader.graph.nodes[key]
        for operation in migration.operations:
            if not operation.reversible:
                raise CannotSyncError(
                    f"{'.'.join(key)} cannot be taken back: {operation.describe()} is "
                    "irreversible. Nothing was changed. Go to its branch, or begin with a new "
                    "database."
                )
            yield from _lost(key, operation, registry, connection)


def applied_models(loader: MigrationLoader) -> Apps:
    """Return the models as the applied migrations, ghosts included, leave them."""
    applied = [key for key in loader.applied_migrations if key in loader.graph.nodes]
    registry: Apps = loader.project_state(applied).apps
    return registry


def _lost(
    key: Key, operation: Operation, registry: Apps, connection: BaseDatabaseWrapper
) -> Iterator[Loss]:
    try:
        if isinstance(operation, CreateModel):
            yield _of_table(key, registry.get_model(key[0], operation.name), connection)
        elif isinstance(operation, AddField):
            model = registry.get_model(key[0], operation.model_name)
            field = model._meta.get_field(operation.name)
            if isinstance(field, models.ManyToManyField):
                if field.remote_field.through is not None:
                    yield _of_table(key, field.remote_field.through, connection)
            elif isinstance(field, models.Field) and field.column:
                table = model._meta.db_table
                yield Loss(
                    key,
                    f"column {table}.{field.column}",
                    _count(connection, table, field.column),
                    (model._meta.app_label, model._meta.object_name or ""),
                    field.name,
                )
    except LookupError:
        # A later ghost took it away again.
        return


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
