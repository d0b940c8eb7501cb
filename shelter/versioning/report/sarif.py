"""The report as SARIF 2.1.0, the static analysis results interchange format of OASIS."""

from __future__ import annotations

import json
from urllib.parse import quote

from shelter.versioning.report.findings import RULES, Finding, Level, Report
from shelter.versioning.report.github import places

_LEVELS = {Level.INFO: "note", Level.WARNING: "warning", Level.ERROR: "error"}
_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def render_sarif(report: Report) -> str:
    """Return the report as one SARIF log with one run."""
    driver = {
        "name": "shelter.versioning",
        "rules": [
            {"id": identity, "shortDescription": {"text": text}} for identity, text in RULES.items()
        ],
    }
    return json.dumps(
        {
            "$schema": _SCHEMA,
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": list(map(_result, report.findings))}],
        },
        indent=2,
        ensure_ascii=False,
    )


def _result(finding: Finding) -> dict[str, object]:
    verdict = f" Verdict: {finding.verdict}." if finding.verdict is not None else ""
    text = " ".join(filter(None, (finding.message + verdict, finding.reason)))
    return {
        "ruleId": finding.id,
        "ruleIndex": list(RULES).index(finding.id),
        "level": _LEVELS[finding.level],
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path, errors="surrogateescape")},
                    "region": {"startLine": line},
                }
            }
            for path, line in places(finding)
            if path
        ],
        "properties": {"app": finding.app, "ref": finding.ref, "next": list(finding.next)},
    }
