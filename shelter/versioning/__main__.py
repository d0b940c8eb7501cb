"""`python -m shelter.versioning`: the checks that need files and git alone.

Where it is asked of the files here, or of a merge into them, and there is nothing to say, that is
found out with next to nothing imported; everything else is in `cli`.
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
    if arguments[:2] == ["check", "--against"] and _finds_nothing_against(arguments[2:]):
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


def _finds_nothing_against(refs: list[str]) -> bool:
    """Return whether merging one ref into this checkout is known to leave nothing to find."""
    if len(refs) != 1:
        return False
    # Files alone are looked at more often, and with fewer imports.
    from shelter.versioning.history.objects import Objects  # noqa: PLC0415
    from shelter.versioning.history.sides import merge_leaves_nothing_to_find  # noqa: PLC0415

    return merge_leaves_nothing_to_find(Objects(os.curdir), refs[0])


def _label(folder: str) -> str:
    """Return the folder above, which is the label unless the files say otherwise.

    Where they do, no migration of theirs depends on one of that label, and the quick way gives up.
    """
    return folder.split(os.sep)[-2]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
