"""What commits add to the migrations of the commit at which they parted, told without merging them.

Since then most branches did nothing to migrations but add some. Then git has nothing to decide: a
merge has the files of both. Mostly they are in different folders, too, and nothing is to be found.
Whatever is not as plain as that is left to git's merge; a test holds both to the same answer.
"""

from __future__ import annotations

from shelter.versioning.history.objects import GitError, Objects
from shelter.versioning.history.quick import (
    folders_of,
    is_migration_path,
    is_plain,
    parsed,
    usual_label,
)
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES, Key, Scanned, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from shelter.versioning.history.objects import Changes, Pair

    Blobs = Mapping[str, Mapping[str, str]]
    """Blobs of files of Python, by folder and path."""


class Side:
    """A commit that did nothing to the migrations of its base but add some.

    `added` are the new files of their folders, `there` all that are in those, and whose content
    `blobs` has. `migrations` are what those state, None where they alone are not in order. `apps`
    are those they belong to, `others` all that they depend on. `changes_nothing`: whatever it is
    merged with, the migrations are those of the other side.
    """

    def __init__(
        self, added: Blobs, there: Blobs, migrations: Mapping[Key, Scanned] | None, *, deletes: bool
    ) -> None:
        self.added = added
        self.there = there
        self.migrations = migrations
        self.apps = {app for app, _ in migrations or ()}
        self.others = {app for stated in (migrations or {}).values() for app, _ in stated[1]}
        self.changes_nothing = not added and not deletes
        self._makes_folders = any(added[folder].keys() == there[folder].keys() for folder in added)
        self._deletes = deletes

    def merges_by_file(self, other: Side) -> bool:
        """Return whether merging the two, which have one base, gives the files of both.

        Not where one deletes files and the other makes folders: git may think that the one renamed
        the folder that the other's is in.
        """
        return not (
            (self._deletes and other._makes_folders) or (other._deletes and self._makes_folders)
        )

    def leaves_nothing_to_find(self, other: Side) -> bool:
        """Return whether merging the two, which have one base, is known to leave nothing to find.

        They are in order, each by itself and together, and in different folders.
        """
        if (
            self.migrations is None
            or other.migrations is None
            or not self.merges_by_file(other)
            or not self.added.keys().isdisjoint(other.added)
            or not self.apps.isdisjoint(other.apps)
        ):
            return False
        return (self.others.isdisjoint(other.apps) and other.others.isdisjoint(self.apps)) or (
            is_plain({**self.migrations, **other.migrations}, None, closed=False)
        )


def merge_leaves_nothing_to_find(repository: Objects, ref: str) -> bool:
    """Return whether merging `ref` into this checkout is known to leave nothing to find.

    Where git refuses, or migrations are not committed, it is not known.
    """
    try:
        *commits, base = repository.parting("HEAD", ref)
        if base is None or repository.uncommitted(is_migration_path):
            return False
        pairs = [(base, commit) for commit in commits]
        changes = repository.changes(pairs)
        mine, other = (
            {path.rpartition("/")[0] for path in changes[pair][0] if is_migration_path(path)}
            for pair in pairs
        )
        if not mine.isdisjoint(other):
            return False
        sides, _ = read_sides(repository, changes)
    except GitError:
        return False
    one, two = map(sides.get, pairs)
    return one is not None and two is not None and one.leaves_nothing_to_find(two)


def read_sides(
    repository: Objects,
    changes: Mapping[Pair, Changes],
    labels: Mapping[str, str] | None = None,
) -> tuple[Mapping[Pair, Side], Mapping[str, bytes | int | None]]:
    """Return the sides of commits, given what they changed, and the content of their blobs.

    Without those that changed migrations in another way. `labels` are the app labels of folders
    that are known. Each blob is read once. Raises GitError.
    """
    added: dict[Pair, Blobs] = {}
    deleting = set()
    folders: dict[str, set[str]] = {}
    for pair, (new, deleted, others) in changes.items():
        if any(map(is_migration_path, (*deleted, *others))):
            continue
        added[pair] = {
            folder: blobs
            for folder, blobs in _by_folder(new).items()
            if any(map(is_migration_path, blobs))
        }
        folders.setdefault(pair[0], set()).update(added[pair])
        if deleted:
            deleting.add(pair)
    before = {
        base: _by_folder(repository.files(base, names)) if names else {}
        for base, names in folders.items()
    }
    there = {
        (base, commit): {
            folder: {**before[base].get(folder, {}), **blobs} for folder, blobs in new.items()
        }
        for (base, commit), new in added.items()
    }
    contents = repository.blobs(
        (blob for side in there.values() for blobs in side.values() for blob in blobs.values()),
        largest=MAX_SOURCE_BYTES,
    )
    stated = _Stated(contents)
    sides = {
        pair: Side(
            new,
            there[pair],
            stated.in_order(there[pair], labels or {}),
            deletes=pair in deleting,
        )
        for pair, new in added.items()
    }
    return sides, contents


def _by_folder(files: Mapping[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path, blob in files.items():
        if path.endswith(".py"):
            found.setdefault(path.rpartition("/")[0], {})[path] = blob
    return found


class _Stated:
    """What blobs state as migrations, each read once."""

    def __init__(self, contents: Mapping[str, bytes | int | None]) -> None:
        self.contents = contents
        self.read: dict[str, Scanned | None] = {}

    def in_order(self, there: Blobs, labels: Mapping[str, str]) -> Mapping[Key, Scanned] | None:
        """Return the migrations of folders; None where they are not plainly in order."""
        found = {}
        apps = set()
        for folder, blobs in there.items():
            app = labels.get(folder) or usual_label(folder)
            for name, path in folders_of(blobs).get(folder, {}).items():
                stated = self._of(blobs[path])
                if stated is None or app in apps:
                    return None
                found[app, name] = stated
            apps.add(app)
        return found if is_plain(found, None, closed=False) else None

    def _of(self, blob: str) -> Scanned | None:
        if blob not in self.read:
            content = self.contents[blob]
            self.read[blob] = (
                scan(content) or parsed(content) if isinstance(content, bytes) else None
            )
        return self.read[blob]
