"""Files that are there wholly or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, like: Path | None = None) -> None:
    """Write a file so that it has all of `content`, or what it had before.

    It keeps its mode; a new one gets that of the file `like`. A link is followed, and what is no
    file, as a pipe is not, is written to as it is. Raises OSError.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    modes = [there.stat().st_mode for there in (path, like) if there is not None and there.exists()]
    temporary = path.with_name(f".{path.name[:200]}.new")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if modes:
            temporary.chmod(modes[0] & 0o7777)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
