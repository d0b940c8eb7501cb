"""The report as Markdown, for a comment on a pull request or the summary of a job on GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shelter.versioning.report import NOTHING_FOUND
from shelter.versioning.report.findings import Branch, BranchMigration, Finding, Report
from shelter.versioning.report.mermaid import render_mermaid
from shelter.versioning.report.picture import Mark, Picture, PictureNode, Side, State, plain
from shelter.versioning.report.text import comparison_rows, shortened, tried

_STATES = {True: State.APPLIED, False: State.UNAPPLIED, None: State.UNKNOWN}
# More of a migration's operations than these say no more.
_OPERATIONS = 5
# Letters, digits, what stands between two of them, and the ends of sentences.
_HARMLESS = r"[^\W_]| |(?<=[^\W_])[_-](?=[^\W_])|(?<=[^\W_])[,:](?= )|(?<=[^\W\d_])\.(?= |$)"
_HARMFUL = re.compile(rf"(?!{_HARMLESS}).", re.DOTALL)
# GitHub looks for addresses, people and issues when codes are read.
_CALLS = re.compile("[@#]")


def render_markdown(report: Report) -> str:
    """Return the report as the Markdown of GitHub; with nothing found, one line that says so.

    Of many merges tried, a table with a row for each app in conflict.
    """
    if report.comparisons is not None:
        heading, *rows = (cells for cells, _ in comparison_rows(report.comparisons))
        table = _table(heading, [list(map(_prose, row)) for row in rows])
        return "\n".join((*table, "", tried(report.comparisons)))
    if not report.findings:
        return NOTHING_FOUND
    return "\n\n".join("\n".join(_finding(finding)) for finding in report.findings)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"### {_prose(finding.message)}"
    yield ""
    if finding.branches:
        yield from _table(
            ("side", "migration", "author", "date", "operations"),
            [
                _row(migration, branch)
                for branch in finding.branches
                for migration in branch.migrations
            ],
        )
        yield ""
        yield from _fenced("mermaid", render_mermaid(_picture(finding)).splitlines())
        yield ""
    sentence, *lines = finding.reason.splitlines() or [""]
    if finding.verdict is not None:
        yield f"**Verdict: {finding.verdict}.** {_prose(sentence)}"
        yield ""
    elif sentence:
        yield _prose(sentence)
        yield ""
    if lines:
        # Of a file, which are no prose.
        yield from (*_fenced("text", lines), "")
    if finding.next:
        yield from ("Next:", "", *_fenced("sh", finding.next), "")
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    of = f" with {_code(shortened(finding.ref))}" if finding.ref is not None else ""
    at = f", {_code(place)}" if place else ""
    yield f"<sub>{finding.level} {finding.id}{at}{of}</sub>"


def _row(migration: BranchMigration, branch: Branch) -> list[str]:
    operations = [_prose(operation) for operation in migration.operations[:_OPERATIONS]]
    more = len(migration.operations) - _OPERATIONS
    return [
        _code(shortened(branch.ref)) if branch.ref is not None else "",
        _code(migration.name),
        _prose((migration.author or "not committed").partition(" <")[0]),
        _prose((migration.date or "")[:10]),
        "<br>".join((*operations, *([f"{more} more"] if more > 0 else []))),
    ]


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield "|---" * len(heading) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _fenced(language: str, lines: Sequence[str]) -> list[str]:
    kept = list(map(plain, lines))
    longest = max((len(run) for line in kept for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *kept, fence]


def _picture(finding: Finding) -> Picture:
    """Return the fork and its sides, each drawn as one line of descent."""
    nodes = {name: PictureNode(finding.app, name) for name in finding.fork}
    for branch in finding.branches:
        above = finding.fork
        side = None
        if finding.ref is not None:
            side = Side.THEIRS if branch.ref == finding.ref else Side.MINE
        for migration in branch.migrations:
            is_leaf = migration.name == branch.leaf
            nodes[migration.name] = PictureNode(
                finding.app,
                migration.name,
                parents=tuple((finding.app, name) for name in above),
                state=_STATES[migration.applied],
                marks=frozenset({Mark.LEAF, Mark.CONFLICT} if is_leaf else ()),
                side=side,
                author=migration.author,
                date=migration.date,
            )
            above = (migration.name,)
    mine = next((branch.ref for branch in finding.branches if branch.ref != finding.ref), None)
    sides = () if finding.ref is None else (shortened(mine or "HEAD"), shortened(finding.ref))
    return Picture(tuple(nodes.values()), sides)


def _prose(text: str) -> str:
    """Return `text` so that nothing in it is Markdown, HTML, or calls anybody."""
    text = _CALLS.sub("\\g<0>\N{WORD JOINER}", plain(text))
    return _HARMFUL.sub(lambda found: f"&#{ord(found[0])};", text)


def _code(text: str) -> str:
    """Return `text` as code. In back quotes a table would still find its own signs."""
    return f"<code>{_prose(text)}</code>"
