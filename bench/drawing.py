"""How fast the migrations are drawn, beside Django's `showmigrations` on the same project.

A project of 20 apps is made and migrated. Every figure is the median of rounds in which all
commands take turns, as whole processes; each is given in seconds and as a ratio, that of each round
by itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.checking import ROOT, make_project, run

SHOW = "showmigrations"
FORMATS = ("text", "text --unfold", "mermaid", "dot", "svg")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="200,2000")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    for size in map(int, options.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            make_project(Path(folder), size)
            times = measure(Path(folder), options.rounds)
        print(f"{size:,} migrations")
        for name, seconds in times.items():
            pairs = zip(seconds, times[SHOW], strict=True)
            ratio = statistics.median(mine / show for mine, show in pairs)
            print(f"{statistics.median(seconds):9.3f} s  {ratio:5.2f} x {SHOW}  {name}")
    return 0


def measure(top: Path, rounds: int) -> Mapping[str, Sequence[float]]:
    """Return the seconds of each command in each round, all of them taking turns."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{top}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "proj.settings",
        "HOME": str(top),
        "WITH_VERSIONING": "1",
    }
    django = ["-m", "django"]
    # To apply it in earnest takes long, and would change no figure.
    faked = [sys.executable, *django, "migrate", "--fake", "-v0"]
    subprocess.run(faked, cwd=top, env=environment, check=True)
    commands = {SHOW: [*django, SHOW]} | {
        f"graphmigrations --format {form}": [*django, "graphmigrations", "--format", *form.split()]
        for form in FORMATS
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(run(command, top, environment))
    return times


if __name__ == "__main__":
    raise SystemExit(main())
