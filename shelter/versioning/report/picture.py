"""A picture of the migrations, as values: what every format of it draws.

A picture is laid out as `git log --graph` does it: a row for each migration, the newest on top,
and a lane for each line of descent. So no two migrations can be in each other's way, however many
there are and whatever their names. Straight runs, in which nothing happens, share a row.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count

from shelter.versioning.history.graph import Graph
from shelter.versioning.history.migration import Key


class State(StrEnum):
    """Whether a migration is applied in the database; ghost: applied, and in no file here."""

    APPLIED = "applied"
    UNAPPLIED = "unapplied"
    GHOST = "ghost"
    UNKNOWN = "unknown"


class Mark(StrEnum):
    """What else is to be seen at a glance."""

    LEAF = "leaf"
    CONFLICT = "conflict"
    EDITED = "edited"
    SQUASH = "squash"


class Side(StrEnum):
    """The side of a merge that a migration comes from."""

    MINE = "mine"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a migration's origin, as in `findings.BranchMigration`."""

    author: str | None = None
    date: str | None = None
    operations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PictureNode:
    """A migration; its parents are those of every app. `date` is ISO 8601."""

    app: str
    name: str
    parents: tuple[Key, ...] = ()
    state: State = State.UNKNOWN
    marks: frozenset[Mark] = frozenset()
    side: Side | None = None
    author: str | None = None
    date: str | None = None
    operations: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The app label and the name."""
        return self.app, self.name


@dataclass(frozen=True, slots=True)
class Picture:
    """Migrations, each after its parents in its app, the apps one after another.

    `sides` names the two sides of a merge, mine first; it is empty where no merge is drawn.
    """

    nodes: tuple[PictureNode, ...]
    sides: tuple[str, ...] = ()

    @property
    def apps(self) -> tuple[str, ...]:
        """The apps, in the order of drawing."""
        return tuple(dict.fromkeys(node.app for node in self.nodes))

    def only(self, app: str) -> Picture:
        """Return the part of `app`."""
        return replace(self, nodes=tuple(node for node in self.nodes if node.app == app))


def picture_of(
    graph: Graph,
    *,
    apps: Collection[str] | None = None,
    applied: Collection[Key] | None = None,
    ghosts: Mapping[Key, Collection[Key]] | None = None,
    edited: Collection[Key] = (),
    sides: Mapping[Key, Side] | None = None,
    names: tuple[str, ...] = (),
    told: Mapping[Key, Told] | None = None,
) -> Picture:
    """Return the picture of `graph`, of `apps` alone if given.

    `applied` is what the database has applied, None where none was asked. `ghosts` are drawn beside
    the graph's migrations, below the parents given for each as far as those are there. `names` are
    those of the `sides`.
    """
    ghosts, sides, told = ghosts or {}, sides or {}, told or {}
    parents = {key: set(above) for key, above in graph.parents.items()}
    parents |= {
        key: {parent for parent in above if parent in parents or parent in ghosts}
        for key, above in ghosts.items()
    }
    conflicts = graph.conflicts()
    leaves = set(graph.leaves())
    chosen = sorted({app for app, _ in parents if apps is None or app in apps})
    nodes = []
    for key in (key for app in chosen for key in _application_order(app, parents)):
        migration = graph.migrations.get(key)
        marks = {
            Mark.LEAF: key in leaves,
            Mark.CONFLICT: key in leaves and key[0] in conflicts,
            Mark.EDITED: key in edited,
            Mark.SQUASH: migration is not None and bool(migration.replaces),
        }
        if migration is None:
            state = State.GHOST
        elif applied is None:
            state = State.UNKNOWN
        else:
            done = key in applied or (
                bool(migration.replaces) and all(name in applied for name in migration.replaces)
            )
            state = State.APPLIED if done else State.UNAPPLIED
        known = told.get(key, Told())
        nodes.append(
            PictureNode(
                *key,
                parents=tuple(sorted(parents[key])),
                state=state,
                marks=frozenset(mark for mark, is_set in marks.items() if is_set),
                side=sides.get(key),
                author=known.author,
                date=known.date,
                operations=known.operations,
            )
        )
    return Picture(tuple(nodes), names)


def _application_order(app: str, parents: Mapping[Key, Collection[Key]]) -> list[Key]:
    """Return the migrations of `app`, each after its parents in the app, lines of descent whole."""
    own = {
        key: sorted(parent for parent in above if parent[0] == app and parent != key)
        for key, above in parents.items()
        if key[0] == app
    }
    inner = {parent for above in own.values() for parent in above}
    order: dict[Key, None] = {}
    entered: set[Key] = set()
    # Those in a circle, which nothing without a child leads to, come last.
    for start in (*sorted(own.keys() - inner), *sorted(inner)):
        stack = [(start, False)]
        while stack:
            key, is_done = stack.pop()
            if is_done:
                order[key] = None
            elif key not in entered:
                entered.add(key)
                stack.append((key, True))
                stack += [(parent, False) for parent in reversed(own[key])]
    return list(order)


# --- Layout --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A line from a lane of one row to a lane of the row below it; the side it belongs to."""

    above: int
    below: int
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A migration, or the migrations of a straight run, the newest first, in a lane.

    `lines` lead to the row below.
    """

    nodes: tuple[PictureNode, ...]
    lane: int
    lines: tuple[Line, ...]

    @property
    def is_run(self) -> bool:
        """Whether several migrations share the row."""
        return len(self.nodes) > 1

    def unfolded(self) -> tuple[Row, ...]:
        """Return a row for each of the migrations."""
        if not self.is_run:
            return (self,)
        # A run has one line in and one out, in its own lane; what else there is passes by.
        passing = tuple(replace(line, below=line.above) for line in self.lines)
        rows = [Row((node,), self.lane, passing) for node in self.nodes]
        return (*rows[:-1], replace(rows[-1], lines=self.lines))


SHORTEST_RUN = 4
"""How many migrations in a straight run share a row at least."""

_NEWEST_SHOWN = 2


def rows_of(picture: Picture, *, fold: bool = True) -> tuple[Row, ...]:
    """Return the rows of a picture of one app, the newest migration's first.

    With `fold`, straight runs share a row: those of migrations of one state that have one parent
    and one child each, and nothing to be said of them. The oldest migration and the last ones
    before a leaf keep theirs.
    """
    position = {node.key: at for at, node in enumerate(picture.nodes)}
    parents = {
        node.key: tuple(
            parent
            for parent in node.parents
            # In a circle some parent comes later; no line can lead down to it.
            if parent in position and position[parent] < position[node.key]
        )
        for node in picture.nodes
    }
    runs = _runs(picture, parents) if fold else [(node,) for node in reversed(picture.nodes)]
    lanes = _Lanes()
    for run in runs:
        lanes.add(run, parents[run[-1].key])
    return tuple(lanes.rows)


def _runs(
    picture: Picture, parents: Mapping[Key, Sequence[Key]]
) -> Iterator[tuple[PictureNode, ...]]:
    """Yield the migrations, newest first, those of a long straight run together."""
    children: dict[Key, list[Key]] = {}
    for key, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(key)
    run: list[PictureNode] = []
    newest_first = picture.nodes[::-1]
    shown = {
        node.key
        for at, node in enumerate(newest_first)
        if any(Mark.LEAF in later.marks for later in newest_first[max(at - _NEWEST_SHOWN, 0) : at])
    }
    for node in newest_first:
        below = children.get(node.key, [])
        is_plain = (
            not node.marks
            and node.side is None
            and node.state is not State.GHOST
            and len(parents[node.key]) == 1
            and len(below) == 1
            and node.key not in shown
        )
        if is_plain and run and run[-1].state is node.state and below == [run[-1].key]:
            run.append(node)
            continue
        yield from _folded(run)
        run = [node] if is_plain else []
        if not is_plain:
            yield (node,)
    yield from _folded(run)


def _folded(run: Sequence[PictureNode]) -> Iterator[tuple[PictureNode, ...]]:
    if len(run) >= SHORTEST_RUN:
        yield tuple(run)
    else:
        yield from ((node,) for node in run)


class _Lanes:
    """Lanes from top to bottom: each leads to a migration that is still to come, or is free.

    Lines of one side that lead to one migration share a lane.
    """

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.waiting: list[tuple[Key, Side | None] | None] = []

    def add(self, run: tuple[PictureNode, ...], parents: Sequence[Key]) -> None:
        """Add the row of `run`, and keep lanes for its parents."""
        arriving = [
            at
            for at, waits in enumerate(self.waiting)
            if waits is not None and waits[0] == run[0].key
        ]
        lane = arriving[0] if arriving else self._free()
        if arriving:
            above = self.rows[-1]
            joined = tuple(
                replace(line, below=lane) if line.below in arriving else line
                for line in above.lines
            )
            self.rows[-1] = replace(above, lines=joined)
        for at in arriving:
            self.waiting[at] = None
        lines = [
            Line(at, at, waits[1]) for at, waits in enumerate(self.waiting) if waits is not None
        ]
        side = run[-1].side
        for parent in parents:
            waits = parent, side
            if waits not in self.waiting:
                at = lane if self.waiting[lane] is None else self._free()
                self.waiting[at] = waits
            lines.append(Line(lane, self.waiting.index(waits), side))
        self.rows.append(Row(run, lane, tuple(lines)))

    def _free(self) -> int:
        if None not in self.waiting:
            self.waiting.append(None)
        return self.waiting.index(None)


# --- Words ---------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """Return `text` on one line, without what would steer a terminal or turn its direction."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def cut(text: str, width: int) -> str:
    """Return `text`, cut to `width` cells of a terminal."""
    if cells(text) <= width:
        return text
    kept = ""
    taken = 1
    for letter in text:
        taken += cells(letter)
        if taken > width:
            break
        kept += letter
    return f"{kept}…"


def cells(text: str) -> int:
    """Return how many cells of a terminal `text` takes: two for a wide letter, none for accents."""
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def words_of(node: PictureNode, sides: Sequence[str] = ()) -> list[str]:
    """Return what there is to be said of a migration beside its name: its state, its marks."""
    words = [] if node.state in (State.APPLIED, State.UNKNOWN) else [str(node.state)]
    words += [
        "conflicting leaf" if mark is Mark.LEAF and Mark.CONFLICT in node.marks else str(mark)
        for mark in Mark
        if mark in node.marks and mark is not Mark.CONFLICT
    ]
    if node.side is not None and sides:
        words.append(plain(sides[list(Side).index(node.side)]))
    return words


def origin_of(node: PictureNode) -> str:
    """Return who wrote a migration, and when."""
    person = (node.author or "").partition(" <")[0]
    return plain(", ".join(filter(None, (person, (node.date or "")[:10]))))


def others_of(node: PictureNode) -> list[str]:
    """Return the migrations of other apps that one comes after."""
    return [plain(f"{app}.{name}") for app, name in node.parents if app != node.app]


def about_of(node: PictureNode) -> str:
    """Return in short who wrote a migration and when, what it does, and what it comes after."""
    after = ", ".join(others_of(node)[:2])
    operations = plain("; ".join(node.operations[:2]))
    if len(node.operations) > 2:
        operations += f"; {len(node.operations) - 2} more"
    return " · ".join(
        filter(None, (origin_of(node), operations, f"after {after}" if after else ""))
    )


NAME_WIDTH = 44
"""To how many cells of a terminal names are cut where all of one picture stand in a column."""


def words_of_run(nodes: Sequence[PictureNode]) -> str:
    """Return what is said of a straight run: how many migrations, their state, the ends."""
    state = nodes[0].state
    words = "" if state is State.UNKNOWN else f", {state}"
    ends = [cut(plain(node.name), NAME_WIDTH) for node in (nodes[-1], nodes[0])]
    return f"{len(nodes)} migrations{words}: {' … '.join(ends)}"


# A tooltip with more lines than this is no help.
_OPERATIONS = 20


def tooltip_of(node: PictureNode, sides: Sequence[str] = ()) -> list[str]:
    """Return all that is known of a migration, in lines, which may hold what steers a terminal."""
    said = [
        f"{node.app}.{node.name}",
        ", ".join(dict.fromkeys([node.state, *words_of(node, sides)])),
        ", ".join(filter(None, (node.author or "", (node.date or "")[:10]))),
        *node.operations[:_OPERATIONS],
        f"… {len(node.operations) - _OPERATIONS} more"
        if len(node.operations) > _OPERATIONS
        else "",
        *(f"after {other}" for other in others_of(node)),
    ]
    return [line for line in said if line]


# --- Boxes and arrows, for what lays out a graph itself ------------------------------------------


@dataclass(frozen=True, slots=True)
class Box:
    """A migration, or the migrations of a straight run, the newest first; `name` is unique."""

    name: str
    nodes: tuple[PictureNode, ...]

    def lines(self, sides: Sequence[str] = ()) -> list[str]:
        """Return what is written in the box, from top to bottom."""
        node = self.nodes[0]
        if len(self.nodes) > 1:
            return [words_of_run(self.nodes)]
        done = "✓ " if node.state is State.APPLIED else ""
        said = [f"{done}{plain(node.name)}", ", ".join(words_of(node, sides)), origin_of(node)]
        return [line for line in said if line]


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from a box to one that comes after it; `across` from an app to another one."""

    start: str
    end: str
    across: bool


def boxes_of(picture: Picture, *, fold: bool = True) -> tuple[dict[str, list[Box]], list[Arrow]]:
    """Return the boxes by app, the oldest first, and the arrows between them.

    With `fold`, straight runs share a box, as in `rows_of()`.
    """
    boxes: dict[str, list[Box]] = {}
    owners: dict[Key, str] = {}
    numbers = count()
    for app in picture.apps:
        boxes[app] = []
        for row in reversed(rows_of(picture.only(app), fold=fold)):
            box = Box(f"n{next(numbers)}", row.nodes)
            boxes[app].append(box)
            owners |= {node.key: box.name for node in row.nodes}
    arrows = {
        Arrow(owners[parent], owners[node.key], parent[0] != node.app): None
        for node in picture.nodes
        for parent in node.parents
        if parent in owners and owners[parent] != owners[node.key]
    }
    return boxes, list(arrows)
