"""The layout of a picture: rows and lanes in which nothing is in the way of anything else."""

import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shelter.versioning.history.graph import build_graph
from shelter.versioning.report.picture import (
    Mark,
    Picture,
    PictureNode,
    Row,
    Side,
    State,
    picture_of,
    plain,
    rows_of,
)
from shelter.versioning.report.svg import ROW, render_svg
from tests.versioning.strategies import histories, migration

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = st.one_of(
    st.text(min_size=1, max_size=300),
    st.sampled_from(
        [
            "\"'><script>alert(1)</script>",
            "]]><!--&lt;",
            "two\nlines\x1b[31m",
            "x" * 300,
            "\u202eevil\u202c שלום",
            "onload=alert(1) &amp; {{ }} %}",
            "字" * 300,
        ]
    ),
)


def chain(count: int, **more: object) -> list[PictureNode]:
    """
    0001 -- 0002 -- … (leaf)
    """
    nodes = [
        PictureNode(
            "zoo",
            f"{number:04}",
            ((("zoo", f"{number - 1:04}"),) if number > 1 else ()),
            State.APPLIED,
        )
        for number in range(1, count + 1)
    ]
    return [*nodes[:-1], replace(nodes[-1], marks=frozenset({Mark.LEAF}))]


def shape(rows: tuple[Row, ...]) -> list[tuple[str, int, list[tuple[int, int]]]]:
    return [
        (
            "+".join(node.name for node in row.nodes),
            row.lane,
            [(line.above, line.below) for line in row.lines],
        )
        for row in rows
    ]


@st.composite
def pictures(draw: st.DrawFn, *, broken: bool = False) -> Picture:
    """Draw a picture of a generated history: with states, ghosts and sides."""
    found = draw(histories(broken=broken))
    keys = [made.key for made in found]
    ghosts = {("a", "9998_ghost"): keys[:1], ("z", "0001"): [("z", "0000")]}
    return picture_of(
        build_graph(found, applied=()),
        applied=draw(st.none() | st.sets(st.sampled_from(keys))),
        ghosts=draw(st.sampled_from([{}, ghosts])),
        edited=draw(st.sets(st.sampled_from(keys), max_size=1)),
        sides=draw(st.dictionaries(st.sampled_from(keys), st.sampled_from(Side), max_size=3)),
        names=("HEAD", "other"),
    )


def test_a_fork_has_a_lane_a_side_and_a_merge_joins_them() -> None:
    """
    0001 -- 0002 -- 0002_b -- 0003
        \\                  /
         0002_a -----------
    """
    found = [
        migration("zoo.0001"),
        migration("zoo.0002", "zoo.0001"),
        migration("zoo.0002_a", "zoo.0001"),
        migration("zoo.0002_b", "zoo.0002"),
        migration("zoo.0003", "zoo.0002_a", "zoo.0002_b"),
    ]
    rows = rows_of(picture_of(build_graph(found)))
    assert shape(rows) == [
        ("0003", 0, [(0, 0), (0, 1)]),
        ("0002_b", 1, [(0, 0), (1, 1)]),
        ("0002", 1, [(0, 0), (1, 1)]),
        ("0002_a", 0, [(1, 1), (0, 1)]),
        ("0001", 1, []),
    ]


def test_a_straight_run_shares_a_row_but_for_its_ends() -> None:
    rows = rows_of(Picture(tuple(chain(9))))
    assert [[node.name for node in row.nodes] for row in rows] == [
        ["0009"],
        ["0008"],
        ["0007"],
        ["0006", "0005", "0004", "0003", "0002"],
        ["0001"],
    ]
    assert shape(rows[3].unfolded()) == [
        (f"{number:04}", 0, [(0, 0)]) for number in (6, 5, 4, 3, 2)
    ]


def test_what_is_not_alike_shares_no_row() -> None:
    nodes = chain(12)
    nodes[3] = replace(nodes[3], marks=frozenset({Mark.EDITED}))
    nodes[6:] = [replace(node, state=State.UNAPPLIED) for node in nodes[6:]]
    rows = rows_of(Picture(tuple(nodes)))
    assert [row.nodes[0].name for row in rows if row.is_run] == []
    assert len(rows) == 12


def test_states_and_marks_are_told() -> None:
    """
    0001 -- 0002_a     (applied)
        \\
         0002_b        (edited)      0000 (a ghost)
    """
    found = [
        migration("zoo.0001"),
        migration("zoo.0002_a", "zoo.0001"),
        migration("zoo.0002_b", "zoo.0001"),
    ]
    picture = picture_of(
        build_graph(found),
        applied={("zoo", "0001"), ("zoo", "0002_a"), ("zoo", "0000")},
        ghosts={("zoo", "0000"): [("zoo", "0001"), ("zoo", "gone")]},
        edited={("zoo", "0002_b")},
    )
    told = {node.name: (node.state, node.marks, node.parents) for node in picture.nodes}
    conflict = {Mark.LEAF, Mark.CONFLICT}
    parents = (("zoo", "0001"),)
    assert told == {
        "0000": (State.GHOST, frozenset(), parents),
        "0001": (State.APPLIED, frozenset(), ()),
        "0002_a": (State.APPLIED, conflict, parents),
        "0002_b": (State.UNAPPLIED, {*conflict, Mark.EDITED}, parents),
    }
    assert {node.state for node in picture_of(build_graph(found)).nodes} == {State.UNKNOWN}


@given(st.booleans().flatmap(lambda broken: pictures(broken=broken)), st.booleans())
def test_no_line_runs_into_a_migration_that_is_not_its_end(picture: Picture, fold: bool) -> None:
    for app in picture.apps:
        part = picture.only(app)
        rows = [alone for row in rows_of(part, fold=fold) for alone in row.unfolded()]
        assert Counter(node.key for row in rows for node in row.nodes) == Counter(
            node.key for node in part.nodes
        )
        # What each lane leads to; the lines into a row are those of the row above it.
        coming: dict[int, tuple[str, str]] = {}
        for at, row in enumerate(rows):
            (node,) = row.nodes
            assert coming.pop(row.lane, node.key) == node.key
            assert node.key not in coming.values()
            assert {line.above for line in row.lines} - {row.lane} == set(coming)
            later = {other.key for below in rows[at + 1 :] for other in below.nodes}
            reached = [key for key in node.parents if key[0] == app and key in later]
            leads = [coming[line.above] for line in row.lines if line.above != row.lane]
            assert len(row.lines) == len(leads) + len(reached)
            # Lines that arrive in one lane lead to one migration.
            coming = {}
            for line, key in zip(row.lines, [*leads, *reached], strict=True):
                assert coming.setdefault(line.below, key) == key
        assert not coming


def hostile(picture: Picture, names: list[str]) -> Picture:
    """Return the picture with text of a repository that means harm wherever there is text."""
    keys = {node.key for node in picture.nodes}
    new = {
        key: (names[number % len(names)] + key[0], f"{key[1]}{names[(number + 1) % len(names)]}")
        for number, key in enumerate(sorted(keys))
    }
    return Picture(
        tuple(
            replace(
                node,
                app=names[0] + node.app,
                name=new[node.key][1],
                author=names[-1],
                date=names[0],
                operations=tuple(names),
                parents=tuple((names[0] + app, new[app, name][1]) for app, name in node.parents),
            )
            for node in picture.nodes
        ),
        (names[0], names[-1]),
    )


@given(pictures(), st.lists(HOSTILE, min_size=1, max_size=4))
def test_svg_is_well_formed_and_nothing_is_injected(picture: Picture, names: list[str]) -> None:
    harmless = ElementTree.fromstring(render_svg(picture))
    root = ElementTree.fromstring(render_svg(hostile(picture, names), prefix="p-"))
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {
        *("svg", "title", "style", "g", "text", "rect", "circle", "path", "a"),
        *("set", "animate", "animateTransform"),
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert all(element.get("href", "#").startswith("#") for element in root.iter())
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(str(name).startswith("p_") for name in ids)
    count = sum("node" in (element.get("class") or "").split() for element in root.iter())
    assert count == len(picture.nodes)
    assert count == sum(
        "node" in (element.get("class") or "").split() for element in harmless.iter()
    )


def boxes(root: ElementTree.Element, *, unfolded: bool) -> list[tuple[float, float]]:
    """Return the y of every row that is seen, from and to, as SMIL moves it."""
    found: list[tuple[float, float]] = []

    def walk(element: ElementTree.Element, moved: float) -> None:
        for child in element:
            if child.tag == f"{SVG}animateTransform" and unfolded:
                moved += float(child.get("values", "").split(";")[0].split()[1])
            hides = child.find(f"{SVG}set")
            if hides is not None:
                display = hides.get("to") if unfolded else child.get("display", "inline")
                if display == "none":
                    continue
            if child.tag == f"{SVG}rect":
                y = float(child.get("y", "")) + moved
                found.append((y, y + float(child.get("height", ""))))
            walk(child, moved)

    walk(root, 0)
    return found


@given(pictures(), st.integers(1, 40))
def test_no_row_of_the_svg_is_on_top_of_another(picture: Picture, length: int) -> None:
    picture = replace(picture, nodes=(*picture.nodes, *chain(length)))
    root = ElementTree.fromstring(render_svg(picture))
    grown = sum(
        float(element.get("values", "").split(";")[0]) for element in root.findall(f"{SVG}animate")
    )
    rows: list[tuple[float, float]] = []
    for unfolded in (False, True):
        rows = sorted(boxes(root, unfolded=unfolded))
        for above, below in pairwise(rows):
            assert above[1] <= below[0]
        height = float(root.get("height", "")) + (grown if unfolded else 0)
        assert not rows or rows[-1][1] <= height
    runs = sum((element.get("id") or "").endswith("_open") for element in root.iter())
    assert len(rows) == len(picture.nodes) + runs


def test_a_run_grows_the_svg_by_its_rows() -> None:
    root = ElementTree.fromstring(render_svg(Picture(tuple(chain(104)))))
    [animate] = root.findall(f"{SVG}animate")
    assert animate.get("values") == f"{100 * ROW};{100 * ROW}"
    assert animate.get("begin") == "run1_open.click"


def test_text_that_steers_is_taken_out() -> None:
    assert plain("a\x1b[31m\n\u202eb\ud800é字") == "a�[31m��b�é字"
