"""The report as text, for people, at 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from shelter.versioning.report.findings import Branch, BranchMigration, Finding, Level, Report

Paint = Callable[[str, str], str]
"""Colours a text in one of Django's style roles: `paint("WARNING", text)`."""

WIDTH = 80
_ROLES = {Level.INFO: "NOTICE", Level.WARNING: "WARNING", Level.ERROR: "ERROR"}


def render_text(report: Report, paint: Paint = lambda _, text: text) -> str:
    """Return the report as text; with nothing found, one line that says so."""
    if not report.findings:
        return paint("SUCCESS", "No conflicting migrations.")
    return "\n\n".join("\n".join(_finding(finding, paint)) for finding in report.findings)


def _finding(finding: Finding, paint: Paint) -> Iterator[str]:
    role = _ROLES[finding.level]
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    heading = f"{finding.level.upper()} {finding.id} {place}"
    yield paint(role, heading if finding.ref is None else f"{heading} with {finding.ref}")
    yield from _wrapped(finding.message, "  ")
    if finding.branches:
        yield ""
        yield from _drawing(finding, paint)
        yield ""
    if finding.verdict is not None:
        yield from _wrapped(f"Verdict: {finding.verdict}. {finding.reason}", "  ")
    elif finding.reason:
        yield from _wrapped(finding.reason, "  ")
    if finding.next:
        yield "  Next:"
        yield from (f"    {paint('SQL_KEYWORD', command)}" for command in finding.next)


def _drawing(finding: Finding, paint: Paint) -> Iterator[str]:
    """Draw the fork and a lane a side; a lane ends with its leaf."""
    count = len(finding.branches)
    if finding.fork:
        yield f"  o  {', '.join(finding.fork)}  (fork)"
        yield "  |" + " ".join("\\" * (count - 1))
    else:
        yield "  (no common ancestor)"
    for number, branch in enumerate(finding.branches):
        before, after = "  " * number, "| " * (count - number - 1)
        for migration in branch.migrations:
            lane = " " if migration.name == branch.leaf else "|"
            yield f"  {before}o {after} {paint('MIGRATE_LABEL', migration.name)}"
            for line in (_origin(migration, branch), *migration.operations):
                yield from _wrapped(line, f"  {before}{lane} {after}     ")


def _origin(migration: BranchMigration, branch: Branch) -> str:
    known = [
        migration.author or "not committed",
        (migration.date or "")[:10],
        (migration.commit or "")[:10],
        branch.ref or "",
        {True: "applied", False: "not applied", None: ""}[migration.applied],
    ]
    return ", ".join(filter(None, known))


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
