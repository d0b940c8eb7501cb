"""The migrations of this Django project as a picture: as they are, and after a merge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache

from django.apps import apps as installed
from django.db import DatabaseError

from shelter.versioning import project
from shelter.versioning.checkout import check_checkout, check_merges_of_checkout, scope_of_checkout
from shelter.versioning.conflicts.explaining import Origins
from shelter.versioning.conflicts.predicting import merging
from shelter.versioning.history.fingerprint import blob_id, fingerprint
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import History, read_packages, with_imported
from shelter.versioning.history.reading import read_migration, read_operations
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES
from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.recording import latest_entries
from shelter.versioning.ledger.rows import applied_migrations
from shelter.versioning.report.findings import Report
from shelter.versioning.report.picture import Picture, Side, Told, picture_of

COMMAND = "graphmigrations"


def findings_of(ref: str | None, apps: Collection[str] | None, database: str) -> Report:
    """Return what `checkmigrations` says of what a picture shows, for other programs.

    Of this checkout, or of merging `ref` into it. Raises what the pictures raise.
    """
    if ref is None:
        report = check_checkout(apps, database=database, exactly=True)
    else:
        report = check_merges_of_checkout([ref], None, apps, database=database)
    return replace(report, command=COMMAND)


def picture_of_checkout(
    apps: Collection[str] | None = None, database: str | None = None
) -> Picture:
    """Return the migrations of this checkout, of `apps` alone if given.

    With the alias of a `database` the picture tells what is applied there, what is in no file, and
    what was edited since, as far as it answers. Raises OSError when a file cannot be read, and
    ImproperlyConfigured as `project.packages()`.
    """
    history = read_packages(project.packages(), project.root())
    history = with_imported(history, project.imported(history.unreadable))
    applied = None if database is None else applied_migrations(database)
    graph = build_graph(
        history.migrations, applied=applied or (), swappable=project.swappable_apps()
    )
    entries = {} if database is None or not applied else _entries(database)
    repository = Repository(project.root())
    ghosts = _ghosts(history, applied or ())
    origins = Origins.of_checkout(repository)
    shown = [key for key in graph.migrations if apps is None or key[0] in apps]
    return picture_of(
        graph,
        apps=apps,
        applied=applied,
        ghosts=_with_parents(ghosts, entries, repository),
        edited=_edited(history, applied or (), entries),
        told=_told(history, origins, shown),
    )


def picture_of_merge(
    ref: str, apps: Collection[str] | None = None, database: str | None = None
) -> Picture:
    """Return the migrations that merging `ref` into this checkout would give, with their sides.

    Of the apps whose migrations the merge would touch, or of those of them in `apps`. Nothing is
    checked out, and nothing of `ref` is run. Raises GitError, and ImproperlyConfigured as
    `project.packages()`.
    """
    scope = scope_of_checkout(apps, database)
    with merging(Repository(project.root()), None, ref, scope) as merged:
        if merged is None:
            return Picture((), ("HEAD", ref))
        graph = build_graph(merged.history.migrations, applied=scope.applied or (), foreign=True)
        shown = [key for key in graph.migrations if apps is None or key[0] in apps]
        by_path = {
            **dict.fromkeys(merged.difference.ours_only, Side.MINE),
            **dict.fromkeys(merged.difference.theirs_only, Side.THEIRS),
        }
        paths = {key: merged.history.sources[key].path for key in shown}
        return picture_of(
            graph,
            apps=apps,
            applied=scope.applied,
            sides={key: by_path[path] for key, path in paths.items() if path in by_path},
            names=("HEAD", ref),
            told=_told(merged.history, merged.origins, shown),
        )


def _entries(database: str) -> Mapping[Key, LedgerEntry]:
    try:
        return latest_entries(database)
    except DatabaseError:
        return {}


def _ghosts(history: History, applied: Collection[Key]) -> list[Key]:
    """Return what is applied and in no file, as `ledger.rows.ghosts()`, with nothing imported."""
    labels = {config.label for config in installed.get_app_configs()}
    replaced = {key for migration in history.migrations for key in migration.replaces}
    return sorted(key for key in set(applied) - set(history.sources) - replaced if key[0] in labels)


def _with_parents(
    ghosts: Collection[Key], entries: Mapping[Key, LedgerEntry], repository: Repository
) -> dict[Key, tuple[Key, ...]]:
    """Return what each ghost depended on, where git still has its file."""
    blobs = {key: entries[key].git_blob for key in ghosts if key in entries}
    try:
        contents = repository.blobs(filter(None, blobs.values()), largest=MAX_SOURCE_BYTES)
    except GitError:
        contents = {}
    found: dict[Key, tuple[Key, ...]] = {}
    for key in ghosts:
        content = contents.get(blobs.get(key, ""))
        read = read_migration(content, *key, "") if isinstance(content, bytes) else None
        found[key] = read.migration.dependencies if read and read.migration else ()
    return found


def _edited(
    history: History, applied: Collection[Key], entries: Mapping[Key, LedgerEntry]
) -> set[Key]:
    """Return what is no longer what was applied; only of what changed at all it is worked out."""
    found = set()
    for key, entry in entries.items():
        source = history.sources.get(key)
        if source is None or key not in applied or not entry.fingerprint:
            continue
        if entry.git_blob == blob_id(source.content):
            continue
        if entry.fingerprint != fingerprint(source.content):
            found.add(key)
    return found


def _told(history: History, origins: Origins, keys: Iterable[Key]) -> dict[Key, Told]:
    sources = {key: history.sources[key] for key in keys if key in history.sources}
    commits = origins.commits_of({source.path for source in sources.values()})
    told = {}
    for key, source in sources.items():
        commit = commits.get(source.path)
        told[key] = Told(
            commit.author if commit else None,
            commit.date if commit else None,
            _operations(source.content),
        )
    return told


@lru_cache(maxsize=10_000)
def _operations(content: bytes) -> tuple[str, ...]:
    operations = read_operations(content)
    if operations is None:
        return ("(operations that cannot be read without running the file)",)
    return tuple(operation.description for operation in operations)
