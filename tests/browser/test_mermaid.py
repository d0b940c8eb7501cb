"""The flowchart, as mermaid itself draws it in a page: nothing injected, whatever the names are."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from shelter.versioning.report.mermaid import render_mermaid
from shelter.versioning.report.picture import Picture, PictureNode, boxes_of, plain
from tests.parsers import MERMAID
from tests.versioning.report.test_picture import HOSTILE, chain, hostile, pictures

pytestmark = [pytest.mark.browser, pytest.mark.mermaid]

MARKUP = [
    '"]; click n0 href "javascript:alert(1)"',
    "`**bold** _it_`",
    "%%{init: {'securityLevel': 'loose'}}%%",
    "#quot;#60;b#62;#35;",
    "1. one",
    "- one",
    "www.example.org a@b.org https://x.y",
    "end\nsubgraph",
    "fa:fa-car $$x^2$$",
    "<img src=x onerror=alert(1)>",
    "style n0 fill:#f00;",
    "---\ntitle: x\n---",
    "&lt;b&gt;",
    "\\n\\N \\",
    "a|b;c",
    "\\n",
    "$$$x$$",
]

DRAW = """
async text => {
    await mermaid.parse(text);
    const {svg} = await mermaid.render('drawing', text);
    document.body.innerHTML = svg;
    const labels = selector => [...document.querySelectorAll(selector)].map(label => {
        label.querySelectorAll('br').forEach(line => line.replaceWith('\\n'));
        return label.textContent;
    });
    const found = {
        nodes: labels('.node'),
        clusters: labels('.cluster-label'),
        arrows: document.querySelectorAll('.edgePaths path').length,
        foreign: [...document.body.querySelectorAll('*')].filter(element =>
            /^(a|script|img|iframe|object|embed|link|form|em|strong|code)$/i.test(element.tagName)
            || [...element.attributes].some(({name, value}) =>
                /^on/i.test(name) || /javascript:/i.test(value))
        ).map(element => element.outerHTML),
    };
    document.body.innerHTML = '';
    return found;
}
"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """Return a page with mermaid in it, as GitHub sets it up."""
    page = browser.new_page()
    page.add_script_tag(path=MERMAID)
    page.evaluate("mermaid.initialize({startOnLoad: false, securityLevel: 'strict'})")
    yield page
    page.close()


def drawn(page: Page, text: str) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(DRAW, text)
    return found


def words(lines: list[str]) -> str:
    """Return text as a page shows it: white space is one space, at the ends none."""
    return " ".join("\n".join(lines).replace("\N{WORD JOINER}", "").split())


@given(
    picture=pictures(broken=True),
    names=st.lists(HOSTILE | st.sampled_from(MARKUP), min_size=1, max_size=5),
    fold=st.booleans(),
)
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_mermaid_draws_each_box_with_its_lines_and_nothing_else(
    page: Page, picture: Picture, names: list[str], fold: bool
) -> None:
    picture = hostile(picture, names)
    boxes, arrows = boxes_of(picture, fold=fold)
    found = drawn(page, render_mermaid(picture, fold=fold))
    assert sorted(words([node]) for node in found["nodes"]) == sorted(
        words(box.lines(picture.sides)) for those in boxes.values() for box in those
    )
    assert sorted(words([title]) for title in found["clusters"]) == sorted(
        words([plain(app)]) for app in boxes
    )
    assert found["arrows"] == len(arrows)
    assert found["foreign"] == []


def test_no_markup_that_mermaid_knows_is_markup(page: Page) -> None:
    picture = Picture(tuple(PictureNode("zoo", name) for name in MARKUP))
    found = drawn(page, render_mermaid(picture))
    assert sorted(words([node]) for node in found["nodes"]) == sorted(
        words([plain(name)]) for name in MARKUP
    )
    assert found["foreign"] == []


@pytest.mark.parametrize("picture", [Picture(()), Picture(tuple(chain(400)))], ids=["0", "400"])
def test_mermaid_draws_nothing_and_much(page: Page, picture: Picture) -> None:
    found = drawn(page, render_mermaid(picture, fold=False))
    assert len(found["nodes"]) == len(picture.nodes)
