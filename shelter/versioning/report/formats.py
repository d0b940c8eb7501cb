"""The formats of a report, each rendered by its own module."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from shelter.versioning.report.findings import Report

if TYPE_CHECKING:
    from shelter.versioning.report.picture import Picture

Paint = Callable[[str, str], str]
"""Colours a text in one of Django's style roles: `paint("WARNING", text)`."""


FORMATS = ("text", "json", "github", "markdown", "sarif")


def render(report: Report, form: str, paint: Paint = lambda _, text: text) -> str:
    """Return `report` in the format `form`, one of FORMATS; `paint` colours text.

    Each renderer is imported when it is asked for: a program that starts for every commit pays for
    the one it uses.
    """
    if form == "json":
        from shelter.versioning.report.json import render_json  # noqa: PLC0415

        return render_json(report)
    if form == "github":
        from shelter.versioning.report.github import render_github  # noqa: PLC0415

        return render_github(report)
    if form == "markdown":
        from shelter.versioning.report.markdown import render_markdown  # noqa: PLC0415

        return render_markdown(report)
    if form == "sarif":
        from shelter.versioning.report.sarif import render_sarif  # noqa: PLC0415

        return render_sarif(report)
    from shelter.versioning.report.text import render_text  # noqa: PLC0415

    return render_text(report, paint)


DRAWINGS = ("text", "mermaid", "dot", "svg")


def draw(
    picture: Picture,
    form: str,
    paint: Paint = lambda _, text: text,
    *,
    width: int | None = None,
    encoding: str | None = None,
    fold: bool = True,
) -> str:
    """Return `picture` in the format `form`, one of DRAWINGS.

    Text is coloured by `paint`, cut to `width`, and has what `encoding` can say: box-drawing
    letters where it has those. With `fold`, straight runs of migrations are drawn as one; SVG
    unfolds them at a click.
    """
    if form == "svg":
        from shelter.versioning.report.svg import render_svg  # noqa: PLC0415

        return render_svg(picture)
    if form == "mermaid":
        from shelter.versioning.report.mermaid import render_mermaid  # noqa: PLC0415

        return render_mermaid(picture, fold=fold)
    if form == "dot":
        from shelter.versioning.report.dot import render_dot  # noqa: PLC0415

        return render_dot(picture, fold=fold)
    from shelter.versioning.report.terminal import WIDTH, render_terminal  # noqa: PLC0415

    return render_terminal(
        picture, paint, width=width or WIDTH, encoding=encoding or "utf-8", fold=fold
    )
