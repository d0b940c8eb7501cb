"""The state of databases in one line."""

from __future__ import annotations

from collections.abc import Collection

from shelter.versioning.report.findings import Report

_WORDS = {
    "versioning.I002": "git is waiting",
    "versioning.W001": "conflict",
    "versioning.W002": "hole",
    "versioning.W003": "circle",
    "versioning.W010": "ghosts",
    "versioning.W011": "ghosts in the way",
    "versioning.W012": "edited",
    "versioning.W013": "out of order",
    "versioning.W014": "half done",
    "versioning.W015": "drift",
    "versioning.W016": "behind",
    "versioning.W017": "no migration",
    "versioning.W018": "renamed",
    "versioning.W019": "squash",
    "versioning.I003": "stopped",
}


def in_short(report: Report, databases: Collection[str]) -> str:
    """Return the report in one line, for a prompt or a hook."""
    words: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.id in _WORDS:
            words.setdefault(_WORDS[finding.id], []).append(finding.app)
    told = [
        f"{word} ({', '.join(dict.fromkeys(filter(None, where)))})" if any(where) else word
        for word, where in words.items()
    ]
    return f"{', '.join(databases)}: {'; '.join(told) or 'up to date'}"
