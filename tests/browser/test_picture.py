"""The picture in a real browser: by itself, and in a page that allows no script and no style."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator

from shelter.versioning.report.picture import Picture
from shelter.versioning.report.svg import ROW, render_svg
from tests.versioning.report.test_picture import chain

pytestmark = pytest.mark.browser

STRICT = (
    "<!doctype html><html lang='en'><title>Migrations</title><meta "
    "http-equiv='Content-Security-Policy' content=\"default-src 'none'\"><body>{}<p>After</p>"
)


def heights(svg: Locator) -> float:
    box = svg.bounding_box()
    assert box is not None
    return box["height"]


@pytest.mark.parametrize("inline", [False, True], ids=["alone", "in a page"])
def test_a_run_is_unfolded_and_folded_by_the_keyboard(
    browser: Browser, tmp_path: Path, *, inline: bool
) -> None:
    picture = Picture(tuple(chain(24)))
    path = tmp_path / ("page.html" if inline else "picture.svg")
    drawn = render_svg(picture, style=not inline, prefix="zoo-")
    path.write_text(STRICT.format(drawn) if inline else drawn)
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(path.as_uri())
    svg = page.locator("svg")
    before = heights(svg)
    hidden, oldest = page.get_by_text("0010", exact=True), page.get_by_text("0001", exact=True)
    assert not hidden.is_visible()
    at = oldest.bounding_box()
    page.locator("#zoo_run1_open").focus()
    page.keyboard.press("Enter")
    hidden.wait_for()
    assert heights(svg) == before + 20 * ROW
    moved = oldest.bounding_box()
    assert at is not None
    assert moved is not None
    assert moved["y"] - at["y"] + page.evaluate("scrollY") == 20 * ROW
    page.locator("#zoo_run1_close").focus()
    page.keyboard.press("Enter")
    hidden.wait_for(state="hidden")
    assert heights(svg) == before
    assert complaints == []
    page.close()
