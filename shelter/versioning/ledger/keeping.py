"""The code of what is applied, kept in git so that it can be had to take it back.

A ref for each applied migration of each database, below `refs/versioning/`, points at the blob of
its file. No branch needs to hold it, git's garbage collection leaves it, and `git push` does not
push it by default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.lock import sqlite_path
from shelter.versioning.ledger.provenance import code_at, code_of
from shelter.versioning.ledger.recording import latest_entries

PREFIX = "refs/versioning"
_LARGEST = 4_000_000


def database_id(connection: BaseDatabaseWrapper) -> str | None:
    """Return 12 hexadecimal digits that tell a database from others; None for one of a test's.

    Those are thrown away: in memory, or by the prefix that Django's test runner gives them.
    """
    settings = connection.settings_dict
    name = str(settings["NAME"])
    if connection.vendor == "sqlite":
        path = sqlite_path(name)
        if path is None:
            return None
        name = str(path.resolve())
    if Path(name).name.startswith(TEST_DATABASE_PREFIX):
        return None
    parts = (connection.vendor, settings["HOST"], str(settings["PORT"]), name)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def keep(
    connection: BaseDatabaseWrapper, migrations: Iterable[Migration], folder: Path
) -> str | None:
    """Keep the code of `migrations`, which are about to be applied, in the repository of `folder`.

    Return what git said where it could not; None where it could, or there is no repository.
    """
    database = database_id(connection)
    files = {
        f"{PREFIX}/{database}/{migration.app_label}/{migration.name}": path
        for migration in migrations
        if (path := code_of(migration).path) is not None
    }
    if database is None:
        return None
    return _keep(files, folder)


def _keep(files: Mapping[str, Path], folder: Path) -> str | None:
    repository = Repository(folder)
    if not files or not repository.is_there():
        return None
    try:
        repository.keep_blobs(files)
    except GitError as error:
        return str(error)
    return None


def follow(connection: BaseDatabaseWrapper, paths: Mapping[Key, Path], folder: Path) -> str | None:
    """Let the ledger know migrations by the files they are in now, and keep those.

    A rebase changes what a file depends on, and not what it does: with the code of before, which
    depends on names that are gone, it could not be taken back. What does something else than what
    was applied stays as it was recorded. Returns what git said where it could not keep them.
    """
    database = database_id(connection)
    entries = latest_entries(connection.alias) if paths else {}
    kept = {}
    for (app, name), path in paths.items():
        entry, code = entries.get((app, name)), code_at(path)
        if entry is None or not entry.fingerprint or entry.fingerprint != code.fingerprint:
            continue
        kept[f"{PREFIX}/{database}/{app}/{name}"] = path
        if entry.git_blob != code.blob:
            LedgerEntry.objects.using(connection.alias).filter(pk=entry.pk).update(
                git_blob=code.blob
            )
    return None if database is None else _keep(kept, folder)


def prune(connection: BaseDatabaseWrapper, applied: Collection[Key], folder: Path) -> str | None:
    """Forget the code of what is no longer applied; return what git said where it could not."""
    database = database_id(connection)
    if database is None or not (repository := Repository(folder)).is_there():
        return None
    needed = {f"{PREFIX}/{database}/{app}/{name}" for app, name in applied}
    try:
        repository.drop_refs(set(repository.refs(f"{PREFIX}/{database}")) - needed)
    except GitError as error:
        return str(error)
    return None


def recorded_code(
    repository: Repository, connection: BaseDatabaseWrapper, key: Key, entry: LedgerEntry | None
) -> bytes | None:
    """Return the code that a database's ledger recorded of a migration, if git has it.

    `entry` is the latest one of the migration. Raises GitError where there is no repository.
    """
    # Without a fingerprint it is the file of a squash that ran in place of the migration.
    if entry is None or not entry.git_blob or not entry.fingerprint:
        return None
    content = repository.blobs([entry.git_blob], largest=_LARGEST).get(entry.git_blob)
    if isinstance(content, bytes):
        return content
    # A repository of SHA-256 ids knows it by another one.
    ref = f"{PREFIX}/{database_id(connection)}/{key[0]}/{key[1]}"
    kept = repository.refs(ref).get(ref)
    content = None if kept is None else repository.blobs([kept], largest=_LARGEST).get(kept)
    return content if isinstance(content, bytes) else None


def path_in_git(key: Key) -> str:
    """Return how the path of a migration's file ends."""
    app, name = key
    package, _ = MigrationLoader.migrations_module(app)
    # The folder, by the last two names of the package.
    return f"{PurePosixPath(*str(package).split('.')[-2:])}/{name}.py"


def visit(key: Key, folder: Path) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return what to type to go to the last commit with a migration's file, and to come back.

    None where no commit has it, or `folder` is in no repository.
    """
    repository = Repository(folder)
    try:
        commit = repository.last_with(path_in_git(key))
        head = repository.head()
    except GitError:
        return None
    if commit is None:
        return None
    if commit == head.commit:
        return ("git stash",), ("git stash pop",)
    back = "git switch -" if head.branch else f"git switch --detach {head.commit}"
    return (f"git switch --detach {commit}",), (back,)
