"""The report as JSON, for other programs. docs/findings.schema.json is its schema."""

from __future__ import annotations

import json
from dataclasses import asdict

from shelter.versioning.report.findings import Report

SHAPE_VERSION = 1


def render_json(report: Report) -> str:
    """Return the report as one JSON document."""
    return json.dumps(
        {
            "version": SHAPE_VERSION,
            "command": report.command,
            "findings": [asdict(finding) for finding in report.findings],
        },
        indent=2,
        ensure_ascii=False,
    )
