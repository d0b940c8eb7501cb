"""The migration packages of a checkout or of a git tree, read without running them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from shelter.versioning.history.migration import Key, Migration, Unreadable
from shelter.versioning.history.quick import migration_names, usual_label
from shelter.versioning.history.scanning import scan


def scan_migration(source: bytes, app: str, name: str, path: str) -> Migration | None:
    """Return the migration that `source` states; None where only parsing it can tell."""
    scanned = scan(source)
    return None if scanned is None else Migration(app, name, path, *scanned)


@dataclass(frozen=True, slots=True)
class Source:
    """A migration's file: its path as shown to people, from the top of its tree; its content."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class History:
    """The migrations of several packages, and the files they were read from."""

    migrations: tuple[Migration, ...]
    unreadable: tuple[Unreadable, ...]
    sources: Mapping[Key, Source]


def read_packages(packages: Mapping[str, Path], root: Path) -> History:
    """Return what the files of `packages` say, which are folders by app label.

    Paths are shown relative to `root` if below it. Raises OSError when a file cannot be read.
    """
    reader = _Reader()
    for label, folder in packages.items():
        shown = folder.relative_to(root) if folder.is_relative_to(root) else folder
        for name in migration_names(entry.name for entry in folder.iterdir()):
            content = (folder / f"{name}.py").read_bytes()
            reader.read(label, name, f"{shown.as_posix()}/{name}.py", content)
    return reader.history()


def with_imported(history: History, imported: Mapping[Key, Migration]) -> History:
    """Return `history` with what importing files told, in place of what reading could not."""
    if not imported:
        return history
    read = (migration for migration in history.migrations if migration.key not in imported)
    return replace(
        history,
        migrations=(*read, *imported.values()),
        unreadable=tuple(
            place for place in history.unreadable if (place.app, place.name) not in imported
        ),
    )


def read_folders(
    contents: Mapping[str, Mapping[str, bytes | int | None]],
    labels: Mapping[str, str] | None = None,
) -> History:
    """Return what migrations say whose contents are given by folder and name.

    An integer stands for a content too large to be read, None for one that is not here. `labels`
    tells the app label of folders; of another one it is told by `label_of`. Where two folders have
    one label, the second one's is followed by its folder.
    """
    labels = labels or {}
    reader = _Reader()
    taken: set[str] = set()
    parents = Counter(PurePosixPath(folder).parent.name for folder in contents)
    for folder in sorted(contents):
        part = _Reader()
        for name, content in sorted(contents[folder].items()):
            part.read("", name, f"{folder}/{name}.py".lstrip("/"), content)
        label = labels.get(folder) or label_of(folder, part.migrations, set(parents))
        if label in taken:
            label = f"{label} ({folder})"
        taken.add(label)
        reader.take(label, part)
    return reader.history()


def label_of(folder: str, migrations: Iterable[Migration], other_folders: set[str]) -> str:
    """Return the app label of the migrations in `folder`.

    It is the label under which they depend on one another; where there is no telling, the name of
    the folder above. `other_folders` are the names above other packages, which are labels of
    others more likely than of this one.
    """
    migrations = list(migrations)
    usual = usual_label(folder)
    names = {migration.name for migration in migrations}
    told: dict[str, set[str]] = {}
    for migration in migrations:
        for app, name in migration.dependencies:
            if name in names and name != migration.name:
                told.setdefault(app, set()).add(name)
    most = max((len(depended) for depended in told.values()), default=0)
    likely = [app for app, depended in told.items() if len(depended) == most]
    if not likely or usual in likely:
        return usual
    others = [app for app in likely if app not in other_folders and app not in _DJANGOS]
    return min(others or likely)


_DJANGOS = frozenset(
    {"admin", "auth", "contenttypes", "flatpages", "redirects", "sessions", "sites"}
)


class _Reader:
    def __init__(self) -> None:
        self.migrations: list[Migration] = []
        self.unreadable: list[Unreadable] = []
        self.sources: dict[Key, Source] = {}

    def read(self, label: str, name: str, path: str, content: bytes | int | None) -> None:
        if not isinstance(content, bytes):
            reason = (
                "The file is not in this partial clone."
                if content is None
                else f"The file has {content:,} bytes."
            )
            self.unreadable.append(Unreadable(label, name, path, 1, reason))
            return
        migration = scan_migration(content, label, name, path)
        if migration is None:
            # Parsing is seldom needed, and its imports take longer than reading a small app.
            from shelter.versioning.history.reading import is_south, read_migration  # noqa: PLC0415

            read = read_migration(content, label, name, path)
            migration = read.migration
            if migration is not None and is_south(content):
                return
            self.unreadable += read.unreadable
        self.sources[label, name] = Source(path, content)
        if migration is not None:
            self.migrations.append(migration)

    def take(self, label: str, other: _Reader) -> None:
        """Take over what another reader read, under `label`."""
        self.migrations += (replace(migration, app=label) for migration in other.migrations)
        self.unreadable += (replace(place, app=label) for place in other.unreadable)
        self.sources |= {(label, name): source for (_, name), source in other.sources.items()}

    def history(self) -> History:
        """Return what was read."""
        return History(tuple(self.migrations), tuple(self.unreadable), self.sources)
