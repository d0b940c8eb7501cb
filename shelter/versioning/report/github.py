"""The report as annotations of GitHub's workflow commands, on file and line."""

from __future__ import annotations

from collections.abc import Iterator

from shelter.versioning.report.findings import Finding, Level, Report

_COMMANDS = {Level.INFO: "notice", Level.WARNING: "warning", Level.ERROR: "error"}


def render_github(report: Report) -> str:
    """Return a line for each place of each finding; nothing where nothing was found.

    The form is that of GitHub's workflow commands: `::warning file=…,line=…,title=…::message`.
    """
    return "\n".join(line for finding in report.findings for line in _annotations(finding))


def _annotations(finding: Finding) -> Iterator[str]:
    verdict = f"Verdict: {finding.verdict}. " if finding.verdict is not None else ""
    parts = [finding.message, f"{verdict}{finding.reason}", *finding.next]
    message = _escaped("\n".join(filter(None, parts)))
    for path, line in places(finding):
        where = f"file={_property(path)},line={line}," if path else ""
        yield f"::{_COMMANDS[finding.level]} {where}title={_property(finding.id)}::{message}"


def places(finding: Finding) -> list[tuple[str, int]]:
    """Return the files and lines to show a finding at: of several leaves, each leaf's file."""
    leaves = [
        (migration.path, migration.line)
        for branch in finding.branches
        for migration in branch.migrations
        if migration.name == branch.leaf
    ]
    return leaves or [(finding.path, finding.line or 1)]


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
