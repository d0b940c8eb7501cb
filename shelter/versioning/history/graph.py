"""The graph over migrations: what depends on what, where it ends and where it forks.

The rules are those of Django 5.2's `MigrationLoader.build_graph()` and `MigrationGraph`, which the
tests hold it to. What makes Django raise is a value here: a dependency that no file provides, a
circle. So several leaves can be told also where Django stops before it sees them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from shelter.versioning.history.migration import FIRST, LATEST, Key, Migration


@dataclass(frozen=True, slots=True)
class Missing:
    """A dependency that no file provides: `key`, as named by the migration `origin`."""

    origin: Key
    key: Key


@dataclass(frozen=True, slots=True)
class Side:
    """A branch side: what leads from the fork to one leaf, in the order of application."""

    leaf: Key
    migrations: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Several leaves of one app: the last ancestors they have in common, and a side each."""

    app: str
    base: tuple[Key, ...]
    sides: tuple[Side, ...]


class Graph:
    """Migrations and their edges, after squashes took the place of what they replace."""

    def __init__(
        self,
        migrations: Mapping[Key, Migration],
        parents: Mapping[Key, frozenset[Key]],
        missing: tuple[Missing, ...],
    ) -> None:
        self.migrations = migrations
        self.parents = parents
        self.missing = missing
        children: dict[Key, set[Key]] = {key: set() for key in parents}
        for key, above in parents.items():
            for parent in above:
                children[parent].add(key)
        self.children: Mapping[Key, frozenset[Key]] = {
            key: frozenset(below) for key, below in children.items()
        }

    def leaves(self, app: str | None = None) -> list[Key]:
        """Return the migrations without a child in their own app, sorted; of `app` alone if given.

        As `MigrationGraph.leaf_nodes()`.
        """
        return _ends(self.children, app)

    def roots(self, app: str | None = None) -> list[Key]:
        """Return the migrations without a parent in their own app, sorted; of `app` alone if given.

        As `MigrationGraph.root_nodes()`.
        """
        return _ends(self.parents, app)

    def conflicts(self) -> dict[str, tuple[str, ...]]:
        """Return the apps with several leaves, sorted, and the leaves' names.

        As `MigrationLoader.detect_conflicts()`.
        """
        leaves: dict[str, list[str]] = {}
        for app, name in self.leaves():
            leaves.setdefault(app, []).append(name)
        return {app: tuple(names) for app, names in leaves.items() if len(names) > 1}

    def forwards_plan(self, target: Key) -> list[Key]:
        """Return what must be applied for `target`, in order, ending with it.

        As `MigrationGraph.forwards_plan()`. Raises KeyError for an unknown target.
        """
        return _depth_first(target, self.parents)

    def backwards_plan(self, target: Key) -> list[Key]:
        """Return what must be taken back with `target`, in order, ending with it.

        As `MigrationGraph.backwards_plan()`. Raises KeyError for an unknown target.
        """
        return _depth_first(target, self.children)

    def fork(self, app: str) -> Fork:
        """Return where the leaves of `app` part, and the sides that lead to them.

        The base is empty where the leaves have no common ancestor in their app, and has several
        entries where they were merged and parted again crosswise.
        """
        leaves = self.leaves(app)
        plans = [self.forwards_plan(leaf) for leaf in leaves]
        # A leaf can come before another one by way of another app; it has a side all the same.
        common = set(plans[0]).intersection(*plans[1:]).difference(leaves) if plans else set()
        base: list[Key] = []
        covered: set[Key] = set()
        # Later ones first: what a later one rests on is no last ancestor.
        for key in reversed(plans[0] if plans else []):
            if key in common and key[0] == app and key not in covered:
                base.append(key)
                covered.update(self.forwards_plan(key))
        return Fork(
            app,
            tuple(sorted(base)),
            tuple(
                Side(leaf, tuple(key for key in plan if key[0] == app and key not in common))
                for leaf, plan in zip(leaves, plans, strict=True)
            ),
        )

    def circle(self) -> tuple[Key, ...]:
        """Return migrations that depend on one another in a circle, none when there is no circle.

        Where this is empty Django's `ensure_not_cyclic()` passes.
        """
        done: set[Key] = set()
        for start in sorted(self.parents):
            path: list[Key] = [start]
            on_path = {start}
            pending = [iter(sorted(self.children[start]))]
            while pending and start not in done:
                child = next(pending[-1], None)
                if child is None:
                    pending.pop()
                    on_path.discard(path[-1])
                    done.add(path.pop())
                elif child in on_path:
                    return tuple(path[path.index(child) :])
                elif child not in done:
                    path.append(child)
                    on_path.add(child)
                    pending.append(iter(sorted(self.children[child])))
        return ()


def build_graph(
    migrations: Iterable[Migration],
    *,
    applied: Collection[Key] = (),
    swappable: Mapping[str, str] | None = None,
    foreign: bool = False,
) -> Graph:
    """Return the graph over `migrations` for a database in which `applied` are applied.

    `swappable` maps settings (`AUTH_USER_MODEL`) to the app label they name; a setting that it
    lacks adds no edge. With `foreign`, dependencies on apps that have no migration here are those
    of packages outside the tree, and not missing.
    """
    edges = _Edges({migration.key: migration for migration in migrations})
    _add_dependencies(edges, swappable or {})
    _carry_out_squashes(edges, set(applied))
    return edges.graph(foreign=foreign)


def _add_dependencies(edges: _Edges, swappable: Mapping[str, str]) -> None:
    nodes = list(edges.nodes.items())
    for key, migration in nodes:
        for parent in migration.dependencies:
            # "__first__" of one's own app is ignored (Django ticket 22325).
            if parent[0] == key[0] and parent[1] != FIRST:
                edges.add(key, parent)
    ends = _Ends(edges)
    for key, migration in nodes:
        for parent in (*migration.dependencies, *_swapped(migration, swappable)):
            named = ends.resolve(parent, key[0]) if parent[0] != key[0] else None
            if named is not None:
                edges.add(key, named)
        for child in migration.run_before:
            named = ends.resolve(child, key[0])
            if named is not None:
                edges.add(named, key)


def _carry_out_squashes(edges: _Edges, applied: set[Key]) -> None:
    for key, migration in sorted(edges.nodes.items()):
        if not migration.replaces:
            continue
        done = [target in applied for target in migration.replaces]
        if all(done):
            applied.add(key)
        else:
            applied.discard(key)
        if all(done) or not any(done):
            edges.replace(key, migration.replaces)
        else:
            edges.give_up(key, migration.replaces)


class _Edges:
    """The edges while squashes are carried out; unlike a graph's, they may lead to missing keys."""

    def __init__(self, nodes: Mapping[Key, Migration]) -> None:
        self.nodes = dict(nodes)
        self.parents: dict[Key, set[Key]] = {key: set() for key in nodes}
        self.children: dict[Key, set[Key]] = {key: set() for key in nodes}

    def add(self, child: Key, parent: Key) -> None:
        for key in (child, parent):
            if key not in self.parents:
                self.parents[key], self.children[key] = set(), set()
        self.parents[child].add(parent)
        self.children[parent].add(child)

    def replace(self, squash: Key, replaced: Collection[Key]) -> None:
        """Put `squash` in the place of `replaced`: `MigrationGraph.remove_replaced_nodes()`."""
        if squash not in self.parents:
            return
        for key in replaced:
            if key == squash or key not in self.parents:
                continue
            above, below = self._remove(key)
            for child in below:
                if child not in replaced:
                    self.parents[child].add(squash)
                    self.children[squash].add(child)
            for parent in above:
                if parent not in replaced:
                    self.parents[squash].add(parent)
                    self.children[parent].add(squash)

    def give_up(self, squash: Key, replaced: Collection[Key]) -> None:
        """Leave `squash` out, applied in part: `MigrationGraph.remove_replacement_node()`."""
        if squash not in self.parents:
            return
        _, below = self._remove(squash)
        there = {key for key in replaced if key in self.parents}
        last = there - {parent for key in there for parent in self.parents[key]}
        for child in below:
            for key in last:
                self.parents[child].add(key)
                self.children[key].add(child)

    def _remove(self, key: Key) -> tuple[set[Key], set[Key]]:
        # A migration that depends on itself is its own neighbour.
        above, below = self.parents.pop(key) - {key}, self.children.pop(key) - {key}
        self.nodes.pop(key, None)
        for parent in above:
            self.children[parent].discard(key)
        for child in below:
            self.parents[child].discard(key)
        return above, below

    def graph(self, *, foreign: bool) -> Graph:
        """Return the graph over what there is; edges to what is missing are listed, not kept."""
        apps = {app for app, _ in self.nodes}
        return Graph(
            self.nodes,
            {
                key: frozenset(parent for parent in self.parents[key] if parent in self.nodes)
                for key in self.nodes
            },
            tuple(
                Missing(origin, key)
                for key in sorted(self.parents)
                if key not in self.nodes and not (foreign and key[0] not in apps)
                for origin in sorted(self.parents[key] | self.children[key])
                if origin in self.nodes
            ),
        )


class _Ends:
    """What `__first__` and `__latest__` stand for: `MigrationLoader.check_key()`."""

    def __init__(self, edges: _Edges) -> None:
        self.edges = edges
        self.apps = {app for app, _ in edges.nodes}
        self.first: dict[str, Key | None] = {}

    def resolve(self, key: Key, from_app: str) -> Key | None:
        """Return the migration that `key` means; None where it means none."""
        app, name = key
        if name not in (FIRST, LATEST) or key in self.edges.parents:
            return key
        if app == from_app or app not in self.apps:
            return None
        if name == LATEST:
            return next(iter(_ends(self.edges.children, app)), None)
        if app not in self.first:
            # A run_before within an app can change its roots, but no migration of Django's is
            # built so; looking each time would make this quadratic.
            self.first[app] = next(iter(_ends(self.edges.parents, app)), None)
        return self.first[app]


def _swapped(migration: Migration, swappable: Mapping[str, str]) -> list[Key]:
    return [(swappable[setting], FIRST) for setting in migration.swappable if setting in swappable]


def _ends(neighbours: Mapping[Key, Collection[Key]], app: str | None) -> list[Key]:
    return sorted(
        key
        for key, others in neighbours.items()
        if (app is None or key[0] == app) and all(other[0] != key[0] for other in others)
    )


def _depth_first(start: Key, neighbours: Mapping[Key, Collection[Key]]) -> list[Key]:
    """Return `start` and all that it leads to, each after its own: Django's `iterative_dfs()`."""
    visited: dict[Key, None] = {}
    entered: set[Key] = set()
    neighbours[start]
    stack = [(start, False)]
    while stack:
        key, processed = stack.pop()
        if processed:
            visited[key] = None
        # Entered and not visited: a circle leads back to it.
        elif key not in entered:
            entered.add(key)
            stack.append((key, True))
            stack += [(other, False) for other in sorted(neighbours[key])]
    return list(visited)
