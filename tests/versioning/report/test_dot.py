"""DOT, as Graphviz reads it: nothing injected, whatever the names are."""

import json
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shelter.versioning.report.dot import render_dot
from shelter.versioning.report.picture import Picture, PictureNode, boxes_of, plain
from tests.versioning.report.test_picture import HOSTILE, chain, hostile, pictures

ESCAPES = st.sampled_from(
    ["\\", '\\"', '"];x->y;//', "\\N\\G\\n\\l", "&lt;&#60;", "<b>b</b>", "a;b#c"]
)


def laid_out(text: str) -> dict[str, Any]:
    """Return what Graphviz makes of `text`, which it must take without a word."""
    done = subprocess.run(
        ["dot", "-Tjson"], input=text.encode(), capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def written(thing: dict[str, Any]) -> list[str]:
    """Return the lines of text that are drawn in a node or a cluster."""
    return [drawn["text"] for drawn in thing["_ldraw_"] if drawn["op"] == "T"]


def test_the_text_is_plain() -> None:
    (last,) = chain(7)[-1:]
    nodes = (*chain(7), PictureNode("farm", "0001", (last.key,)))
    assert render_dot(Picture(nodes)).splitlines() == [
        "digraph migrations {",
        '  graph [fontname="sans-serif"]',
        '  node [fontname="monospace", shape=box, style="rounded,filled", fillcolor=white]',
        "  subgraph cluster_0 {",
        '    label="zoo"',
        '    n0 [label="✓ 0001", tooltip="zoo.0001\\napplied", fillcolor="#dafbe1"]',
        '    n1 [label="✓ 0002", tooltip="zoo.0002\\napplied", fillcolor="#dafbe1"]',
        '    n2 [label="✓ 0003", tooltip="zoo.0003\\napplied", fillcolor="#dafbe1"]',
        '    n3 [label="✓ 0004", tooltip="zoo.0004\\napplied", fillcolor="#dafbe1"]',
        '    n4 [label="✓ 0005", tooltip="zoo.0005\\napplied", fillcolor="#dafbe1"]',
        '    n5 [label="✓ 0006", tooltip="zoo.0006\\napplied", fillcolor="#dafbe1"]',
        '    n6 [label="✓ 0007\\nleaf", tooltip="zoo.0007\\napplied, leaf", fillcolor="#dafbe1"]',
        "  }",
        "  subgraph cluster_1 {",
        '    label="farm"',
        '    n7 [label="0001", tooltip="farm.0001\\nunknown\\nafter zoo.0007"]',
        "  }",
        "  n0 -> n1",
        "  n1 -> n2",
        "  n2 -> n3",
        "  n3 -> n4",
        "  n4 -> n5",
        "  n5 -> n6",
        "  n6 -> n7 [style=dashed]",
        "}",
    ]


@pytest.mark.graphviz
@given(
    pictures(broken=True),
    st.lists(HOSTILE | ESCAPES, min_size=1, max_size=5),
    st.booleans(),
)
@settings(deadline=None, max_examples=50)
def test_graphviz_draws_each_box_with_its_lines_and_nothing_else(
    picture: Picture, names: list[str], fold: bool
) -> None:
    picture = hostile(picture, names)
    boxes, arrows = boxes_of(picture, fold=fold)
    graph = laid_out(render_dot(picture, fold=fold))
    things = graph.get("objects", [])
    # Graphviz lists subgraphs by ids that are addresses in its memory: their order says nothing.
    assert {thing["name"]: written(thing) for thing in things} == {
        f"cluster_{number}": [plain(app)] for number, app in enumerate(boxes)
    } | {box.name: box.lines(picture.sides) for those in boxes.values() for box in those}
    names_of = [thing["name"] for thing in things]
    found = [(names_of[edge["tail"]], names_of[edge["head"]]) for edge in graph.get("edges", [])]
    assert sorted(found) == sorted((arrow.start, arrow.end) for arrow in arrows)
    assert not {key for thing in things for key in thing} & {"URL", "href", "image", "shapefile"}
