"""What `dbstatus --short` takes where nothing changed, beside Django's start and one query.

A project of 1,000 migrations on SQLite, whole processes that take turns, medians of processor time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.checking import ROOT, Command, make_project, measure

SETUP = "django.setup() and a query"
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
    parser.add_argument("--size", type=int, default=1000, help="how many migrations")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        top = Path(scratch, "project")
        top.mkdir()
        make_project(top, options.size)
        environment = {
            "PYTHONPATH": f"{top}{os.pathsep}{ROOT}",
            "DJANGO_SETTINGS_MODULE": "proj.settings",
            "WITH_VERSIONING": "1",
            "XDG_CACHE_HOME": str(Path(scratch, "cache")),
        }

        def django(*words: str) -> Command:
            return Command([sys.executable, "-m", "django", *words], top, environment)

        for name in ("makemigrations", "migrate"):
            django(name, "-v0").seconds()
        # What was written a moment ago is not remembered.
        time.sleep(1.5)
        times = measure(
            {
                SETUP: Command([sys.executable, "-c", SETUP_AND_QUERY], top, environment),
                "dbstatus --short": django("dbstatus", "--short"),
                "dbstatus": django("dbstatus"),
            },
            options.rounds,
        )
    for name, seconds in times.items():
        ratios = [one / other for one, other in zip(seconds, times[SETUP], strict=True)]
        print(f"{statistics.median(seconds):7.3f} s  {statistics.median(ratios):5.2f} x  {name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
