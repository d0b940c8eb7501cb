"""Import a public shelter's intake file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from animals.importing.importer import ImportFailedError, ImportReport, import_file
from animals.importing.records import UnusableFileError
from animals.importing.rendering import render_json, render_remark, render_text
from animals.importing.sources import SOURCES


class Command(BaseCommand):
    """Import a public shelter's intake file."""

    help = (
        "Imports the animals and stays of a public shelter's intake file (CSV). Each row is "
        "accepted, or named with its line, column, value and the reason. All or nothing: a "
        "rejected row stops the import unless --keep-going. Exits 0 when every row was accepted, "
        "1 when some were rejected, 2 when the file cannot be imported at all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="The CSV file, in UTF-8.")
        parser.add_argument(
            "--source", choices=sorted(SOURCES), help="Whose file it is (default: by its header)."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Report what would be done; change nothing."
        )
        parser.add_argument(
            "--keep-going", action="store_true", help="Import the good rows when some are rejected."
        )
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="How to write the report."
        )
        parser.add_argument(
            "--report",
            metavar="FILE",
            type=Path,
            help="Where to write the report (default: standard output).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        place: Path | None = options["report"]
        if place is not None:
            # Before anything is imported: a report that has nowhere to go is found out in time.
            _write_report(place, "", besides=path)
        try:
            report = import_file(
                path,
                source=options["source"],
                dry_run=options["dry_run"],
                keep_going=options["keep_going"],
                progress=options["verbosity"] > 0,
            )
        except (UnusableFileError, ImportFailedError) as error:
            raise CommandError(f"{path}: {error}", returncode=2) from error
        text = _rendered(path, report, options["format"], options["verbosity"])
        if place is not None:
            _write_report(place, text, besides=path)
        elif text:
            self.stdout.write(text)
        if report.rejections:
            count = len(report.rejections)
            rows = "1 row was rejected" if count == 1 else f"{count:,} rows were rejected"
            ending = "; the others were imported" if report.written else "; nothing was changed"
            raise CommandError(f"{path}: {rows}{ending}.", returncode=1)


def _rendered(path: Path, report: ImportReport, form: str, verbosity: int) -> str:
    """Return the report in the form asked for; at verbosity 0, of the rejected rows alone."""
    if form == "json":
        return render_json(path, report)
    if verbosity == 0:
        return "\n".join(map(render_remark, report.rejections))
    return render_text(path, report)


def _write_report(place: Path, text: str, *, besides: Path) -> None:
    try:
        if place.exists() and besides.exists() and place.samefile(besides):
            raise CommandError(
                f"{place} is the file to import; write the report to another.", returncode=2
            )
        place.write_text(f"{text}\n" if text else "", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"The report cannot be written to {place}: {error.strerror}.", returncode=2
        ) from error
