"""The picture as a flowchart of mermaid, which GitHub draws in a ```mermaid block."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shelter.versioning.report.picture import Mark, Picture, Side, State, boxes_of, plain

# A migration has the colours of its state, of its side, of a conflict: the later ones win.
_STYLES = {
    State.APPLIED: "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    State.UNAPPLIED: "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    State.GHOST: "fill:#f6f8fa,stroke:#57606a,color:#1f2328,stroke-dasharray:4",
    Side.MINE: "fill:#ddf4ff,stroke:#0969da,color:#1f2328",
    Side.THEIRS: "fill:#fbefff,stroke:#8250df,color:#1f2328",
    Mark.CONFLICT: "stroke:#cf222e,stroke-width:3px",
}
# Letters, digits, and what stands between two of them.
_HARMLESS = r"[^\W_]| |(?<=[^\W_])[_-](?=[^\W_])|(?<=[^\W_]),(?= )"
# Mermaid looks for formulas ($$), icons (fa:fa-car) and "\n" when it has decoded all codes.
_DECODED = re.compile(r"\$(?=\$)|:(?=\w)|\\(?=n)")
_HARMFUL = re.compile(rf"(?!{_HARMLESS}).", re.DOTALL)


def render_mermaid(picture: Picture, *, fold: bool = True) -> str:
    """Return `picture` as a flowchart, a subgraph for each app; with `fold`, runs share a box."""
    boxes, arrows = boxes_of(picture, fold=fold)
    lines = ["flowchart TB"]
    members: dict[str, list[str]] = {}
    for number, (app, those) in enumerate(boxes.items()):
        # A subgraph takes the direction of the whole only where an arrow leaves it.
        lines += (f'  subgraph app{number}["{escaped(plain(app))}"]', "    direction TB")
        for box in those:
            label = "<br>".join(map(escaped, box.lines(picture.sides)))
            lines.append(f'    {box.name}["{label}"]')
            node = box.nodes[0]
            for style in (node.state, node.side, *node.marks):
                if style in _STYLES:
                    members.setdefault(style, []).append(box.name)
        lines.append("  end")
    lines += (
        f"  {arrow.start} {'-.->' if arrow.across else '-->'} {arrow.end}" for arrow in arrows
    )
    lines += _classes(members)
    return "\n".join(lines)


def _classes(members: dict[str, list[str]]) -> Iterator[str]:
    for name, style in _STYLES.items():
        if name in members:
            yield f"  classDef {name} {style}"
            yield f"  class {','.join(members[name])} {name}"


def escaped(text: str) -> str:
    """Return `text` for a label in double quotes.

    Mermaid has no escapes but the codes of characters, between `#` and `;`. In labels it reads
    Markdown and HTML, and directives in all of the text: so whatever is not plainly a word is
    written in codes.
    """
    text = _DECODED.sub("\\g<0>\N{WORD JOINER}", text)
    return _HARMFUL.sub(lambda found: f"#{ord(found[0])};", text)
