"""Whether there is nothing to find, told before anything else is imported.

Nearly always there is nothing, and a hook that runs at each checkout should not be felt. So the
common case is decided here, with `os` alone: packages in a graph with one leaf an app and nothing
missing, nearly every file of the form that `makemigrations` writes. Whatever is not as plain as
that is left to the whole check; a test holds both to the same answer.

The state of the files (names, sizes, times, inodes) in which either of the two found nothing is
remembered in the user's cache folder, so that unchanged files are not even read.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shelter.versioning.history.scanning import Key, Scanned

FIRST, LATEST = "__first__", "__latest__"

# Folders that hold no code of the project, and may hold very much of others'.
PRUNED = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})

# A file that was changed so shortly before it was looked at could change again unseen.
_RACY_NS = 100_000_000


def package_folders(top: str) -> Iterator[str]:
    """Yield the folders below `top` that look like migration packages.

    They are packages named `migrations`, or with files that are named as `makemigrations` names
    them. Hidden folders, virtual environments and other people's packages are not looked into, nor
    are folders that may not be: Django could load none of theirs.
    """
    pending = [top]
    while pending:
        folder = pending.pop()
        names = []
        below = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = entry.name
                    names.append(name)
                    if (
                        "." not in name
                        and name not in PRUNED
                        and entry.is_dir(follow_symlinks=False)
                    ):
                        below.append(entry.path)
        except OSError:
            continue
        if "pyvenv.cfg" in names:
            continue
        pending += below
        if is_package(os.path.basename(folder), names):
            yield folder


def is_package(name: str, entries: Iterable[str]) -> bool:
    """Return whether a folder of that name, with these entries, looks like a migration package."""
    entries = set(entries)
    return "__init__.py" in entries and (name == "migrations" or any(map(is_numbered, entries)))


def is_numbered(name: str) -> bool:
    """Return whether a file is named as `makemigrations` names them: `0002_photo.py`."""
    return name[:4].isdecimal() and name[4:5] == "_" and name.endswith(".py")


def is_migration(name: str) -> bool:
    """Return whether Django's loader would take a file of that name for a migration."""
    return name.endswith(".py") and name[0] not in "_~" and "." not in name[:-3]


def is_migration_path(path: str) -> bool:
    """Return whether a path is one that a migration may have."""
    folder, _, name = path.rpartition("/")
    return is_numbered(name) or (
        name.endswith(".py") and name != ".py" and folder.rpartition("/")[2] == "migrations"
    )


def migration_names(entries: Iterable[str]) -> list[str]:
    """Return the names of the migrations among the `entries` of a folder, sorted."""
    return sorted(entry.removesuffix(".py") for entry in entries if is_migration(entry))


def folders_of(paths: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the migration packages among `paths`: by folder, the path of each migration by name.

    A package is told as by `package_folders`.
    """
    entries: dict[str, set[str]] = {}
    for path in paths:
        if path.endswith(".py"):
            folder, _, name = path.rpartition("/")
            entries.setdefault(folder, set()).add(name)
    return {
        folder: {name: f"{folder}/{name}.py".lstrip("/") for name in migration_names(names)}
        for folder, names in entries.items()
        if is_package(folder.rpartition("/")[2], names)
    }


def usual_label(folder: str) -> str:
    """Return the app label of a folder of which nothing else tells: the name of the one above."""
    above, _, name = folder.rpartition("/")
    return above.rpartition("/")[2] or name


class Look:
    """The state of packages' files at one moment, and whether there is anything to find in them.

    `state` holds the names, sizes, times and inodes: where it is the same, the files are. `files`
    are the path and the size of each migration.
    Packages are pairs of an app's label and a folder. `closed`: an app that is not among them is
    missing; else it may be anywhere. Raises OSError where a folder cannot be read.
    """

    def __init__(
        self,
        packages: Iterable[tuple[str, str]],
        *,
        swappable: Mapping[str, str] | None = None,
        closed: bool = False,
    ) -> None:
        self.packages = sorted(packages)
        self.swappable = swappable
        self.closed = closed
        self.files: dict[Key, tuple[str, int]] = {}
        self._newest = 0
        state = [repr((self.packages, swappable, closed))]
        for label, folder in self.packages:
            with os.scandir(folder) as entries:
                found = sorted((entry.name, entry) for entry in entries if is_migration(entry.name))
            for name, entry in found:
                status = entry.stat()
                self._newest = max(self._newest, status.st_mtime_ns, status.st_ctime_ns)
                state.append(
                    f"{label}/{name} {status.st_size} {status.st_mtime_ns} "
                    f"{status.st_ctime_ns} {status.st_ino}"
                )
                self.files[label, name[:-3]] = entry.path, status.st_size
        self.state = "\n".join(state).encode(errors="surrogateescape")
        self._memory = _cache_file(self.packages)

    def is_settled(self, now_ns: int) -> bool:
        """Return whether files that have this `state` later are, as of `now_ns`, the same ones."""
        return now_ns - self._newest >= _RACY_NS

    def nothing_to_find(self) -> bool:
        """Return True where the whole check would find nothing; False where it may."""
        if _remembered(self._memory) == self.state:
            return True
        # Files that are remembered are not read, nor is what reads them.
        from shelter.versioning.history.scanning import MAX_SOURCE_BYTES, scan  # noqa: PLC0415

        one_label_twice = len({label for label, _ in self.packages}) < len(self.packages)
        if one_label_twice or any(size > MAX_SOURCE_BYTES for _, size in self.files.values()):
            return False
        migrations = {}
        for key, (path, size) in self.files.items():
            source = _read(path, size)
            if source is None:
                return False
            stated = scan(source) or parsed(source)
            if stated is None:
                return False
            migrations[key] = stated
        if not is_plain(migrations, self.swappable, closed=self.closed):
            return False
        self.remember_nothing()
        return True

    def remember_nothing(self) -> None:
        """Remember that there is nothing to find in files of this state.

        Nothing is remembered of files that were changed just before, nor without a place for it.
        """
        if self._memory is None:
            return
        unfinished = f"{self._memory}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self._memory), exist_ok=True)
            with open(unfinished, "wb") as file:
                file.write(self.state)
            if self.is_settled(os.stat(unfinished).st_mtime_ns):
                os.replace(unfinished, self._memory)
            else:
                os.unlink(unfinished)
        except OSError:
            return


def _read(path: str, size: int) -> bytes | None:
    """Return the content of a file of that size; None of one that is not so, or cannot be read."""
    try:
        # A file object takes as long again.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            content = os.read(descriptor, size + 1)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return content if len(content) == size else None


def parsed(source: bytes) -> Scanned | None:
    """Return what parsing tells of a migration; None where it does not tell all."""
    # Few files need it, and its imports take as long as scanning hundreds.
    from shelter.versioning.history.reading import is_south, read_migration  # noqa: PLC0415

    read = read_migration(source, "", "", "")
    stated = read.migration
    if stated is None or read.unreadable or is_south(source):
        return None
    return (
        stated.line,
        stated.dependencies,
        stated.run_before,
        stated.replaces,
        stated.swappable,
        stated.initial,
    )


def is_plain(
    migrations: Mapping[Key, Scanned], swappable: Mapping[str, str] | None, *, closed: bool
) -> bool:
    """Return whether each app has one root and one leaf, and nothing is missing or in a circle.

    Squashes are plain where what they replace is neither here nor depended on.
    """
    apps = {app for app, _ in migrations}
    swappable = swappable or {}
    parents: dict[Key, list[Key]] = {}
    firsts: list[tuple[Key, str]] = []
    replaced: set[Key] = set()
    elsewhere: set[Key] = set()
    for key, (_, dependencies, _, replaces, settings, _) in migrations.items():
        app = key[0]
        parents[key] = above = []
        for parent in dependencies:
            if parent in migrations:
                above.append(parent)
            elif parent[1] == FIRST and parent[0] != app:
                firsts.append((key, parent[0]))
            elif closed or parent[1] in (FIRST, LATEST) or parent[0] in apps:
                return False
            else:
                elsewhere.add(parent)
        firsts += ((key, swappable[name]) for name in settings if swappable.get(name, app) != app)
        replaced.update(replaces)
    roots = _only_roots(parents)
    if len(roots) != len(apps) or not replaced.isdisjoint(elsewhere.union(migrations)):
        return False
    for key, (_, _, run_before, *_) in migrations.items():
        for child in run_before:
            if child not in migrations or child[0] == key[0]:
                return False
            parents[child].append(key)
    for key, app in firsts:
        if app in roots:
            parents[key].append(roots[app])
        elif closed:
            return False
    return _comes_to_an_end(parents)


def _only_roots(parents: Mapping[Key, list[Key]]) -> Mapping[str, Key]:
    """Return the root of each app; nothing where an app has several roots, or several leaves."""
    roots: dict[str, Key] = {}
    inner = set()
    root_count = 0
    for key, above in parents.items():
        own = [parent for parent in above if parent[0] == key[0]]
        inner.update(own)
        if not own:
            root_count += 1
            roots[key[0]] = key
    leaf_count = len(parents) - len(inner)
    return roots if root_count == leaf_count == len(roots) else {}


def _comes_to_an_end(parents: Mapping[Key, list[Key]]) -> bool:
    """Return whether no migration depends on itself by way of others."""
    waiting = {key: len(above) for key, above in parents.items()}
    children: dict[Key, list[Key]] = {}
    for key, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(key)
    ready = [key for key, count in waiting.items() if not count]
    done = 0
    while ready:
        done += 1
        for child in children.get(ready.pop(), ()):
            waiting[child] -= 1
            if not waiting[child]:
                ready.append(child)
    return done == len(parents)


def git_is_waiting(folder: str) -> bool:
    """Return whether a merge or a rebase is in progress in the work tree that `folder` is in.

    True also where that cannot be told: the whole check asks git.
    """
    above = ""
    while folder != above:
        place = os.path.join(folder, ".git")
        if os.path.exists(place):
            waiting = ("MERGE_HEAD", "rebase-merge", "rebase-apply")
            return not os.path.isdir(place) or any(
                os.path.exists(os.path.join(place, name)) for name in waiting
            )
        folder, above = os.path.dirname(folder), folder
    return False


# --- Remembering ---------------------------------------------------------------------------------


def cache_folder() -> str | None:
    """Return where answers are remembered; None where the user has no home."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "shelter-versioning") if os.path.isabs(home) else None


def _cache_file(packages: list[tuple[str, str]]) -> str | None:
    """Return the file that remembers these packages; None where the user has no home."""
    folder = cache_folder()
    # Two that share a name forget each other's answer, and lose nothing else.
    text = repr(packages).encode(errors="surrogateescape")
    name = int.from_bytes(text, "big") % (2**61 - 1)
    return None if folder is None else os.path.join(folder, f"{name:016x}")


def _remembered(path: str | None) -> bytes:
    if path is None:
        return b""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
