"""The real conflicts called independent, held to what a real database makes of both orders.

Each conflict is a merge of a public project that left an app with two leaves. The merged tree is
read from git's objects; a process of its own imports its migrations in a scratch folder, makes the
tables of the state at the fork in PostgreSQL, and applies the sides in both orders to them. What
the project imports and is not installed is replaced by stand-ins: a field by a text field, a
function by one that gives nothing. Where a side cannot be applied by itself even so, the case is
left to reading, and the reason is printed. The tables are empty, so that Python and SQL of the
migrations run, and say nothing of rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import psycopg

from bench.conflicts import merged
from shelter.versioning.conflicts.judging import judge
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import History
from shelter.versioning.report.findings import Verdict

USER_MODELS = {"makeplane/plane": "db.User", "mitodl/mitxonline": "users.User"}
READ = "to be read"

# The gravest first, as `judge` takes several leaves.
_ORDER = (
    Verdict.CONTRADICTORY,
    Verdict.ORDER_DEPENDENT,
    Verdict.UNKNOWN,
    READ,
    Verdict.INDEPENDENT,
)


@dataclass(frozen=True)
class Outcome:
    """The verdict on a conflict by text; by states and by a database, or that it is to be read."""

    case: str
    by_text: Verdict
    reason: str
    by_states: str
    by_database: str
    problem: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what became of each conflict of the verdict; return 1 where a database says else."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, required=True, help="The conflicts, a JSON a line.")
    parser.add_argument(
        "--repos", type=Path, required=True, help="Bare repositories: OWNER+NAME/repo below this."
    )
    parser.add_argument(
        "--server", default="postgres://postgres@127.0.0.1:5432", help="A PostgreSQL server."
    )
    parser.add_argument("--verdict", type=Verdict, default=Verdict.INDEPENDENT)
    parser.add_argument("--only", default="", help="Cases whose name has this.")
    options = parser.parse_args(arguments)
    cases = [json.loads(line) for line in options.cases.read_text().splitlines()]
    cases = [case for case in cases if case["kind"] == "conflict" and options.only in case["case"]]
    counts: Counter[tuple[str, str]] = Counter()
    with scratch_database(options.server) as database, ThreadPoolExecutor(2) as pool:

        def tried(case: Mapping[str, Any]) -> Outcome | None:
            return outcome_of(case, options.repos, database, options.verdict)

        for outcome in filter(None, pool.map(tried, cases)):
            counts[outcome.by_states, outcome.by_database] += 1
            if {outcome.by_states, outcome.by_database} != {options.verdict}:
                print(f"{outcome.case}: {outcome.by_states}, {outcome.by_database}")
                print(f"    {outcome.reason}\n    {outcome.problem}", flush=True)
    print(f"{'by states':16} {'by a database':16}")
    for (by_states, by_database), count in sorted(counts.items()):
        print(f"{by_states:16} {by_database:16} {count:4}")
    right = sum(count for found, count in counts.items() if found[1] in (options.verdict, READ))
    others = counts.total() - right
    print(f"{counts.total()} were called {options.verdict}; of {others} a database says otherwise")
    return int(right < counts.total())


@contextmanager
def scratch_database(server: str) -> Iterator[str]:
    """Make a database with what the migrations' projects have in theirs, and drop it."""
    name = f"independents_{os.getpid()}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            with psycopg.connect(f"{server}/{name}", autocommit=True) as made:
                for extension in ("pg_trgm", "hstore", "citext", "btree_gin", "btree_gist"):
                    made.execute(f"CREATE EXTENSION {extension}")
            yield f"{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def outcome_of(
    case: Mapping[str, Any], repos: Path, database: str, verdict: Verdict
) -> Outcome | None:
    """Return what became of one conflict; None where another verdict is said of it."""
    history, graph, label = merged(case, repos / case["github"].replace("/", "+") / "repo")
    fork = graph.fork(label)
    judgement = judge(fork, graph, history)
    if judgement.verdict is not verdict:
        return None
    plans = [graph.forwards_plan(side.leaf) for side in fork.sides]
    user = USER_MODELS.get(case["github"], "auth.User")
    found = [
        _both_orders(one, two, history, {"database": database, "user": user})
        for one, two in combinations(plans, 2)
    ]
    by_states, by_database = (
        min((part[way] for part in found), key=_ORDER.index) for way in ("states", "database")
    )
    problem = "; ".join(filter(None, (part["problem"] for part in found)))
    return Outcome(case["case"], verdict, judgement.reason, by_states, by_database, problem)


def _both_orders(
    one: Sequence[Key], two: Sequence[Key], history: History, task: Mapping[str, Any]
) -> dict[str, str]:
    sides = [[key for key in plan if key not in other] for plan, other in ((one, two), (two, one))]
    base = [key for key in one if key in two]
    with tempfile.TemporaryDirectory(prefix="independents-") as folder:
        for key in (*base, *sides[0], *sides[1]):
            place = Path(folder, key[0], f"{key[1]}.py")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(history.sources[key].content)
        done = subprocess.run(
            [sys.executable, "-m", "bench.both_orders", folder],
            input=json.dumps({**task, "base": base, "sides": sides}),
            env={"PATH": os.defpath, "PYTHONPATH": str(Path(__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        return {"states": READ, "database": READ, "problem": last}
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    raise SystemExit(main())
