"""Squashes that came or went between a database and the files: other rows for the same tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from shelter.versioning.history.fingerprint import fingerprint
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.history.reading import read_migration
from shelter.versioning.ledger.entries import LedgerEntry, Outcome
from shelter.versioning.ledger.keeping import path_in_git, recorded_code
from shelter.versioning.ledger.provenance import code_of
from shelter.versioning.ledger.recording import LedgerRecorder, applied_rows, latest_entries
from shelter.versioning.ledger.rows import ghosts_of


@dataclass(frozen=True, slots=True)
class Swap:
    """A squash and what it replaces, of which a database has the one and the files the other.

    `came`: the files have the squash. `gone` are the rows to be taken away, `new` those to be
    recorded for them, and `restated` those that stay and get their own code in the ledger; the
    tables stay as they are. It cannot be done where there are `lacking` ones, replaced, not applied
    and in no file; nor where the squash was `edited` since its file said what it replaces.
    `in_file`: the squash's file says it now.
    """

    squash: Key
    replaced: tuple[Key, ...]
    came: bool
    gone: tuple[Key, ...] = ()
    new: tuple[Key, ...] = ()
    restated: tuple[Key, ...] = ()
    lacking: tuple[Key, ...] = ()
    edited: bool = False
    in_file: bool = False

    @property
    def can_be_done(self) -> bool:
        """Whether the rows may be swapped."""
        return not self.lacking and not self.edited


@dataclass(frozen=True, slots=True)
class Squashes:
    """What is told of squashes: rows to be swapped, and ghosts to be taken back as a whole.

    `whole` has, by the squash, the rows of what it replaces: no file here has any of it.
    """

    swaps: tuple[Swap, ...] = ()
    whole: Mapping[Key, tuple[Key, ...]] = field(default_factory=dict)


def find_squashes(files: Mapping[Key, Migration], database: str, folder: Path) -> Squashes:
    """Return the squashes that came or went between the database of that alias and `files`.

    What a squash replaces is what its file says, or a version of it that the ledger or the
    repository of `folder` has. No code is run. Without git, those that no file names are ghosts
    like others.
    """
    rows = applied_rows(database).keys()
    replacing = {key: tuple(one.replaces) for key, one in files.items() if one.replaces}
    strange = frozenset(ghosts_of(files, rows))
    if not strange and all(rows >= {key, *replaced} for key, replaced in replacing.items()):
        return Squashes()
    entries = latest_entries(database)
    versions = _versions(strange, entries, connections[database], Repository(folder))
    seen = _Seen(files, frozenset(rows), strange, entries, replacing, versions)
    swaps = [*seen.in_part(), *seen.pruned()]
    whole: dict[Key, tuple[Key, ...]] = {}
    for key in sorted(strange & versions.keys()):
        swap = seen.went(key)
        if swap is not None:
            swaps.append(swap)
        elif seen.is_told(key):
            whole[key] = tuple(sorted(rows & seen.inside(key)))
    swaps += filter(None, map(seen.came, sorted(files.keys() & versions.keys())))
    return Squashes(tuple(swaps), whole)


@dataclass(frozen=True, slots=True)
class _Version:
    """A version of a squash's file: what it replaces, and its fingerprint."""

    replaces: tuple[Key, ...]
    fingerprint: str | None


def _versions(
    strange: Iterable[Key],
    entries: Mapping[Key, LedgerEntry],
    connection: BaseDatabaseWrapper,
    repository: Repository,
) -> dict[Key, list[_Version]]:
    """Return the versions that replace something, of the apps of `strange`: the recorded first."""
    sources: list[tuple[Key, bytes]] = []
    try:
        for key in strange:
            recorded = recorded_code(repository, connection, key, entries.get(key))
            if recorded is not None:
                sources.append((key, recorded))
        for app in {app for app, _ in strange}:
            for _, path, source in repository.versions(path_in_git((app, "*"))):
                sources.append(((app, PurePosixPath(path).stem), source))
    except GitError:
        return {}
    found: dict[Key, list[_Version]] = {}
    for key, source in sources:
        # Reading takes longer than looking.
        read = read_migration(source, *key, "") if b"replaces" in source else None
        if read is not None and read.migration is not None and read.migration.replaces:
            version = _Version(tuple(read.migration.replaces), fingerprint(source))
            found.setdefault(key, []).append(version)
    return found


@dataclass(frozen=True, slots=True)
class _Seen:
    """The files, the rows, and what the ledger and git know of them."""

    files: Mapping[Key, Migration]
    rows: Collection[Key]
    strange: frozenset[Key]
    entries: Mapping[Key, LedgerEntry]
    replacing: Mapping[Key, tuple[Key, ...]]
    versions: Mapping[Key, Sequence[_Version]]

    def in_part(self) -> Iterator[Swap]:
        """Yield the squashes that are applied in part, and whose other part is in no file.

        Django 5.2's loader leaves them out of the graph.
        """
        for key, replaced in sorted(self.replacing.items()):
            rest = [one for one in replaced if not self._is_applied(one)]
            lacking = tuple(one for one in rest if one not in self.files)
            if lacking and len(rest) < len(replaced):
                yield Swap(key, replaced, came=True, lacking=lacking, in_file=True)

    def pruned(self) -> Iterator[Swap]:
        """Yield the squashes that are applied, and whose files name rows that are there no more.

        Django 5.2's loader takes them for not applied.
        """
        for key, replaced in sorted(self.replacing.items()):
            if key in self.rows and not any(map(self._is_applied, replaced)):
                new = tuple(self._with_replaced(replaced))
                if not self._were_taken_back(new, key):
                    yield Swap(key, replaced, came=True, new=new)

    def went(self, key: Key) -> Swap | None:
        """Return the swap of a squash that is applied and in no file; None where it is a ghost."""
        replaced, same = self._replaced_by(key)
        parts = tuple(self._with_replaced(self._parts(replaced, self.files)))
        present = [one for one in parts if one in self.rows]
        # What it replaces was taken back one by one: its row stayed, and says nothing.
        stale = 0 < len(present) < len(parts) or self._were_taken_back(parts, key)
        named = set(self.files).union(*self.replacing.values())
        if not stale and named.isdisjoint(parts):
            return None
        restated = (one for one in present if one in self.files and self._ran_as_squash(one))
        return Swap(
            key,
            parts,
            came=False,
            gone=(key,),
            new=() if present or stale else parts,
            restated=tuple(restated),
            edited=not same,
        )

    def came(self, key: Key) -> Swap | None:
        """Return the swap of a file that said that it replaces what is applied and in no file."""
        inside = self.inside(key)
        gone = tuple(sorted(self.strange & inside))
        if key in self.replacing or not gone or not inside.isdisjoint(self.files):
            return None
        replaced, same = self._replaced_by(key)
        new = () if key in self.rows else (key,)
        lacking = tuple(one for one in self._parts(replaced, self.rows) if one not in self.rows)
        if new and lacking:
            return Swap(key, replaced, came=True, lacking=lacking)
        return Swap(key, replaced, came=True, gone=gone, new=new, edited=not same)

    def is_told(self, key: Key) -> bool:
        """Return whether what a squash replaces is told by the version that ran or is here."""
        return self._replaced_by(key)[1]

    def inside(self, key: Key) -> set[Key]:
        """Return all that a squash replaces, and what the squashes among that replace."""
        found: set[Key] = set()
        waiting = [key]
        while waiting:
            new = set(self._replaced_by(waiting.pop())[0]) - found
            found |= new
            waiting += new
        return found

    def _parts(
        self, keys: Iterable[Key], whole: Collection[Key], above: frozenset[Key] = frozenset()
    ) -> Iterator[Key]:
        """Yield `keys`; in place of a squash that is not in `whole`, what it replaces."""
        for key in keys:
            replaced = () if key in whole or key in above else self._replaced_by(key)[0]
            if replaced:
                yield from self._parts(replaced, whole, above | {key})
            else:
                yield key

    def _with_replaced(self, keys: Iterable[Key]) -> Iterator[Key]:
        """Yield `keys`, and after a squash among them what its file replaces: both have rows."""
        for key in keys:
            yield key
            yield from self._with_replaced(self.replacing.get(key, ()))

    def _replaced_by(self, key: Key) -> tuple[tuple[Key, ...], bool]:
        """Return what a migration replaces by the version that ran or is here, and True.

        By another version, with False, where that one does not say.
        """
        versions = self.versions.get(key, ())
        if not versions:
            return (), True
        entry = self.entries.get(key)
        if key in self.files:
            mark = code_of(self.files[key]).fingerprint
        else:
            mark = entry.fingerprint if entry is not None else ""
        for version in versions:
            if mark in ("", version.fingerprint):
                return version.replaces, True
        return versions[0].replaces, False

    def _is_applied(self, key: Key) -> bool:
        return key in self.rows or (
            key in self.replacing and all(map(self._is_applied, self.replacing[key]))
        )

    def _were_taken_back(self, keys: Iterable[Key], squash: Key) -> bool:
        """Return whether any of `keys` was taken back since `squash` was recorded."""
        since = self.entries[squash].pk if squash in self.entries else 0
        latest = (self.entries[key] for key in keys if key in self.entries)
        return any(entry.outcome == Outcome.UNAPPLIED and entry.pk > since for entry in latest)

    def _ran_as_squash(self, key: Key) -> bool:
        entry = self.entries.get(key)
        return entry is not None and bool(entry.git_blob) and not entry.fingerprint


def swap_rows(
    recorder: LedgerRecorder, swaps: Iterable[Swap], files: Mapping[Key, Migration]
) -> None:
    """Swap the rows of `swaps`, with their entries in the ledger: all or none. The tables stay.

    Raises DatabaseError.
    """
    # Before the transaction: making a table would end it on MariaDB.
    recorder.ensure_schema()
    with transaction.atomic(using=recorder.connection.alias):
        for swap in swaps:
            for key in (*swap.new, *swap.restated):
                recorder.adopt(key, files.get(key))
            for key in swap.gone:
                recorder.record_unapplied(*key)


class SwappedLoader(MigrationLoader):
    """Django's loader, to which the rows are as if `swaps` were done already."""

    def __init__(self, connection: BaseDatabaseWrapper, swaps: Sequence[Swap]) -> None:
        self._swaps = swaps
        self._rows: dict[Key, Any] | None = None
        super().__init__(connection)

    # Django reads the rows and works out at once what they mean for squashes.
    @property
    def applied_migrations(self) -> Any:
        """What is applied, and the row of each."""
        return self._rows

    @applied_migrations.setter
    def applied_migrations(self, rows: dict[Key, Any] | None) -> None:
        self._rows = rows if rows is None else _swapped(rows, self._swaps)


def _swapped(rows: Mapping[Key, Any], swaps: Iterable[Swap]) -> dict[Key, Any]:
    found = dict(rows)
    last = max((row.pk for row in rows.values()), default=0)
    for swap in swaps:
        known = (key for key in (swap.squash, *swap.gone) if key in found)
        since = min((found[key].applied for key in known), default=None)
        for key in swap.new:
            last += 1
            app, name = key
            found[key] = MigrationRecorder.Migration(pk=last, app=app, name=name, applied=since)
        for key in swap.gone:
            found.pop(key, None)
    return found
