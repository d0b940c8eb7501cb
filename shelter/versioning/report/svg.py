"""The picture as SVG 1.1 with SMIL: a file by itself, or a part of an HTML page.

A straight run is unfolded and folded again by SMIL's animations, which begin at a click on a link:
they are attributes and elements alone, and so work without a script, without a style of one's own,
and under any Content-Security-Policy. Where they do not run, the folded picture is seen.

Whatever is below a run moves with it, by standing in the group after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from shelter.versioning.report.picture import (
    NAME_WIDTH,
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
    tooltip_of,
    words_of,
    words_of_run,
)

ROW = 26
LANE = 18
RADIUS = 6
LETTER = 8.0
"""Of a letter of 13px: a little more than monospaced fonts give it."""

STYLESHEET = Path(__file__).parent.parent / "static/versioning/picture.css"

_MARGIN = 12
_HEADING = 34
_WORDS = 50
_ABOUT = 90
# XML parsers refuse what is nested deeper than some hundred levels.
_MOST_RUNS = 60


@cache
def stylesheet() -> str:
    """Return the style that a picture needs, which is the same for all."""
    return STYLESHEET.read_text()


def render_svg(
    picture: Picture, *, style: bool = True, prefix: str = "", title: str = "Migrations"
) -> str:
    """Return `picture` as an `svg` element.

    Without the `style` it has none, and the page is to have the one of `stylesheet()`, a static
    file (`versioning/picture.css`): so a strict Content-Security-Policy lets it through. `prefix`
    keeps the ids of several pictures in one page apart.
    """
    drawing = _Drawing(picture, prefix)
    body = drawing.body()
    dark = f"<style>{escape(stylesheet())}</style>" if style else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="migrations-picture" '
        f'width="{drawing.width}" height="{drawing.height}" role="graphics-document" '
        f'aria-label={_quoted(title)} font-family="monospace" font-size="13">'
        f"<title>{_text(title)}</title>{dark}{body}</svg>"
    )


class _Drawing:
    def __init__(self, picture: Picture, prefix: str) -> None:
        self.picture = picture
        self.prefix = prefix
        self.parts = {app: rows_of(picture.only(app)) for app in picture.apps}
        longest = {
            app: max(cells(_name(node)) for row in rows for node in row.nodes)
            for app, rows in self.parts.items()
        }
        self.names = {app: round(longest[app] * LETTER) for app in self.parts}
        self.words = {
            app: max(cells(self._words(node)) for row in rows for node in row.nodes)
            for app, rows in self.parts.items()
        }
        self.lanes = {
            app: 1 + max(max(row.lane, *(line.above for line in row.lines), 0) for row in rows)
            for app, rows in self.parts.items()
        }
        self.width = 0
        self.height = _MARGIN
        self.runs = 0
        self.growths: list[str] = []

    def body(self) -> str:
        """Return what is drawn, and set the size."""
        said: list[str] = []
        opened = 0
        for app, rows in self.parts.items():
            said.append(self._heading(app))
            self.height += _HEADING
            for row in rows:
                if row.is_run and self.runs < _MOST_RUNS:
                    said += self._run(row, app)
                    opened += 1
                else:
                    for alone in row.unfolded():
                        said += self._row(alone, app, self.height)
                        self.height += ROW
            self.height += _MARGIN
        if not self.parts:
            said.append(
                f'<text x="{_MARGIN}" y="{_MARGIN + 18}" class="faint">No migrations.</text>'
            )
            self.width, self.height = 200, _MARGIN * 2 + 24
        self.width += _MARGIN
        return "".join((*self.growths, *said, "</g>" * opened))

    def _heading(self, app: str) -> str:
        y = self.height + 22
        self.width = max(self.width, round(_MARGIN * 2 + cells(plain(app)) * 10))
        return f'<text class="app" x="{_MARGIN}" y="{y}" font-weight="bold">{_text(app)}</text>'

    def _row(self, row: Row, app: str, y: int) -> Iterator[str]:
        """Yield one migration's lines, its dot and what is said of it."""
        yield from self._lines(row, y)
        (node,) = row.nodes
        x, middle = self._x(row.lane), y + ROW // 2
        classes = " ".join(
            filter(None, ["node", node.state, *sorted(node.marks), str(node.side or "")])
        )
        begin = _MARGIN + self.lanes[app] * LANE + 4
        name = _name(node)
        words = self._words(node)
        about = cut(about_of(node), _ABOUT)
        at_words = begin + self.names[app] + 16
        at_about = at_words + (round(self.words[app] * LETTER) + 16 if self.words[app] else 0)
        end = round(at_about + cells(about) * LETTER)
        self.width = max(self.width, end)
        yield (
            f'<g class="{classes}" role="graphics-symbol" tabindex="0">'
            f"<title>{_text_lines(tooltip_of(node, self.picture.sides))}</title>"
            f'<rect class="back" x="{_MARGIN // 2}" y="{y + 1}" width="{end - _MARGIN // 2 + 4}" '
            f'height="{ROW - 2}" rx="4" fill="none"/>'
        )
        yield _dot(node, x, middle)
        yield f'<text class="name" x="{begin}" y="{middle + 5}">{_text(name)}</text>'
        if words:
            yield f'<text class="words" x="{at_words}" y="{middle + 5}">{_text(words)}</text>'
        if about:
            yield f'<text class="faint" x="{at_about}" y="{middle + 5}">{_text(about)}</text>'
        yield "</g>"

    def _run(self, row: Row, app: str) -> Iterator[str]:
        """Yield a straight run, folded and unfolded; the group that it opens is left open."""
        self.runs += 1
        # SMIL takes a hyphen in an id for a minus.
        name = f"{self.prefix}run{self.runs}".replace("-", "_")
        more = ROW * len(row.nodes)
        when = f'begin="{name}_open.click" end="{name}_close.click"'
        y, x = self.height, self._x(row.lane)
        state = row.nodes[0].state
        label = words_of_run(row.nodes)
        begin = _MARGIN + self.lanes[app] * LANE + 4
        end = round(begin + cells(label) * LETTER)
        self.width = max(self.width, end + 16)
        back = (
            f'<rect class="back" x="{_MARGIN // 2}" y="{y + 1}" width="{end + 12}" '
            f'height="{ROW - 2}" rx="4" fill="none"/>'
        )
        dots = "".join(
            f'<circle class="dot" cx="{x}" cy="{y + ROW // 2 + offset}" r="2"/>'
            for offset in (-7, 0, 7)
        )
        yield f'<g id="{name}">'
        yield "".join(self._lines(row, y))
        yield (
            f'<g class="{state}"><set attributeName="display" to="none" {when}/>'
            f'<a id="{name}_open" href="#{name}">'
            f"<title>Show {len(row.nodes)} migrations</title>{back}{dots}"
            f'<text x="{begin}" y="{y + ROW // 2 + 5}">▸ {_text(label)}</text></a></g>'
        )
        yield f'<g class="{state}" display="none"><set attributeName="display" to="inline" {when}/>'
        passing = row.unfolded()[0]
        yield "".join(self._lines(passing, y))
        yield (
            f'<a id="{name}_close" href="#{name}"><title>Hide {len(row.nodes)} migrations</title>'
            f'{back}<text x="{begin}" y="{y + ROW // 2 + 5}">▾ {_text(label)}</text></a>'
        )
        for number, alone in enumerate(row.unfolded(), 1):
            yield from self._row(alone, app, y + ROW * number)
        yield "</g></g>"
        yield f"<g>{_growth('animateTransform', 'transform', f'0 {more}', when)}"
        self.growths.append(_growth("animate", "height", str(more), when))
        self.height += ROW

    def _lines(self, row: Row, y: int) -> Iterator[str]:
        middle, below = y + ROW // 2, y + ROW + ROW // 2
        for line in row.lines:
            a, b = self._x(line.above), self._x(line.below)
            bend = f"V{below}" if a == b else f"C{a} {middle + 18},{b} {below - 18},{b} {below}"
            side = f" {line.side}" if line.side else ""
            yield f'<path class="line{side}" d="M{a} {middle}{bend}" fill="none" stroke="gray"/>'

    def _words(self, node: PictureNode) -> str:
        return cut(", ".join(words_of(node, self.picture.sides)), _WORDS)

    def _x(self, lane: int) -> int:
        return _MARGIN + LANE // 2 + lane * LANE


def _growth(element: str, attribute: str, by: str, when: str) -> str:
    kind = ' type="translate"' if element == "animateTransform" else ""
    return (
        f'<{element} attributeName="{attribute}"{kind} values="{by};{by}" dur="1s" '
        f'repeatCount="indefinite" additive="sum" {when}/>'
    )


def _dot(node: PictureNode, x: int, y: int) -> str:
    if node.side is Side.THEIRS:
        size = RADIUS + 1
        shape = (
            f'<path class="dot" d="M{x} {y - size}L{x + size} {y}L{x} {y + size}L{x - size} {y}Z" '
        )
    else:
        shape = f'<circle class="dot" cx="{x}" cy="{y}" r="{RADIUS}" '
    shape += 'fill="white" stroke="gray"/>'
    if node.state is State.APPLIED:
        shape += f'<path class="sign" d="M{x - 3} {y}l2 2.5l4 -5" fill="none" stroke="gray"/>'
    return shape


def _name(node: PictureNode) -> str:
    return cut(plain(node.name), NAME_WIDTH)


def _text_lines(lines: Sequence[str]) -> str:
    return "\n".join(map(_text, lines))


def _text(text: str) -> str:
    return escape(plain(text))


def _quoted(text: str) -> str:
    return quoteattr(plain(text))
