"""Where code comes from: the person, the machine, the commit, and each migration's file."""

from __future__ import annotations

import getpass
import inspect
import socket
from dataclasses import dataclass
from pathlib import Path

import django
from django.db.migrations import Migration

from shelter.versioning.history.fingerprint import blob_id, fingerprint
from shelter.versioning.history.git import GitError, Repository


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
    """Return the file that `migration` was loaded from, as it is now."""
    try:
        path = Path(inspect.getfile(type(migration)))
        content = path.read_bytes()
    except (OSError, TypeError):
        # Loaded from an archive, from compiled files alone, or made in a test.
        return Code(None)
    return Code(path, blob_id(content), fingerprint(content) or "")
