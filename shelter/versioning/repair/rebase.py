"""My side after theirs: which migrations get which names, and what their files say then."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import PurePosixPath

from shelter.versioning.history.migration import Key, Migration
from shelter.versioning.history.packages import History
from shelter.versioning.history.reading import Entry, read_operations
from shelter.versioning.repair.rewriting import CannotRewriteError, rewrite

_NUMBER = re.compile(r"\d+")


class CannotRebaseError(Exception):
    """The sides cannot be put one after the other; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A migration's file before and after: `new_path` is None for one that goes.

    `key` is the migration by the name it has then.
    """

    key: Key
    path: str
    new_path: str | None
    before: bytes
    after: bytes

    def diff(self) -> str:
        """Return the change as a unified diff, as git shows renames and deletions."""
        new = "/dev/null" if self.new_path is None else f"b/{self.new_path}"
        lines = difflib.unified_diff(
            self.before.decode(errors="replace").splitlines(keepends=True),
            self.after.decode(errors="replace").splitlines(keepends=True),
            f"a/{self.path}",
            new,
        )
        head = (
            f"rename from {self.path}\nrename to {self.new_path}\n"
            if self.new_path not in (None, self.path)
            else ""
        )
        return head + "".join(lines)


@dataclass(frozen=True, slots=True)
class AppRebase:
    """One app: what mine goes after, mine in their new order, and the merges that go."""

    app: str
    onto: str
    names: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RebasePlan:
    """What a rebase does to files and to rows; nothing is done yet."""

    apps: tuple[AppRebase, ...]
    edits: tuple[FileEdit, ...]

    @property
    def renames(self) -> tuple[tuple[Key, Key], ...]:
        """The migrations that get another name, in the order of application."""
        return tuple(
            ((rebase.app, old), (rebase.app, new))
            for rebase in self.apps
            for old, new in rebase.names
            if old != new
        )

    @property
    def dropped(self) -> tuple[Key, ...]:
        """The merge migrations that are no longer needed."""
        return tuple((rebase.app, name) for rebase in self.apps for name in rebase.dropped)


def sides_of(
    history: History, apps: Collection[str], onto: str, is_theirs: Callable[[str], bool]
) -> tuple[dict[str, set[str]], dict[str, str]]:
    """Return, for each of `apps`, the names of mine and the leaf of theirs.

    `is_theirs` says of a file's path whether `onto` has it. Raises CannotRebaseError where a side
    is empty or has not one leaf.
    """
    mine: dict[str, set[str]] = {}
    for (app, name), source in history.sources.items():
        if app in apps and not is_theirs(source.path):
            mine.setdefault(app, set()).add(name)
    leaves = {}
    for app in sorted(apps):
        if app not in mine:
            raise CannotRebaseError(
                f"Every migration of {app} is in {onto} too, so that none is yours. Say what yours "
                "go after: python manage.py rebasemigrations --onto REF"
            )
        theirs = {m.name for m in history.migrations if m.app == app} - mine[app]
        leaves[app] = _only_leaf(history, app, theirs, f"{onto} has")
        _only_leaf(history, app, mine[app], "Your side has")
    return mine, leaves


def _only_leaf(history: History, app: str, names: Collection[str], who: str) -> str:
    parents = {
        parent
        for migration in history.migrations
        if migration.app == app and migration.name in names
        for label, parent in (*migration.dependencies, *migration.replaces)
        if label == app
    }
    leaves = sorted(set(names) - parents)
    if len(leaves) != 1:
        names_there = {migration.key for migration in history.migrations}
        for migration in history.migrations:
            for key in migration.dependencies:
                if migration.app == key[0] == app and key not in names_there:
                    raise CannotRebaseError(
                        f"{app}.{migration.name} depends on {app}.{key[1]}, which no file provides:"
                        " a side renamed or deleted it. Put that right first."
                    )
        told = ", ".join(leaves) or "none"
        raise CannotRebaseError(
            f"{who} not one leaf in {app} but {len(leaves)} ({told}). Put those right first: "
            f"python manage.py checkmigrations {app}"
        )
    return leaves[0]


def plan_rebase(
    history: History, mine: Mapping[str, Collection[str]], onto: Mapping[str, str]
) -> RebasePlan:
    """Return the plan that puts `mine` (names by app) after the leaf `onto` of each app.

    Raises CannotRebaseError where a reference to a migration that is renamed cannot be changed.
    """
    migrations = {migration.key: migration for migration in history.migrations}
    apps = tuple(
        _order(history, app, set(mine[app]), onto[app], migrations) for app in sorted(mine)
    )
    return RebasePlan(apps, tuple(_edits(history, migrations, apps)))


def _order(
    history: History, app: str, mine: set[str], onto: str, migrations: Mapping[Key, Migration]
) -> AppRebase:
    parents = {
        name: {
            parent
            for label, parent in migrations[app, name].dependencies
            if label == app and parent in mine
        }
        for name in sorted(mine)
    }
    order = list(TopologicalSorter(parents).static_order())
    others = [name for label, name in migrations if label == app and name not in mine]
    last = max((number for name in others if (number := _number(name)) is not None), default=0)
    names, dropped = [], []
    for name in order:
        if (
            _is_merge(migrations[app, name])
            and len(parents[name]) < 2
            and read_operations(history.sources[app, name].content) == ()
        ):
            dropped.append(name)
            continue
        number = _number(name)
        if number is not None:
            last = number if number > last else last + 1
            names.append((name, _NUMBER.sub(f"{last:04}", name, count=1)))
        else:
            names.append((name, name))
    return AppRebase(app, onto, tuple(names), tuple(dropped))


def _number(name: str) -> int | None:
    """Return a name's number by the rule of Django 5.2's `MigrationAutodetector.parse_number()`."""
    squashed = re.match(r".*_squashed_(\d+)", name)
    found = squashed or re.match(r"(\d+)", name)
    return int(found[1]) if found else None


def _is_merge(migration: Migration) -> bool:
    return sum(label == migration.app for label, _ in migration.dependencies) > 1


def _edits(
    history: History, migrations: Mapping[Key, Migration], apps: tuple[AppRebase, ...]
) -> Iterator[FileEdit]:
    new_names = {(r.app, old): new for r in apps for old, new in r.names}
    dropped = {(r.app, name) for r in apps for name in r.dropped}
    ontos = {r.app: r.onto for r in apps}
    # What stands for a merge that goes: the one before it in the new order.
    before = _predecessors(apps, migrations)
    for key, source in history.sources.items():

        def rename(entry: Entry, key: Key = key) -> str | None:
            app, name = entry.key
            if entry.key in dropped:
                return before[entry.key]
            if entry.key in new_names:
                return new_names[entry.key]
            is_mine = key in new_names
            if is_mine and entry.target == "dependencies" and app == key[0]:
                return ontos[app]
            return name if entry.key in migrations else None

        if key in dropped:
            yield FileEdit(key, source.path, None, source.content, b"")
            continue
        named = any(name.encode() in source.content for _, name in (*new_names, *dropped))
        if key not in new_names and not named:
            continue
        try:
            after = rewrite(source.content, rename)
        except CannotRewriteError as error:
            raise CannotRebaseError(f"{source.path} cannot be changed: {error}.") from error
        new = new_names.get(key, key[1])
        path = PurePosixPath(source.path).with_name(f"{new}.py").as_posix()
        if after != source.content or path != source.path:
            yield FileEdit((key[0], new), source.path, path, source.content, after)


def _predecessors(
    apps: tuple[AppRebase, ...], migrations: Mapping[Key, Migration]
) -> dict[Key, str]:
    """Return, for each merge that goes, the new name of the one of mine that it rests on."""
    found: dict[Key, str] = {}
    for rebase in apps:
        new = dict(rebase.names)
        for name in rebase.dropped:
            below = [
                key for key in migrations[rebase.app, name].dependencies if key[0] == rebase.app
            ]
            mine = [found.get(key) or new.get(key[1]) for key in below]
            found[rebase.app, name] = next(filter(None, mine), rebase.onto)
    return found
