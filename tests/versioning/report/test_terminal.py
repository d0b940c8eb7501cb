"""The picture as text: exact, and every line leads where it should."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from shelter.versioning.history.graph import build_graph
from shelter.versioning.report.picture import (
    Mark,
    Picture,
    PictureNode,
    Side,
    State,
    picture_of,
    plain,
    rows_of,
)
from shelter.versioning.report.terminal import render_terminal
from tests.versioning.report.test_picture import HOSTILE, chain, hostile, pictures
from tests.versioning.strategies import migration

STEPS = {"v": (1, 0), "<": (0, -1), ">": (0, 1)}
# To where a line goes on from a sign, by the direction in which it came.
WAYS = {
    "v": {"│": "v", "├": "v>", "┤": "v<", "┼": "v<>", "╯": "<", "╰": ">", "┴": "<>"},
    "<": {"─": "<", "│": "<", "┴": "<", "┬": "<v", "┼": "<v", "╭": "v", "├": "v"},
    ">": {"─": ">", "│": ">", "┴": ">", "┬": ">v", "┼": ">v", "╮": "v", "┤": "v"},
}

FORKS = [
    migration("zoo.0001"),
    migration("zoo.0002", "zoo.0001"),
    migration("zoo.0002_a", "zoo.0001"),
    migration("zoo.0002_b", "zoo.0002"),
    migration("zoo.0003", "zoo.0002_a", "zoo.0002_b"),
    migration("zoo.0002_c", "zoo.0001"),
    migration("zoo.0004", "zoo.0002_c", "zoo.0003"),
]


def test_lanes_part_cross_and_join() -> None:
    """
    0001 -- 0002 -- 0002_b -- 0003 -- 0004
       |\\                    /      /
       | 0002_a -----------       /
        0002_c ------------------           0000, 0009 (ghosts)
    """
    graph = build_graph(FORKS)
    ghosts = {("zoo", "0000"): [("zoo", "gone")], ("zoo", "0009"): [("zoo", "0003")]}
    picture = picture_of(graph, applied={("zoo", "0001"), ("zoo", "0009")}, ghosts=ghosts)
    assert render_terminal(picture).splitlines() == [
        "zoo",
        "  ?      0009    (ghost)",
        "  │ ○    0004    (unapplied, leaf)",
        "  ├─┤",
        "  ○ │    0003    (unapplied)",
        "  ├─│─╮",
        "  │ │ ○  0002_b  (unapplied)",
        "  │ │ ○  0002    (unapplied)",
        "  ○ │ │  0002_a  (unapplied)",
        "  ╰─│─┤",
        "    ○ │  0002_c  (unapplied)",
        "    ╰─┤",
        "      ✓  0001",
        "  ?      0000    (ghost)",
    ]
    assert render_terminal(picture, encoding="ascii").splitlines() == [
        "zoo",
        "  ?      0009    (ghost)",
        "  | o    0004    (unapplied, leaf)",
        "  +-+",
        "  o |    0003    (unapplied)",
        "  +-|-.",
        "  | | o  0002_b  (unapplied)",
        "  | | o  0002    (unapplied)",
        "  o | |  0002_a  (unapplied)",
        "  `-|-+",
        "    o |  0002_c  (unapplied)",
        "    `-+",
        "      x  0001",
        "  ?      0000    (ghost)",
    ]


def test_sides_are_named_and_coloured() -> None:
    """
    0001 -- 0002_a    (mine)
        \\
         0002_b       (theirs)
    """
    picture = picture_of(
        build_graph([FORKS[0], FORKS[2], migration("zoo.0002_b", "zoo.0001")]),
        sides={("zoo", "0002_a"): Side.MINE, ("zoo", "0002_b"): Side.THEIRS},
        names=("HEAD", "other"),
    )
    assert render_terminal(picture, lambda role, text: f"{role}<{text}>").splitlines() == [
        "MIGRATE_HEADING<zoo>",
        ("  HTTP_SERVER_ERROR<●>    HTTP_SERVER_ERROR<0002_b>  ERROR<(conflicting leaf, other)>"),
        (
            "  HTTP_SERVER_ERROR<│> HTTP_NOT_MODIFIED<●>  HTTP_NOT_MODIFIED<0002_a>  "
            "ERROR<(conflicting leaf, HEAD)>"
        ),
        "  HTTP_SERVER_ERROR<├>HTTP_NOT_MODIFIED<─╯>",
        "  ●    MIGRATE_LABEL<0001>",
    ]


def test_what_is_said_is_cut_and_a_name_is_not() -> None:
    node = PictureNode(
        "zoo",
        "0001_initial",
        state=State.APPLIED,
        marks=frozenset({Mark.LEAF, Mark.EDITED}),
        author="Ana <ana@example.org>",
        date="2026-01-02T03:04:05+00:00",
        operations=("Create model Keeper", "Add field age to keeper", "Raw SQL operation"),
    )
    said = (
        "  ✓  0001_initial  (leaf, edited)  "
        "Ana, 2026-01-02 · Create model Keeper; Add field age to keeper; 1 more"
    )
    picture = Picture((node,))
    assert render_terminal(picture, width=200) == f"zoo\n{said}"
    assert render_terminal(picture, width=80) == f"zoo\n{said[:79]}…"
    long = Picture((replace(node, name="x" * 300),))
    assert f" {'x' * 300}  (leaf, edited)  Ana, 2026-01-02 · Creat…" in render_terminal(long)


def test_a_run_shares_a_row_unless_it_is_unfolded() -> None:
    picture = Picture(tuple(chain(9)))
    assert render_terminal(picture).splitlines() == [
        "zoo",
        "  ✓  0009  (leaf)",
        "  ✓  0008",
        "  ✓  0007",
        "  ⋮  5 migrations, applied: 0002 … 0006",
        "  ✓  0001",
    ]
    assert len(render_terminal(picture, fold=False).splitlines()) == 10
    assert "  :  5 migrations, applied: 0002 ... 0006" in render_terminal(
        picture, encoding="ascii"
    ).split("\n")


def test_nothing_is_said_to_be_nothing() -> None:
    assert render_terminal(Picture(())) == "No migrations."
    nothing = render_terminal(Picture((), ("HEAD", "other")))
    assert nothing == "Merging other would touch no migration."


def trace(text: list[str], at: int) -> set[int]:
    """Return the lines whose dots the lines of the drawing lead down to from the dot in `at`."""
    column = next(place for place, sign in enumerate(text[at]) if sign in "✓○?●")
    found, seen = set(), set()
    ahead = [(at + 1, column, "v")]
    while ahead:
        line, column, way = ahead.pop()
        if (line, column, way) in seen:
            continue
        seen.add((line, column, way))
        sign = text[line][column] if line < len(text) and column < len(text[line]) else " "
        if sign in "✓○?●":
            found.add(line)
            continue
        for onward in WAYS[way].get(sign, ""):
            down, right = STEPS[onward]
            ahead.append((line + down, column + right, onward))
    return found


@settings(deadline=None)
@given(pictures())
def test_lines_lead_from_each_migration_to_its_parents(picture: Picture) -> None:
    for app in picture.apps:
        part = picture.only(app)
        rows = rows_of(part, fold=False)
        width = 2 * max(max(row.lane, *(line.above for line in row.lines), 0) for row in rows) + 1
        text = [line[2 : 2 + width] for line in render_terminal(part, fold=False).splitlines()[1:]]
        at = {
            row.nodes[0].key: line
            for row, line in zip(
                rows,
                (line for line, signs in enumerate(text) if set(signs) & set("✓○?●")),
                strict=True,
            )
        }
        for node in part.nodes:
            parents = {at[parent] for parent in node.parents if parent in at}
            assert parents <= trace(text, at[node.key])
            if not parents:
                assert trace(text, at[node.key]) == set()


@settings(deadline=None)
@given(pictures(broken=True), st.lists(HOSTILE, min_size=1, max_size=5), st.booleans())
def test_no_name_steers_the_terminal_or_breaks_a_row(
    picture: Picture, names: list[str], fold: bool
) -> None:
    for encoding in ("utf-8", "ascii"):
        harmless = render_terminal(picture, fold=fold, encoding=encoding)
        text = render_terminal(hostile(picture, names), fold=fold, encoding=encoding)
        assert len(text.split("\n")) == len(text.splitlines()) == len(harmless.split("\n"))
        assert plain(text.replace("\n", "")) == text.replace("\n", "")
        assert text.encode(encoding).decode(encoding) == text
