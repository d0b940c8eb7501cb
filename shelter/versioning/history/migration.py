"""A migration, as its file says."""

from __future__ import annotations

from dataclasses import dataclass

Key = tuple[str, str]
"""An app label and a migration's name, as in a `dependencies` list."""

FIRST = "__first__"
LATEST = "__latest__"


@dataclass(frozen=True, slots=True)
class Migration:
    """What one file says about its place in the graph.

    `path` is as it is shown to people. `line` is where the dependencies are stated, or else the
    class, counted from 1. `swappable` names the settings of `swappable_dependency()` calls, whose
    app only the settings know.
    """

    app: str
    name: str
    path: str
    line: int
    dependencies: tuple[Key, ...] = ()
    run_before: tuple[Key, ...] = ()
    replaces: tuple[Key, ...] = ()
    swappable: tuple[str, ...] = ()
    initial: bool | None = None

    @property
    def key(self) -> Key:
        """The app label and the name."""
        return self.app, self.name


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A place that cannot be told without running the code."""

    app: str
    name: str
    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One entry of a migration's `operations`: its class's name, its description, its line."""

    kind: str
    description: str
    line: int
