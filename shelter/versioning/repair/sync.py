"""What brings a database to a checkout: a plan, with the code that takes ghosts back."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.history.migration import Key
from shelter.versioning.repair.losses import CannotTakeBackError, Loss


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
    """Django's loader, to which migrations from git are as if they lay on disk.

    They go after all else that is applied, as if they had been rebased: Django's executor takes a
    migration back from the state that those before it give, and SQLite would lose what is not in
    that state. `order` is theirs, the first applied first. `moves` are the rows of migrations that
    have another name by now.

    Raises CannotTakeBackError where something that is no ghost rests on one.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        ghosts: Mapping[Key, Migration],
        moves: Mapping[Key, Key],
    ) -> None:
        self.ghosts = ghosts
        self.order: list[Key] = []
        self._moves = moves
        super().__init__(connection)

    def load_disk(self) -> None:
        super().load_disk()
        self.disk_migrations.update(self.ghosts)

    def build_graph(self) -> None:
        super().build_graph()
        applied = self.applied_migrations
        self.applied_migrations = {self._moves.get(key, key): row for key, row in applied.items()}
        stay = [
            key
            for key in self.graph.nodes
            if key in self.applied_migrations and key not in self.ghosts
        ]
        for key in stay:
            for below in self.graph.forwards_plan(key):
                if below in self.ghosts:
                    raise CannotTakeBackError(
                        f"{'.'.join(key)} rests on {'.'.join(below)}, which is to be taken back."
                    )
        self.order = self._order()
        for before, ghost in pairwise((None, *self.order)):
            for key in stay if before is None else [before]:
                self.graph.add_dependency(None, ghost, key)

    def _order(self) -> list[Key]:
        """Return the ghosts as they were applied; after those they rest on, if that was renamed."""
        order: dict[Key, None] = {}
        # The stubs take a recorder's row for a migration.
        ids = {key: row.pk for key, row in self.applied_migrations.items()}  # type: ignore[attr-defined]
        for ghost in sorted(self.ghosts.keys() & ids.keys(), key=lambda key: ids[key]):
            order.update(dict.fromkeys(self.graph.forwards_plan(ghost)))
        return [key for key in order if key in self.ghosts]


def load_ghosts(ghosts: Sequence[Ghost], moves: Mapping[Key, Key]) -> dict[Key, Migration]:
    """Run the code of `ghosts` and return their migrations. Only with somebody's consent.

    Where they rest on one of the old names of `moves`, they rest on the new one then. Raises
    CannotSyncError for code that does not run in this checkout.
    """
    loaded = {ghost.key: _load(ghost) for ghost in ghosts}
    for migration in loaded.values():
        # As Django's own reading does, for the instance alone.
        vars(migration)["dependencies"] = [moves.get(key, key) for key in migration.dependencies]
    return loaded


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
