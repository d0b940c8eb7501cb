"""How fast `importanimals` is: rows a second, whole processes, beside Django's own bulk writes.

Each round imports into an empty database, then imports the same file again, then writes the same
animals by `bulk_create` (the peer: it reads, checks and compares nothing). Medians are shown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GOAL = 5_000

_PEER = """
import django
django.setup()
from django.db import transaction
from animals.models import Animal
animals = [
    Animal(code=f"B{number}", species="dog", name="Rex", colour="brown", notes="Stray: field")
    for number in range(ROWS)
]
with transaction.atomic():
    Animal.objects.bulk_create(animals, batch_size=1000)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=ROOT.parent / "shared/data/longbeach.csv",
        help="the file to import (default: the whole Long Beach file)",
    )
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        sys.stderr.write(f"{options.file} is not there: name a file to import.\n")
        return 2
    with options.file.open("rb") as file:
        rows = sum(1 for _ in file) - 1
    times: dict[str, list[float]] = {"first import": [], "again": [], "bulk_create": []}
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, commands in {
                "shelter": ("first import", "again"),
                "peer": ("bulk_create",),
            }.items():
                environment = {
                    **os.environ,
                    "DATABASE_URL": f"sqlite:///{folder}/{name}.sqlite3",
                    "DJANGO_SETTINGS_MODULE": "shelter.settings",
                }
                _run(["manage.py", "migrate", "-v0"], environment)
                for command in commands:
                    work = (
                        ["-c", _PEER.replace("ROWS", str(rows))]
                        if command == "bulk_create"
                        else ["manage.py", "importanimals", str(options.file), "-v0"]
                    )
                    times[command].append(_run(work, environment))
    print(f"{options.file.name}: {rows:,} rows, {options.rounds} rounds, SQLite, whole processes")
    for command, seconds in times.items():
        median = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"{command:14} {median:6.2f} s ({spread})  {rows / median:8,.0f} rows/s")
    ratios = [
        mine / peer for mine, peer in zip(times["first import"], times["bulk_create"], strict=True)
    ]
    print(f"first import / bulk_create: {statistics.median(ratios):.2f}")
    reached = rows / statistics.median(times["first import"])
    print(f"goal {GOAL:,} rows/s: {'reached' if reached >= GOAL else 'MISSED'}")
    return 0 if reached >= GOAL else 1


def _run(work: list[str], environment: dict[str, str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *work], cwd=ROOT, env=environment, check=True)
    return time.perf_counter() - begin


if __name__ == "__main__":
    raise SystemExit(main())
