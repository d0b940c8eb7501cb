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
from shelter.versioning.ledger.provenance import CODE_IN_GIT
from shelter.versioning.ledger.squashes import Swap, SwappedLoader
from shelter.versioning.repair.losses import CannotTakeBackError, Loss


class CannotSyncError(Exception):
    """The database cannot be brought to this checkout; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Ghost:
    """A migration that is applied and in no file, and its code.

    `recorded`: the ledger of this very database says that this blob ran here. Else it was found by
    its name in git, and `commit`, `author` and `path` say whose it is and where. A squash goes with
    the rows of what it `replaces`.
    """

    key: Key
    source: bytes
    recorded: bool
    commit: str = ""
    author: str = ""
    path: str = ""
    replaces: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The steps, in order: rows put right, ghosts taken back (last first), the rest applied.

    `swaps` are the squashes whose rows are swapped, `renames` the rows that get another name.
    """

    database: str
    swaps: tuple[Swap, ...]
    renames: tuple[tuple[Key, Key], ...]
    ghosts: tuple[Ghost, ...]
    losses: tuple[Loss, ...]
    missing: tuple[Key, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.swaps or self.renames or self.ghosts or self.missing)


class GhostLoader(SwappedLoader):
    """Django's loader, to which migrations from git are as if they lay on disk.

    They go after all else that is applied, as if they had been rebased: Django's executor takes a
    migration back from the state that those before it give, and SQLite would lose what is not in
    that state. `order` is theirs, the first applied first. `moves` are the rows of migrations that
    have another name by now, `swaps` the squashes whose rows are still to be swapped.

    Raises CannotTakeBackError where something that is no ghost rests on one.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        ghosts: Mapping[Key, Migration],
        moves: Mapping[Key, Key],
        swaps: Sequence[Swap],
    ) -> None:
        self.ghosts = ghosts
        self.order: list[Key] = []
        self._moves = moves
        super().__init__(connection, swaps)

    def load_disk(self) -> None:
        super().load_disk()
        self.disk_migrations.update(self.ghosts)

    def build_graph(self) -> None:
        replaces = {key: migration.replaces for key, migration in self.ghosts.items()}
        for migration in self.ghosts.values():
            # Django would take it for applied by what it replaces, and it is by its own row.
            vars(migration)["replaces"] = []
        super().build_graph()
        for key, migration in self.ghosts.items():
            # By these the executor takes the rows away.
            vars(migration)["replaces"] = replaces[key]
        applied = self.applied_migrations
        self._rows = {self._moves.get(key, key): row for key, row in applied.items()}
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
        rows = self.applied_migrations
        ids = {key: rows[key].pk for key in self.ghosts.keys() & rows.keys()}
        for ghost in sorted(ids, key=lambda key: ids[key]):
            order.update(dict.fromkeys(self.graph.forwards_plan(ghost)))
        return [key for key in order if key in self.ghosts]


def load_ghosts(
    ghosts: Sequence[Ghost], moves: Mapping[Key, Key], swaps: Sequence[Swap]
) -> dict[Key, Migration]:
    """Run the code of `ghosts` and return their migrations. Only with somebody's consent.

    Where they rest on one of the old names of `moves`, they rest on the new one then; so they do on
    what is there for a squash, or is a squash for it. Raises CannotSyncError for code that does not
    run in this checkout.
    """
    instead: dict[Key, tuple[Key, ...]] = {old: (new,) for old, new in moves.items()}
    for swap in swaps:
        if swap.came:
            instead |= dict.fromkeys(swap.replaced, (swap.squash,))
        else:
            instead[swap.squash] = swap.replaced
    for ghost in ghosts:
        instead |= dict.fromkeys(ghost.replaces, (ghost.key,))
    loaded = {ghost.key: _load(ghost) for ghost in ghosts}
    for ghost in ghosts:
        migration = loaded[ghost.key]
        # As Django's own reading does, for the instance alone.
        vars(migration)["dependencies"] = [
            new for key in migration.dependencies for new in instead.get(key, (key,))
        ]
        vars(migration)["replaces"] = list(ghost.replaces)
        vars(migration)[CODE_IN_GIT] = ghost.source
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
