"""How fast the migrations are drawn, beside Django's `showmigrations` on the same project.

A project of 20 apps is made, all of it applied. Every figure is the processor time of a whole
process, the median of rounds in which all commands take turns; each is given in seconds and as a
ratio, that of each round by itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.checking import ROOT, Command, make_project, measure

SHOW = "showmigrations"
FORMATS = ("text", "text --unfold", "mermaid", "dot", "svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="200,2000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            top = Path(scratch, "project")
            top.mkdir()
            make_project(top, size)
            # To apply it in earnest takes long, and would change no figure.
            _manage(top, "migrate", "--fake", "-v0").seconds()
            todo = {SHOW: _manage(top, SHOW)} | {
                f"graphmigrations --format {form}": _manage(
                    top, "graphmigrations", "--format", *form.split()
                )
                for form in FORMATS
            }
            times = measure(todo, options.rounds)
        print(f"{size:,} migrations")
        for name, seconds in times.items():
            pairs = zip(seconds, times[SHOW], strict=True)
            ratio = statistics.median(mine / show for mine, show in pairs)
            print(f"{statistics.median(seconds):9.3f} s  {ratio:5.2f} x {SHOW}  {name}")
    return 0


def _manage(top: Path, *arguments: str) -> Command:
    environment = {
        "PYTHONPATH": f"{top}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "proj.settings",
        "HOME": str(top),
        "WITH_VERSIONING": "1",
    }
    return Command([sys.executable, "-m", "django", *arguments], top, environment)


if __name__ == "__main__":
    raise SystemExit(main())
