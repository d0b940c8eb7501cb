"""Where code comes from: the person, the machine, the commit, and each migration's file."""

from __future__ import annotations

import getpass
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import django
from django.db.migrations import Migration

from shelter.versioning.history.fingerprint import blob_id, fingerprint

# The attribute that holds the code of a migration which was loaded from git.
CODE_IN_GIT = "_code_in_git"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who runs migrations, where, and from which commit; None and empty outside git."""

    os_user: str
    host: str
    django_version: str
    commit: str = ""
    branch: str = ""
    dirty: bool | None = None


def provenance_of(folder: Path) -> Provenance:
    """Return the provenance of what runs from `folder`; it needs no git."""
    # Seldom needed, and running programs takes long to import.
    from shelter.versioning.history.git import GitError, Repository  # noqa: PLC0415

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name (getpass's manual page).
        user = ""
    host, version = socket.gethostname(), django.get_version()
    try:
        head = Repository(folder).head()
    except GitError:
        return Provenance(user, host, version)
    return Provenance(user, host, version, head.commit, head.branch[:255], head.dirty)


@dataclass(frozen=True, slots=True)
class Code:
    """The file of a migration: its place, its blob's id and its fingerprint; empty if unknown."""

    path: Path | None
    blob: str = ""
    fingerprint: str = ""


def code_of(migration: Migration) -> Code:
    """Return the file that `migration` was loaded from, as it is now.

    Of a ghost, which is in no file, it is what git has.
    """
    in_git = getattr(migration, CODE_IN_GIT, None)
    if in_git is not None:
        return _code(None, in_git)
    file = getattr(sys.modules.get(type(migration).__module__), "__file__", None)
    if file is None:
        return Code(None)
    return code_at(Path(file))


def code_at(path: Path) -> Code:
    """Return what the file at `path` is now; without a path where it cannot be told."""
    try:
        content = path.read_bytes()
    except OSError:
        # Loaded from an archive.
        return Code(None)
    if path.suffix != ".py":
        # Compiled files alone were shipped.
        return Code(None)
    return _code(path, content)


def _code(path: Path | None, content: bytes) -> Code:
    return Code(path, blob_id(content), fingerprint(content) or "")
