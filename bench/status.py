"""What `dbstatus --short` takes where nothing changed, beside Django's start and one query.

A project of 1,000 migrations on SQLite, whole processes that take turns, medians.
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

from bench.checking import ROOT, make_project, run

SETUP_AND_QUERY = """
import django

django.setup()
from django.db import connection

with connection.cursor() as cursor:
    cursor.execute("SELECT app, name FROM django_migrations")
    cursor.fetchall()
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="How many migrations.")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        make_project(top, options.size)
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{top}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "proj.settings",
            "WITH_VERSIONING": "1",
            "HOME": str(top),
        }
        for name in ("makemigrations", "migrate"):
            subprocess.run(
                [sys.executable, "-m", "django", name, "-v0"],
                cwd=top,
                env=environment,
                check=True,
            )
        # What was written a moment ago is not remembered.
        time.sleep(1.5)
        commands = {
            "django.setup() and a query": ["-c", SETUP_AND_QUERY],
            "dbstatus --short": ["-m", "django", "dbstatus", "--short"],
            "dbstatus": ["-m", "django", "dbstatus"],
        }
        for command in commands.values():
            run(command, top, environment)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                times[name].append(run(command, top, environment))
    beginning = times["django.setup() and a query"]
    for name, seconds in times.items():
        ratios = [one / other for one, other in zip(seconds, beginning, strict=True)]
        print(
            f"{statistics.median(seconds):7.3f} s  {statistics.median(ratios):5.2f} times  {name}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
