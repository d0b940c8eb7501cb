"""How many real conflicts `rebasemigrations` resolves by itself, by verdict.

Each is a merge of a public project that left an app with two leaves. The merged tree is made from
git's objects, one side is put after the other in it as the command would, and the result is read
anew: resolved is what has one leaf in the app and no reference to what is not there. The branch
that was merged into main is taken for mine; where main was merged into a branch, that branch.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shelter.versioning.conflicts.judging import judge
from shelter.versioning.conflicts.predicting import Scope, read_tree
from shelter.versioning.history.git import Repository
from shelter.versioning.history.graph import Graph, build_graph
from shelter.versioning.history.packages import History, read_folders
from shelter.versioning.repair.rebase import (
    CannotRebaseError,
    RebasePlan,
    plan_rebase,
    sides_of,
)
from shelter.versioning.report.findings import Verdict

REFUSED = "refused: contradictory"
NEEDS_LOOK = "resolved, with --accept-unknown"
RESOLVED = "resolved"


@dataclass(frozen=True)
class Outcome:
    """What became of one conflict, and why."""

    case: str
    verdict: str
    result: str
    reason: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True, help="The conflicts, a JSON a line.")
    parser.add_argument(
        "--repos", type=Path, required=True, help="Bare repositories: OWNER+NAME/repo below this."
    )
    options = parser.parse_args(arguments)
    cases = [json.loads(line) for line in options.cases.read_text().splitlines()]
    outcomes = [
        outcome_of(case, options.repos / case["github"].replace("/", "+") / "repo")
        for case in cases
        if case["kind"] == "conflict"
    ]
    counts = Counter((outcome.verdict, outcome.result) for outcome in outcomes)
    for (verdict, result), count in sorted(counts.items()):
        sys.stdout.write(f"{verdict:16} {result:40} {count:4}\n")
    sys.stdout.write(f"{'all':57} {len(outcomes):4}\n")
    for outcome in outcomes:
        if outcome.result not in {RESOLVED, NEEDS_LOOK, REFUSED}:
            sys.stdout.write(f"{outcome.case}: {outcome.reason}\n")
    return 0


def merged(case: Mapping[str, Any], path: Path) -> tuple[History, Graph, str]:
    """Return the migrations of the merged tree of a case, their graph, and the app's label."""
    with Repository(path).scratch() as repository:
        merge = repository.merge(case["p1"], case["p2"], ())
        chosen = {path: ours or theirs for path, (ours, theirs) in merge.conflicted.items()}
        history = read_tree(repository, merge.files, None, chosen, Scope())
    label = next(
        app
        for (app, _), source in history.sources.items()
        if source.path.rpartition("/")[0] == case["app_dir"]
    )
    return history, build_graph(history.migrations, foreign=True), label


def outcome_of(case: Mapping[str, Any], path: Path) -> Outcome:
    """Return what a rebase makes of one conflict."""
    history, graph, label = merged(case, path)
    judgement = judge(graph.fork(label), graph, history)
    if judgement.verdict is Verdict.CONTRADICTORY:
        return Outcome(case["case"], judgement.verdict, REFUSED, judgement.reason)
    there = Repository(path).files(case["p1" if case["first_parent_main"] else "p2"])
    try:
        mine_by_app, leaves = sides_of(history, {label}, "theirs", there.__contains__)
        plan = plan_rebase(history, mine_by_app, leaves)
    except CannotRebaseError as error:
        return Outcome(case["case"], judgement.verdict, "refused: cannot be done", str(error))
    problem = _problem(graph, _rebased(history, plan), label)
    if problem:
        return Outcome(case["case"], judgement.verdict, "WRONG", problem)
    unknown = judgement.verdict is Verdict.UNKNOWN
    return Outcome(case["case"], judgement.verdict, NEEDS_LOOK if unknown else RESOLVED)


def _rebased(history: History, plan: RebasePlan) -> Graph:
    contents: dict[str, dict[str, bytes | int | None]] = {}
    labels = {}
    for (app, name), source in history.sources.items():
        folder = source.path.rpartition("/")[0]
        contents.setdefault(folder, {})[name] = source.content
        labels[folder] = app
    for edit in plan.edits:
        folder, _, name = edit.path.rpartition("/")
        del contents[folder][name.removesuffix(".py")]
    for edit in plan.edits:
        if edit.new_path is not None:
            folder, _, name = edit.new_path.rpartition("/")
            contents[folder][name.removesuffix(".py")] = edit.after
    return build_graph(read_folders(contents, labels).migrations, foreign=True)


def _problem(before: Graph, after: Graph, label: str) -> str:
    leaves = after.conflicts().get(label)
    if leaves:
        return f"still has the leaves {', '.join(leaves)}"
    missing = set(after.missing) - set(before.missing)
    return f"refers to {', '.join(map(str, sorted(missing, key=str)))}" if missing else ""


if __name__ == "__main__":
    raise SystemExit(main())
