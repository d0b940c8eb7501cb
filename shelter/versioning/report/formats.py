"""The formats of a report, each rendered by its own module."""

from __future__ import annotations

from shelter.versioning.report.findings import Report

FORMATS = ("text", "json")


def render(report: Report, form: str) -> str:
    """Return `report` in the format `form`, one of FORMATS, without colour."""
    if form == "json":
        from shelter.versioning.report.json import render_json  # noqa: PLC0415

        return render_json(report)
    from shelter.versioning.report.text import render_text  # noqa: PLC0415

    return render_text(report)
