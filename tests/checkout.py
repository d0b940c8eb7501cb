"""This checkout: its folder, copies of it to try things in, and what its documentation says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_project(to: Path) -> Path:
    """Copy what git keeps or would keep, uncommitted work included, to the folder `to`.

    Neither a database, nor a secret key, nor a `.env` comes along.
    """
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to


def run_python(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run this Python in `folder` with `env` and nothing else of this environment but PATH."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def documented_environment() -> dict[str, str]:
    """Return the production environment that docs/deployment.md tells people to set."""
    (block,) = re.findall(r"```env\n(.*?)```", (ROOT / "docs/deployment.md").read_text(), re.DOTALL)
    return dict(line.split("=", 1) for line in block.splitlines())
