"""The picture as text: lanes and rows, as `git log --graph` has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from shelter.versioning.report.formats import Paint
from shelter.versioning.report.picture import (
    NAME_WIDTH,
    Line,
    Mark,
    Picture,
    PictureNode,
    Row,
    Side,
    State,
    about_of,
    cells,
    cut,
    plain,
    rows_of,
    words_of,
    words_of_run,
)

WIDTH = 100
"""How wide text is where there is no terminal."""

_LEAST_ABOUT = 24

# Where lines lead to from a cell. Their sums are indices into what is drawn there.
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_STRAIGHT = _UP | _DOWN
_LINES = " ╵╷│╴╯╮┤╶╰╭├─┴┬┼"
_ASCII_LINES = " ||||'.+-`.+-+++"
_DOTS = {State.APPLIED: "✓", State.UNAPPLIED: "○", State.GHOST: "?", State.UNKNOWN: "●"}
_ASCII_DOTS = {State.APPLIED: "x", State.UNAPPLIED: "o", State.GHOST: "?", State.UNKNOWN: "*"}
_ASCII = str.maketrans({"…": "...", "·": "-", "⋮": ":"})

_STATE_ROLES = {State.APPLIED: "SUCCESS", State.UNAPPLIED: "WARNING", State.GHOST: "ERROR"}
# Of Django's roles those that are cyan and magenta: nothing else here is.
_SIDE_ROLES = {Side.MINE: "HTTP_NOT_MODIFIED", Side.THEIRS: "HTTP_SERVER_ERROR"}

_Cell = tuple[str, str | None]
"""A sign, and the role that it is coloured in."""


def render_terminal(
    picture: Picture,
    paint: Paint = lambda _, text: text,
    *,
    width: int = WIDTH,
    encoding: str = "utf-8",
    fold: bool = True,
) -> str:
    """Return `picture` as text: a heading for each app, and a row for each migration.

    With `fold`, straight runs share a row. What is said beside a name is cut where a row is longer
    than `width`; names never are. What `encoding` has no letter for is drawn and said with ASCII.
    """
    ascii_only = not _has(encoding, "".join((_LINES, *_DOTS.values(), "…·⋮")))
    if not picture.nodes:
        nothing = "No migrations."
        if picture.sides:
            nothing = f"Merging {plain(picture.sides[1])} would touch no migration."
        return paint("SUCCESS", nothing)
    text = "\n\n".join(
        "\n".join(_App(picture.only(app), paint, width, fold, ascii_only).lines())
        for app in picture.apps
    )
    if ascii_only:
        text = text.translate(_ASCII)
    return text.encode(encoding, errors="replace").decode(encoding)


def _has(encoding: str, letters: str) -> bool:
    try:
        letters.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class _App:
    def __init__(
        self, picture: Picture, paint: Paint, width: int, fold: bool, ascii_only: bool
    ) -> None:
        self.picture = picture
        self.paint = paint
        self.width = width
        self.rows = rows_of(picture, fold=fold)
        self.signs = _ASCII_LINES if ascii_only else _LINES
        self.dots = _ASCII_DOTS if ascii_only else _DOTS
        self.lanes = 1 + max(
            max(row.lane, *(max(line.above, line.below) for line in row.lines), 0)
            for row in self.rows
        )
        longest = max(cells(plain(node.name)) for row in self.rows for node in row.nodes[:1])
        self.names = min(longest, NAME_WIDTH)

    def lines(self) -> Iterator[str]:
        """Yield what is drawn, from top to bottom."""
        yield self.paint("MIGRATE_HEADING", plain(self.picture.apps[0]))
        for row, below in zip(self.rows, (*self.rows[1:], None), strict=True):
            yield f"  {self._painted(self._dots(row))}  {self._said(row)}"
            if below is not None:
                yield from (
                    f"  {self._painted(bends)}".rstrip() for bends in self._bends(row, below)
                )

    def _dots(self, row: Row) -> list[_Cell]:
        """Return the lanes at a row: its dot, and the lines that pass by."""
        found: list[_Cell] = [(" ", None)] * (2 * self.lanes - 1)
        for line in row.lines:
            found[2 * line.above] = self.signs[_STRAIGHT], _role_of_side(line.side)
        (node, *others) = row.nodes
        role = _role_of_side(node.side) or _STATE_ROLES.get(node.state)
        found[2 * row.lane] = ("⋮" if others else self.dots[node.state]), role
        return found

    def _bends(self, row: Row, below: Row) -> Iterator[list[_Cell]]:
        """Yield the lanes between two rows, as often as lines change theirs.

        Those that leave the upper row's migration, and those that arrive at the lower one's, are
        drawn apart where they would cross.
        """
        bent = [line for line in row.lines if line.above != line.below]
        straight = [line for line in row.lines if line.above == line.below]
        leaving = [line for line in bent if line.above == row.lane]
        arriving = [line for line in bent if line.above != row.lane]
        if leaving and arriving and _overlap(leaving, arriving):
            still = [Line(line.above, line.above, line.side) for line in arriving]
            yield self._between(leaving, [*straight, *still])
            gone = [Line(line.below, line.below, line.side) for line in leaving]
            yield self._between(arriving, [*straight, *gone])
        elif bent:
            yield self._between(bent, straight)
        elif below.lane == row.lane and not any(line.above == row.lane for line in straight):
            # The one below is no ancestor of this one.
            yield self._between((), straight)

    def _between(self, bent: Iterable[Line], straight: Iterable[Line]) -> list[_Cell]:
        count = 2 * self.lanes - 1
        ways = [0] * count
        roles: list[str | None] = [None] * count
        crossed = {2 * line.above for line in straight}
        for line in straight:
            ways[2 * line.above] |= _STRAIGHT
            roles[2 * line.above] = _role_of_side(line.side)
        ends = {2 * end for line in bent for end in (line.above, line.below)}
        for line in bent:
            start, end = 2 * line.above, 2 * line.below
            right = end > start
            ways[start] |= _UP | (_RIGHT if right else _LEFT)
            ways[end] |= _DOWN | (_LEFT if right else _RIGHT)
            between = range(min(start, end) + 1, max(start, end))
            for at in between:
                # A lane that is merely crossed stays whole.
                if at not in crossed or at in ends:
                    ways[at] |= _LEFT | _RIGHT
            for at in (start, *between, end):
                if at not in crossed:
                    roles[at] = _role_of_side(line.side)
        return [(self.signs[way], role) for way, role in zip(ways, roles, strict=True)]

    def _said(self, row: Row) -> str:
        if row.is_run:
            return words_of_run(row.nodes)
        (node,) = row.nodes
        name = plain(node.name)
        words = ", ".join(words_of(node, self.picture.sides))
        words = f"({words})" if words else ""
        taken = 2 + 2 * self.lanes - 1 + 2 + max(cells(name), self.names) + 2
        taken += cells(words) + 2 if words else 0
        about = cut(about_of(node), max(self.width - taken, _LEAST_ABOUT))
        gap = " " * (self.names - cells(name) if words or about else 0)
        role = _role_of_side(node.side) or "MIGRATE_LABEL"
        parts = [self.paint(role, name) + gap, self._words(node, words), about]
        return "  ".join(filter(None, parts))

    def _words(self, node: PictureNode, words: str) -> str:
        if not words:
            return ""
        if Mark.CONFLICT in node.marks or node.state is State.GHOST:
            return self.paint("ERROR", words)
        return self.paint("WARNING" if Mark.EDITED in node.marks else "NOTICE", words)

    def _painted(self, lanes: Iterable[_Cell]) -> str:
        return "".join(
            self.paint(role, text) if role and text.strip() else text
            for role, group in groupby(lanes, lambda cell: cell[1])
            for text in ["".join(sign for sign, _ in group)]
        )


def _role_of_side(side: Side | None) -> str | None:
    return None if side is None else _SIDE_ROLES[side]


def _overlap(some: Sequence[Line], others: Sequence[Line]) -> bool:
    def span(lines: Sequence[Line]) -> tuple[int, int]:
        ends = [end for line in lines for end in (line.above, line.below)]
        return min(ends), max(ends)

    (first, last), (start, end) = span(some), span(others)
    return first <= end and start <= last
