"""The checks that need files and git alone: `python -m shelter.versioning check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shelter.versioning.conflicts.predicting import (
    Scope,
    check_commit,
    check_folder,
    predict,
)
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.report.findings import Finding, Level, Report


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return 0 when clean, 1 with findings, 2 on failure."""
    options = _parser().parse_args(arguments)
    try:
        findings = _findings(options)
    except (GitError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    report = Report("checkmigrations", findings)
    from shelter.versioning.report.formats import render  # noqa: PLC0415

    sys.stdout.write(f"{render(report, options.format)}\n")
    return int(report.reaches(Level(options.fail_level)))


def _findings(options: argparse.Namespace) -> tuple[Finding, ...]:
    repository = Repository(options.repo)
    scope = Scope(apps=options.apps or None)
    if options.against:
        return tuple(
            finding
            for ref in options.against
            for finding in predict(repository, options.head, ref, scope)
        )
    if options.head:
        return check_commit(repository, options.head, scope)
    return check_folder(options.repo, scope)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shelter.versioning", description=__doc__)
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser(
        "check", help="warn of conflicting leaf migrations, here or after a merge"
    )
    check.add_argument("apps", nargs="*", metavar="app", help="look at these apps only")
    check.add_argument("--repo", type=Path, default=Path(), help="a folder or a bare repository")
    check.add_argument("--head", metavar="REF", help="look at this commit, not at the files here")
    check.add_argument(
        "--against",
        metavar="REF",
        action="append",
        help="look at what merging REF would give; may be repeated",
    )
    check.add_argument("--format", choices=("text", "json"), default="text")
    check.add_argument(
        "--fail-level",
        choices=[level.value for level in Level],
        default=Level.WARNING.value,
        help="exit 1 from this level on (default: warning)",
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
