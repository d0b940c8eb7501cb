"""`python -m shelter.versioning`: the checks that need files and git alone.

Where it is asked of the files here, and there is nothing to say of them, that is found out with
next to nothing imported; everything else is in `cli`.
"""

from __future__ import annotations

import gc
import os
import sys

from shelter.versioning.history.quick import Look, git_is_waiting, package_folders
from shelter.versioning.report import NOTHING_FOUND


def main(arguments: list[str]) -> int:
    """Run what the command line asks for; return 0 when clean, 1 with findings, 2 on failure."""
    # So short a run leaves no circles that would be worth looking for.
    gc.disable()
    look = _look() if arguments == ["check"] else None
    if look is not None and look.nothing_to_find():
        sys.stdout.write(f"{NOTHING_FOUND}\n")
        return 0
    from shelter.versioning import cli  # noqa: PLC0415

    code = cli.main(arguments)
    if look is not None and code == 0:
        look.remember_nothing()
    return code


def _look() -> Look | None:
    """Return a look at the files here; None where they are not all that matters."""
    folder = os.getcwd()
    if git_is_waiting(folder):
        return None
    try:
        return Look((_label(package), package) for package in package_folders(folder))
    except OSError:
        return None


def _label(folder: str) -> str:
    """Return the folder above, which is the label unless the files say otherwise.

    Where they do, no migration of theirs depends on one of that label, and the quick way gives up.
    """
    return folder.split(os.sep)[-2]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
