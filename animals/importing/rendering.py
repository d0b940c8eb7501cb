"""An import's report, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

from animals.importing.importer import ImportReport
from animals.importing.planning import Fate
from animals.importing.records import Remark

_FATES = {
    Fate.NEW_ANIMAL: "new animals",
    Fate.NEW_STAY: "further stays of an animal",
    Fate.UPDATED: "updated",
    Fate.UNCHANGED: "unchanged",
    Fate.DUPLICATE: "duplicates of another row",
    Fate.REJECTED: "rejected",
}


def render_text(path: Path, report: ImportReport) -> str:
    """Return the report as text: the counts, a line a remark, and what was done."""
    lines = [f"{path}: {report.source.title}, {report.rows:,} rows"]
    lines += [f"{report.counts[fate]:10,} {words}" for fate, words in _FATES.items()]
    if not report.source.tells_outcomes:
        lines.append(
            "This source tells intakes only: whatever came in is in care as far as it says."
        )
    if report.unread:
        lines.append(f"Columns not imported: {', '.join(report.unread)}.")
    lines += [render_remark(remark) for remark in report.remarks]
    lines.append(_conclusion(report))
    return "\n".join(lines)


def render_remark(remark: Remark) -> str:
    """Return a remark as one line: where, what, why."""
    place = f"line {remark.line}" + (f", {remark.column}" if remark.column else "")
    value = f"{_shown(remark.value)} " if remark.column else ""
    return f"{place}: {'REJECTED' if remark.rejected else 'note'}: {value}{remark.reason}"


def render_json(path: Path, report: ImportReport) -> str:
    """Return the report as one JSON document (docs/importing.md has its shape)."""
    return json.dumps(
        {
            "version": 1,
            "command": "importanimals",
            "file": str(path),
            "source": report.source.name,
            "rows": report.rows,
            "counts": report.counts,
            "columns_not_imported": report.unread,
            "dry_run": report.dry_run,
            "written": report.written,
            "findings": [
                {
                    "id": remark.kind.value,
                    "level": "error" if remark.rejected else "note",
                    "path": str(path),
                    "line": remark.line,
                    "column": remark.column,
                    "value": remark.value,
                    "message": remark.reason,
                }
                for remark in report.remarks
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _conclusion(report: ImportReport) -> str:
    if report.dry_run:
        return "Dry run: nothing was changed."
    if report.written:
        return "All but the rejected rows were imported." if report.rejections else "Imported."
    if report.rejections:
        return (
            "Nothing was changed. Mend the rejected rows, or import the others with --keep-going."
        )
    return "All of it was here already: nothing was changed."


def _shown(value: str, limit: int = 60) -> str:
    return repr(value if len(value) <= limit else value[: limit - 1] + "…")
