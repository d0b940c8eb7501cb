"""The command line of `python -m shelter.versioning`, with no Django set up."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shelter.versioning.checking import (
    COMMAND,
    add_arguments,
    check_merges,
    contradiction,
)
from shelter.versioning.conflicts.predicting import Scope, check_commit, check_folder
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.report.findings import Level, Report
from shelter.versioning.report.formats import render


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; return 0 when clean, 1 with findings, 2 on failure."""
    parser = _parser()
    options = parser.parse_args(arguments)
    wrong = contradiction(options.against, options.all_branches, pairwise=options.pairwise)
    if wrong is None and options.pairwise and options.head:
        wrong = "--pairwise compares branches with each other, and takes no --head."
    if wrong is not None:
        parser.error(wrong)
    try:
        report = _report(options)
    except (GitError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    text = f"{render(report, options.format)}\n"
    # Names of files and people are whatever bytes a repository holds.
    sys.stdout.buffer.write(text.encode(errors="replace"))
    return int(report.reaches(Level(options.fail_level)))


def _report(options: argparse.Namespace) -> Report:
    folder: Path = options.repo
    if not folder.is_dir():
        raise GitError(f"{folder} is no folder.")
    scope = Scope(apps=options.apps or None)
    if options.against or options.all_branches is not None:
        return check_merges(
            folder,
            options.head,
            options.against or [],
            options.all_branches,
            scope,
            pairwise=options.pairwise,
        )
    if options.head:
        return Report(COMMAND, check_commit(Repository(folder), options.head, scope))
    return Report(COMMAND, check_folder(folder, scope))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m shelter.versioning",
        description="Checks migrations by their files and by git alone, with no Django set up.",
    )
    commands = parser.add_subparsers(required=True, metavar="check")
    check = commands.add_parser(
        "check",
        help="Warn of conflicting leaf migrations, here or after a merge.",
        description="Warns of conflicting leaf migrations, here or after a merge. Exits 0 when "
        "there is nothing to say, 1 with findings, 2 when it could not run.",
    )
    check.add_argument(
        "--repo", type=Path, default=Path(), help="A folder or a bare repository (default: here)."
    )
    check.add_argument("--head", metavar="REF", help="Look at this commit, not at the files here.")
    add_arguments(check)
    return parser
