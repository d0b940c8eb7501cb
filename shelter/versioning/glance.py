"""Whether all is as it was when nothing was off, told without importing a migration.

`dbstatus --short` stands in prompts and hooks, and must not be felt there. All that its answer
comes from is compared with what it was when `status_of` last found nothing: the files of all code
that ran for it, settings, environment, and what the databases record. Where anything differs, or
may, the whole answer is worked out.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from shelter.versioning import project
from shelter.versioning.history.quick import Look, cache_folder, git_is_waiting
from shelter.versioning.ledger.marks import mark_of

# What shells change at each command, and no settings or models read.
_OF_SHELLS = frozenset({"_", "COLUMNS", "LINES", "OLDPWD", "PWD", "SHLVL"})
_STANDARD = f"{Path(os.__file__).parent}{os.sep}"
_INSTALLED = ("site-packages", "dist-packages")
# A file that was changed so shortly before could have been changed after it was run.
_RACY_NS = 1_000_000_000


class Glance:
    """The state of files, settings and databases at one moment.

    Nothing is asked of a database that is not there, which is made by being asked.
    """

    def __init__(self, databases: Collection[str]) -> None:
        self._began = time.time_ns()
        self._memory = _memory()
        self._look: Look | None = None
        if self._memory is None or git_is_waiting(str(project.root())):
            return
        try:
            look, marks = project.look(), [mark_of(alias) for alias in databases]
        except (OSError, DatabaseError, ImproperlyConfigured):
            # The whole answer says what it is.
            return
        installed = [path for path in sys.path if path.endswith(_INSTALLED)]
        seen = (sys.version, sorted(databases), _values(), marks, _states(installed))
        self._state = hashlib.sha256(repr(seen).encode(errors="surrogateescape"))
        self._state.update(look.state)
        self._look = look

    def nothing_is_off(self) -> bool:
        """Return True where nothing is; False where something may be."""
        if self._memory is None or self._look is None:
            return False
        try:
            known, *paths = self._memory.read_bytes().decode(errors="surrogateescape").split("\0")
        except OSError:
            return False
        return known == self._digest(paths)

    def remember(self) -> None:
        """Remember that nothing is off.

        Nothing is remembered of files that changed since just before, nor without a place for it.
        """
        if self._memory is None or self._look is None or not self._look.is_settled(self._began):
            return
        paths = _code(self._look)
        latest = max((state[2] for state in _states(paths) if state), default=0)
        if latest > self._began - _RACY_NS:
            return
        unfinished = self._memory.with_suffix(f".{os.getpid()}")
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(
                "\0".join([self._digest(paths), *paths]).encode(errors="surrogateescape")
            )
            unfinished.replace(self._memory)
        except OSError:
            return

    def _digest(self, paths: Sequence[str]) -> str:
        whole = self._state.copy()
        whole.update(repr((paths, _states(paths))).encode(errors="surrogateescape"))
        return whole.hexdigest()


def _memory() -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    name = hashlib.sha256(os.fsencode(project.root())).hexdigest()
    return Path(folder, f"status-{name}")


def _values() -> tuple[object, ...]:
    """Return the settings and the environment."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_SHELLS}
    chosen = {name: getattr(settings, name) for name in dir(settings) if name.isupper()}
    return sorted(environment.items()), sorted(chosen.items())


def _code(look: Look) -> list[str]:
    """Return the files of the code that runs here, the look's own and installed packages aside.

    An installed package comes and goes with an entry in its folder, which is on the path.
    """
    known = {path for _, path in look.files}
    paths = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(path for path in paths if path and path not in known and not _is_installed(path))


def _is_installed(path: str) -> bool:
    return path.startswith(_STANDARD) or any(f"/{name}/" in path for name in _INSTALLED)


def _states(paths: Iterable[str]) -> list[tuple[int, int, int] | None]:
    """Return what tells one state of a file from another; None for what is not there."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = Path(path).stat()
        except OSError:
            found.append(None)
        else:
            changed = max(status.st_mtime_ns, status.st_ctime_ns)
            found.append((status.st_ino, status.st_size, changed))
    return found
