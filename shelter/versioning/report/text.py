"""The report as text, for people, at 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from shelter.versioning.report import NOTHING_FOUND
from shelter.versioning.report.findings import (
    Branch,
    BranchMigration,
    Comparison,
    Finding,
    Level,
    Report,
)
from shelter.versioning.report.formats import Paint

WIDTH = 80
_ALL_WELL = {
    "dbstatus": "The database is as this checkout expects.",
    "dbsync": "The database is as this checkout expects.",
    "rebasemigrations": "Nothing to rebase.",
}
_ROLES = {Level.INFO: "NOTICE", Level.WARNING: "WARNING", Level.ERROR: "ERROR"}


def render_text(report: Report, paint: Paint = lambda _, text: text) -> str:
    """Return the report as text; with nothing found, one line that says so.

    Of many merges tried, a table with a row for each app in conflict.
    """
    if report.comparisons is not None:
        return "\n".join(_table(report.comparisons, paint))
    if not report.findings:
        return paint("SUCCESS", _ALL_WELL.get(report.command, NOTHING_FOUND))
    return "\n\n".join("\n".join(_finding(finding, paint)) for finding in report.findings)


def _finding(finding: Finding, paint: Paint) -> Iterator[str]:
    role = _ROLES[finding.level]
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    heading = f"{finding.level.upper()} {finding.id} {place}".rstrip()
    of = "" if finding.ref is None else f" with {shortened(finding.ref)}"
    yield paint(role, f"{heading}{of}")
    yield from _wrapped(finding.message, "  ")
    if finding.branches:
        yield ""
        yield from _drawing(finding, paint)
        yield ""
    if finding.verdict is not None:
        yield from _wrapped(f"Verdict: {finding.verdict}. {finding.reason}", "  ")
    elif finding.reason:
        sentence, *lines = finding.reason.splitlines()
        yield from _wrapped(sentence, "  ")
        # Lines of a file, which are no prose.
        yield from (f"    {line}" for line in lines)
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
        shortened(branch.ref or ""),
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


def shortened(ref: str) -> str:
    """Return a ref as people say it: of a full commit id its beginning."""
    return ref[:10] if len(ref) in (40, 64) and not ref.strip("0123456789abcdef") else ref


def _table(comparisons: Sequence[Comparison], paint: Paint) -> Iterator[str]:
    """Yield a row for each finding and each clean merge; the leaves, in the end, are wrapped."""
    rows, levels = zip(*comparison_rows(comparisons), strict=True)
    roles = ["MIGRATE_HEADING", *(_ROLES[level] if level else "SUCCESS" for level in levels[1:])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    indent = sum(widths) + 2 * len(widths)
    for role, row in zip(roles, rows, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        first, *others = textwrap.wrap(
            row[-1], max(WIDTH - indent, 30), break_long_words=False, break_on_hyphens=False
        ) or [""]
        yield paint(role, "  ".join((*cells, first)).rstrip())
        yield from (paint(role, " " * indent + line) for line in others)
    yield ""
    yield tried(comparisons)


def comparison_rows(
    comparisons: Sequence[Comparison],
) -> Iterator[tuple[tuple[str, ...], Level | None]]:
    """Yield a heading, and a row for each finding and, without a level, each clean merge."""
    many = len({comparison.head for comparison in comparisons}) > 1
    branches = ("branch", "with") if many else ("branch",)
    yield (*branches, "app", "verdict", "authors", "leaves"), None
    for comparison in comparisons:
        names = (comparison.head, comparison.ref) if many else (comparison.ref,)
        findings = [found for found in comparison.findings if found.level is not Level.INFO]
        if not findings:
            yield (*map(shortened, names), "-", "clean", "", ""), None
        for finding in findings:
            people = {
                (migration.author or "not committed").partition(" <")[0]
                for branch in finding.branches
                for migration in branch.migrations
            }
            row = (
                *map(shortened, names),
                finding.app or "?",
                finding.id if finding.verdict is None else str(finding.verdict),
                ", ".join(sorted(people)),
                ", ".join(finding.leaves) or finding.message,
            )
            yield row, finding.level


def tried(comparisons: Sequence[Comparison]) -> str:
    """Return in a sentence how many merges were tried, and of how many there is a finding."""
    found = sum(
        any(finding.level is not Level.INFO for finding in comparison.findings)
        for comparison in comparisons
    )
    return f"{len(comparisons)} merges tried, {found} with findings."
