"""The graph: leaves, roots, forks, sides and plans, held to Django's own loader."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import migrations as django_migrations
from django.db.migrations.exceptions import CircularDependencyError, NodeNotFoundError
from django.db.migrations.loader import MigrationLoader
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shelter.versioning.history.graph import Missing, Side, build_graph
from shelter.versioning.history.migration import Key, Migration
from tests.versioning.strategies import histories, migration


class Oracle(MigrationLoader):
    """Django's loader over migrations that are in no file, and a database that is none."""

    def __init__(self, migrations: list[Migration], applied: Collection[Key] = ()) -> None:
        self.given = migrations
        self.applied_given = applied
        super().__init__(None)

    def load_disk(self) -> None:
        self.unmigrated_apps = set()
        self.migrated_apps = {migration.app for migration in self.given}
        self.disk_migrations = {}
        for stated in sorted(self.given, key=lambda stated: stated.key):
            loaded: Any = django_migrations.Migration(stated.name, stated.app)
            loaded.dependencies = list(stated.dependencies)
            loaded.run_before = list(stated.run_before)
            loaded.replaces = list(stated.replaces)
            self.disk_migrations[stated.key] = loaded

    @property
    def applied_migrations(self) -> dict[Key, Any]:
        return self._applied

    @applied_migrations.setter
    def applied_migrations(self, value: dict[Key, Any]) -> None:
        self._applied: dict[Key, Any] = value or dict.fromkeys(self.applied_given)


@settings(max_examples=2000, deadline=None)
@given(histories(), st.data())
def test_everything_equals_djangos_loader(migrations: list[Migration], data: st.DataObject) -> None:
    applied = data.draw(st.sets(st.sampled_from([migration.key for migration in migrations])))
    graph = build_graph(migrations, applied=applied)
    try:
        loader = Oracle(migrations, applied)
    except NodeNotFoundError as error:
        assert error.node in {missing.key for missing in graph.missing}
        return
    except CircularDependencyError:
        assert graph.circle()
        return
    oracle = loader.graph
    assert graph.missing == ()
    assert graph.circle() == ()
    assert sorted(graph.migrations) == sorted(oracle.nodes)
    assert graph.leaves() == oracle.leaf_nodes()
    assert graph.roots() == oracle.root_nodes()
    assert {app: list(names) for app, names in graph.conflicts().items()} == (
        loader.detect_conflicts()
    )
    for key in graph.migrations:
        assert graph.forwards_plan(key) == oracle.forwards_plan(key)
        assert graph.backwards_plan(key) == oracle.backwards_plan(key)


@settings(max_examples=500, deadline=None)
@given(histories(broken=True))
def test_what_django_stops_at_is_told(migrations: list[Migration]) -> None:
    graph = build_graph(migrations)
    try:
        Oracle(migrations)
    except NodeNotFoundError as error:
        assert error.node in {missing.key for missing in graph.missing}
    except CircularDependencyError:
        assert graph.circle()
    except ValueError as error:
        # An app that is a circle has no first migration.
        assert "Dependency on app with no migrations" in str(error)
        assert graph.circle()
    else:
        assert graph.missing == ()
        assert graph.circle() == ()


@settings(max_examples=500, deadline=None)
@given(histories())
def test_base_and_sides_make_up_all_that_leads_to_the_leaves(migrations: list[Migration]) -> None:
    graph = build_graph(migrations)
    assume(not graph.circle())
    for app in graph.conflicts():
        fork = graph.fork(app)
        assert [side.leaf for side in fork.sides] == graph.leaves(app)
        common: set[Key] = set()
        for key in fork.base:
            common.update(key for key in graph.forwards_plan(key) if key[0] == app)
            assert all(key in graph.forwards_plan(side.leaf) for side in fork.sides)
        for side in fork.sides:
            own = {key for key in graph.forwards_plan(side.leaf) if key[0] == app}
            assert set(side.migrations) == own - common
            assert side.migrations[-1] == side.leaf
        for key in fork.base:
            others = [other for other in fork.base if other != key]
            assert not any(key in graph.forwards_plan(other) for other in others)


def test_a_fork_of_two_chains() -> None:
    """
    1 -- 2 -- 3a -- 4a
          \\
           3b
    """
    graph = build_graph(
        [
            migration("a.1"),
            migration("a.2", "a.1"),
            migration("a.3a", "a.2"),
            migration("a.4a", "a.3a"),
            migration("a.3b", "a.2"),
        ]
    )
    assert graph.conflicts() == {"a": ("3b", "4a")}
    fork = graph.fork("a")
    assert fork.base == (("a", "2"),)
    assert fork.sides == (
        Side(("a", "3b"), (("a", "3b"),)),
        Side(("a", "4a"), (("a", "3a"), ("a", "4a"))),
    )


def test_three_leaves_fork_where_the_first_of_them_parts() -> None:
    """
    1 -- 2a
     \\
      2b -- 3b
        \\
         3c
    """
    graph = build_graph(
        [
            migration("a.1"),
            migration("a.2a", "a.1"),
            migration("a.2b", "a.1"),
            migration("a.3b", "a.2b"),
            migration("a.3c", "a.2b"),
        ]
    )
    fork = graph.fork("a")
    assert fork.base == (("a", "1"),)
    assert [side.migrations for side in fork.sides] == [
        (("a", "2a"),),
        (("a", "2b"), ("a", "3b")),
        (("a", "2b"), ("a", "3c")),
    ]


def test_leaves_without_a_common_ancestor() -> None:
    """
    1a -- 2a

    1b
    """
    graph = build_graph([migration("a.1a"), migration("a.2a", "a.1a"), migration("a.1b")])
    assert graph.fork("a").base == ()
    assert graph.conflicts() == {"a": ("1b", "2a")}


def test_leaves_merged_and_parted_crosswise_have_two_last_ancestors() -> None:
    """
      2a --- 3a
     /   \\ /
    1     X
     \\   / \\
      2b --- 3b
    """
    graph = build_graph(
        [
            migration("a.1"),
            migration("a.2a", "a.1"),
            migration("a.2b", "a.1"),
            migration("a.3a", "a.2a", "a.2b"),
            migration("a.3b", "a.2a", "a.2b"),
        ]
    )
    assert graph.fork("a").base == (("a", "2a"), ("a", "2b"))


def test_an_ancestor_by_way_of_another_app_is_one() -> None:
    """
    a:  1 -- 2 -- 3
              \\
    b:         1
                \\
    a:           3b   (with 1 as its only parent in a)
    """
    graph = build_graph(
        [
            migration("a.1"),
            migration("a.2", "a.1"),
            migration("a.3", "a.2"),
            migration("b.1", "a.2"),
            migration("a.3b", "a.1", "b.1"),
        ]
    )
    assert graph.fork("a").base == (("a", "2"),)


def test_a_squash_takes_the_place_of_files_that_are_gone() -> None:
    """
    1_squashed_2 (replaces 1, 2) -- 3 (still says that it depends on 2)
    """
    graph = build_graph(
        [migration("a.1_squashed_2", replaces=("a.1", "a.2")), migration("a.3", "a.2")]
    )
    assert graph.missing == ()
    assert graph.leaves() == [("a", "3")]
    assert graph.forwards_plan(("a", "3")) == [("a", "1_squashed_2"), ("a", "3")]


def test_a_squash_applied_in_part_is_left_out() -> None:
    """
    1 -- 2 -- 3      1_squashed_2 (replaces 1, 2; 1 is applied)
    """
    migrations = [
        migration("a.1"),
        migration("a.2", "a.1"),
        migration("a.1_squashed_2", replaces=("a.1", "a.2")),
        migration("a.3", "a.1_squashed_2"),
    ]
    assert sorted(build_graph(migrations).migrations) == [("a", "1_squashed_2"), ("a", "3")]
    graph = build_graph(migrations, applied={("a", "1")})
    assert graph.forwards_plan(("a", "3")) == [("a", "1"), ("a", "2"), ("a", "3")]


def test_a_run_before_within_the_app_makes_its_target_no_root() -> None:
    """
    1 (run_before 2)     2
    """
    graph = build_graph([migration("a.1", run_before=("a.2",)), migration("a.2")])
    assert graph.roots() == [("a", "1")]
    assert graph.leaves() == [("a", "2")]


def test_a_missing_dependency_is_told_with_everyone_who_names_it() -> None:
    graph = build_graph([migration("a.1", "a.0"), migration("a.2", "a.0"), migration("b.1", "z.1")])
    assert graph.missing == (
        Missing(("a", "1"), ("a", "0")),
        Missing(("a", "2"), ("a", "0")),
        Missing(("b", "1"), ("z", "1")),
    )
    foreign = build_graph([migration("b.1", "z.1")], foreign=True)
    assert foreign.missing == ()


def test_a_swappable_dependency_goes_to_the_app_that_the_setting_names() -> None:
    swapping = Migration("a", "1", "a/1.py", 1, swappable=("AUTH_USER_MODEL", "OTHER"))
    graph = build_graph([swapping, migration("b.1")], swappable={"AUTH_USER_MODEL": "b"})
    assert graph.forwards_plan(("a", "1")) == [("b", "1"), ("a", "1")]


def test_a_circle_is_told() -> None:
    graph = build_graph([migration("a.1", "a.2"), migration("a.2", "a.1"), migration("b.1")])
    assert graph.circle() == (("a", "1"), ("a", "2"))
    assert graph.leaves() == [("b", "1")]
