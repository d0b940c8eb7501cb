"""The picture in the language of Graphviz, whose programs lay it out."""

from __future__ import annotations

from collections.abc import Iterable

from shelter.versioning.report.picture import (
    Box,
    Mark,
    Picture,
    Side,
    State,
    boxes_of,
    plain,
    tooltip_of,
)

_STATES = {
    State.APPLIED: 'fillcolor="#dafbe1"',
    State.UNAPPLIED: 'fillcolor="#fff8c5"',
    State.GHOST: 'fillcolor="#f6f8fa", style="rounded,filled,dashed"',
}
_SIDES = {Side.MINE: 'fillcolor="#ddf4ff"', Side.THEIRS: 'fillcolor="#fbefff"'}
_CONFLICT = 'color="#cf222e", penwidth=3'


def render_dot(picture: Picture, *, fold: bool = True) -> str:
    """Return `picture` as a directed graph, a cluster for each app; with `fold`, runs share a box.

    The older is above the newer.
    """
    boxes, arrows = boxes_of(picture, fold=fold)
    lines = [
        "digraph migrations {",
        '  graph [fontname="sans-serif"]',
        '  node [fontname="monospace", shape=box, style="rounded,filled", fillcolor=white]',
    ]
    for number, (app, those) in enumerate(boxes.items()):
        lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted([app])}"]
        lines += (f"    {box.name} [{_attributes(box, picture.sides)}]" for box in those)
        lines.append("  }")
    lines += (
        f"  {arrow.start} -> {arrow.end}{' [style=dashed]' if arrow.across else ''}"
        for arrow in arrows
    )
    return "\n".join((*lines, "}"))


def _attributes(box: Box, sides: tuple[str, ...]) -> str:
    node = box.nodes[0]
    tooltip = tooltip_of(node, sides) if len(box.nodes) == 1 else [each.name for each in box.nodes]
    fill = _STATES.get(node.state, "") if node.side is None else _SIDES[node.side]
    parts = [
        f"label={_quoted(box.lines(sides))}",
        f"tooltip={_quoted(tooltip)}",
        fill,
        _CONFLICT if Mark.CONFLICT in node.marks else "",
    ]
    return ", ".join(filter(None, parts))


def _quoted(lines: Iterable[str]) -> str:
    """Return `lines` as a string of DOT, in which Graphviz reads escapes and HTML's entities."""
    escaped = (
        plain(line).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
        for line in lines
    )
    return '"' + "\\n".join(escaped) + '"'
