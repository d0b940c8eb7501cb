"""The migration packages of a checkout, read from disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shelter.versioning.history.migration import Key, Migration, Unreadable
from shelter.versioning.history.reading import read_migration


@dataclass(frozen=True, slots=True)
class Package:
    """A folder of migrations, and the label of the app whose migrations they are."""

    label: str
    folder: Path


@dataclass(frozen=True, slots=True)
class History:
    """The migrations of several packages; `sources` are the files they were read from."""

    migrations: tuple[Migration, ...]
    unreadable: tuple[Unreadable, ...]
    sources: Mapping[Key, Path]


def migration_names(entries: Iterable[str]) -> list[str]:
    """Return the names of the migrations among the `entries` of a folder, sorted.

    As Django's loader sees them: modules, not packages, whose names do not begin with `_` or `~`.
    """
    return sorted(
        entry.removesuffix(".py")
        for entry in entries
        if entry.endswith(".py") and entry[0] not in "_~" and "." not in entry[:-3]
    )


def read_packages(packages: Iterable[Package], root: Path) -> History:
    """Return what the files of `packages` say; paths are shown relative to `root` if below it.

    Raises OSError when a file cannot be read.
    """
    migrations: list[Migration] = []
    unreadable: list[Unreadable] = []
    sources: dict[Key, Path] = {}
    for package in packages:
        for name in migration_names(entry.name for entry in package.folder.iterdir()):
            path = package.folder / f"{name}.py"
            shown = path.relative_to(root) if path.is_relative_to(root) else path
            read = read_migration(path.read_bytes(), package.label, name, shown.as_posix())
            sources[package.label, name] = path
            unreadable += read.unreadable
            if read.migration is not None:
                migrations.append(read.migration)
    return History(tuple(migrations), tuple(unreadable), sources)
