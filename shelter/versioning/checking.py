"""What `checkmigrations` looks at, as its command lines say it: one way in for both of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shelter.versioning.conflicts.predicting import Scope, compare_branches, predict
from shelter.versioning.history.git import Repository
from shelter.versioning.report.findings import Level, Report
from shelter.versioning.report.formats import FORMATS

COMMAND = "checkmigrations"


def add_arguments(parser: argparse.ArgumentParser | Any) -> None:
    """Add the options that both command lines have."""
    parser.add_argument("apps", metavar="app", nargs="*", help="Look at these apps only.")
    parser.add_argument(
        "--against",
        metavar="REF",
        action="append",
        help="Look at what merging REF would give, without a checkout and without running a line "
        "of it. May be repeated.",
    )
    parser.add_argument(
        "--all-branches",
        metavar="GLOB",
        nargs="?",
        const="*",
        help="Look at what merging each branch would give, local and remote ones, as a table.",
    )
    parser.add_argument(
        "--pairwise",
        action="store_true",
        help="With --all-branches: every branch with every other one.",
    )
    parser.add_argument(
        "--format", choices=FORMATS, default="text", help="How to write the report."
    )
    parser.add_argument(
        "--fail-level",
        choices=[level.value for level in Level],
        default=Level.WARNING.value,
        help="Exit 1 from this level on (default: warning).",
    )


def contradiction(
    against: list[str] | None, all_branches: str | None, *, pairwise: bool
) -> str | None:
    """Return what is wrong with options that do not go together; None where they do."""
    if against and all_branches is not None:
        return "--against and --all-branches do not go together: choose one."
    if pairwise and all_branches is None:
        return "--pairwise goes with --all-branches."
    return None


def check_merges(
    folder: Path,
    head: str | None,
    against: list[str],
    all_branches: str | None,
    scope: Scope,
    *,
    pairwise: bool,
    advance: Callable[[int, int], object] = lambda *_: None,
) -> Report:
    """Return the report on merging `against`, or all branches, into `head`. Raises GitError."""
    repository = Repository(folder)
    if all_branches is not None:
        comparisons = compare_branches(
            repository, head, all_branches, scope, pairwise=pairwise, advance=advance
        )
        findings = (finding for comparison in comparisons for finding in comparison.findings)
        return Report(COMMAND, tuple(findings), comparisons)
    findings = (finding for ref in against for finding in predict(repository, head, ref, scope))
    return Report(COMMAND, tuple(findings))
