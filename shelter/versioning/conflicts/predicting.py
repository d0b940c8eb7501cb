"""What a merge would do to the migrations, told from git's objects alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from shelter.versioning.conflicts.explaining import Origins, explain
from shelter.versioning.history.git import Difference, GitError, Merge, Repository
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import (
    MIGRATION_PATH,
    History,
    folders_of,
    migration_names,
    read_folders,
)
from shelter.versioning.history.quick import package_folders
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES
from shelter.versioning.report.findings import Comparison, Finding, Level

_NUMBER = re.compile(r"(\d+)_")


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at: `apps` alone if given; `labels` of folders that are known.

    `applied` is what the local database has applied, None where no database was asked.
    """

    apps: Collection[str] | None = None
    labels: Mapping[str, str] | None = None
    applied: Collection[Key] | None = None


def check_folder(top: Path, scope: Scope) -> tuple[Finding, ...]:
    """Return the findings on the migrations below the folder `top`, as they are on disk."""
    contents: dict[str, dict[str, bytes | int | None]] = {}
    for folder in map(Path, package_folders(os.fspath(top))):
        names = migration_names(entry.name for entry in folder.iterdir() if entry.is_file())
        contents[folder.relative_to(top).as_posix()] = {
            name: _content(folder / f"{name}.py") for name in names
        }
    history = read_folders(contents, scope.labels)
    return _explained(history, Origins.of_checkout(Repository(top)), scope)


def _content(path: Path) -> bytes | int:
    size = path.stat().st_size
    return size if size > MAX_SOURCE_BYTES else path.read_bytes()


def check_commit(repository: Repository, ref: str, scope: Scope) -> tuple[Finding, ...]:
    """Return the findings on the migrations of the tree of `ref`. Raises GitError."""
    commit = repository.commit_of(ref)
    history = read_tree(repository, repository.files(commit), None, {}, scope)
    return _explained(history, Origins.of_commit(repository, commit, ref), scope)


def predict(
    repository: Repository, head: str | None, ref: str, scope: Scope
) -> tuple[Finding, ...]:
    """Return the findings on what merging `ref` into `head` would change, `ref` named in each.

    Without a `head`, the work tree's HEAD and the migrations in it that are not committed. Nothing
    is written into the repository, and nothing of either side is run. Raises GitError.
    """
    with merging(repository, head, ref, scope) as merged:
        return tuple(_findings(merged, ref, scope)) if merged else ()


@dataclass(frozen=True, slots=True)
class Merged:
    """The migrations of the folders that a merge would touch, and how they come about."""

    merge: Merge
    difference: Difference
    history: History
    origins: Origins


@contextmanager
def merging(
    repository: Repository, head: str | None, ref: str, scope: Scope
) -> Iterator[Merged | None]:
    """Give what merging `ref` into `head` would give; None where it touches no migration.

    As for `predict`. What is given can be asked for commits until the end of the block.
    """
    theirs = repository.commit_of(ref)
    with repository.scratch() as scratch:
        ours = repository.commit_of(head) if head else scratch.snapshot(MIGRATION_PATH)
        yield _merged(scratch, ours, theirs, (head or "HEAD", ref), scope)


def _merged(
    scratch: Repository, ours: str, theirs: str, names: tuple[str, str], scope: Scope
) -> Merged | None:
    difference = scratch.difference(ours, theirs)
    touched = {path.rpartition("/")[0] for path in difference.paths if MIGRATION_PATH.search(path)}
    if not touched:
        return None
    merge = scratch.merge(ours, theirs, touched)
    chosen = {
        path: ours_blob or theirs_blob
        for path, (ours_blob, theirs_blob) in merge.conflicted.items()
    }
    history = read_tree(scratch, merge.files, touched, chosen, scope)
    origins = Origins.of_merge(scratch, ours, theirs, names, difference)
    return Merged(merge, difference, history, origins)


def _predicted(
    scratch: Repository, ours: str, theirs: str, names: tuple[str, str], scope: Scope
) -> Iterator[Finding]:
    merged = _merged(scratch, ours, theirs, names, scope)
    if merged is not None:
        yield from _findings(merged, names[1], scope)


def _findings(merged: Merged, ref: str, scope: Scope) -> Iterator[Finding]:
    findings = _explained(merged.history, merged.origins, scope, ref=ref)
    yield from findings
    yield from _file_conflicts(merged.merge, merged.history, ref, scope)
    conflicting = {finding.app for finding in findings if finding.leaves}
    yield from _same_numbers(merged.history, merged.difference, conflicting, ref, scope)


def read_tree(
    repository: Repository,
    files: Mapping[str, str],
    touched: Collection[str] | None,
    chosen: Mapping[str, str | None],
    scope: Scope,
) -> History:
    """Read the migrations of a tree in the folders `touched`, or in all."""
    blobs = {
        folder: {name: chosen.get(path) or files[path] for name, path in paths.items()}
        for folder, paths in folders_of(files).items()
        if touched is None or folder in touched
    }
    ids = [blob for names in blobs.values() for blob in names.values()]
    contents = repository.blobs(ids, largest=MAX_SOURCE_BYTES)
    return read_folders(
        {
            folder: {name: contents[blob] for name, blob in names.items()}
            for folder, names in blobs.items()
        },
        scope.labels,
    )


def _explained(
    history: History, origins: Origins, scope: Scope, *, ref: str | None = None
) -> tuple[Finding, ...]:
    graph = build_graph(history.migrations, foreign=True)
    return explain(history, graph, origins, apps=scope.apps, applied=scope.applied, against=ref)


def _file_conflicts(merge: Merge, history: History, ref: str, scope: Scope) -> Iterator[Finding]:
    by_path = {source.path: key for key, source in history.sources.items()}
    for path in sorted(merge.conflicted):
        app = by_path[path][0] if path in by_path else None
        if app is None or (scope.apps is not None and app not in scope.apps):
            continue
        both = None not in merge.conflicted[path]
        what = (
            "both sides changed or added it, each in its own way"
            if both
            else "one side changed what the other deleted or renamed"
        )
        yield Finding(
            id="versioning.W005",
            level=Level.WARNING,
            app=app,
            path=path,
            line=1,
            ref=ref,
            message=f"git cannot merge {path}: {what}.",
            reason="Which version is right is a person's choice; here, ours was read.",
            next=("git merge " + ref, f"git checkout --ours -- {path}", f"git add {path}"),
        )


def _same_numbers(
    history: History,
    difference: Difference,
    conflicting: Collection[str],
    ref: str,
    scope: Scope,
) -> Iterator[Finding]:
    """Yield where both sides used one number, and no conflict tells of it."""
    sides: dict[tuple[str, str], list[list[Key]]] = {}
    for key, source in sorted(history.sources.items()):
        number = _NUMBER.match(key[1])
        if number is None or key[0] in conflicting:
            continue
        for side, paths in enumerate((difference.ours_only, difference.theirs_only)):
            if source.path in paths:
                sides.setdefault((key[0], number[1]), [[], []])[side].append(key)
    for (app, number_text), (ours, theirs) in sides.items():
        if not ours or not theirs or (scope.apps is not None and app not in scope.apps):
            continue
        names = " and ".join(name for _, name in (*ours, *theirs))
        yield Finding(
            id="versioning.I001",
            level=Level.INFO,
            app=app,
            path=history.sources[ours[0]].path,
            line=1,
            ref=ref,
            message=f"{app} would have the number {number_text} twice: {names}.",
            reason="Their dependencies put them in order all the same; Django goes by those.",
        )


def compare_branches(
    repository: Repository,
    head: str | None,
    pattern: str,
    scope: Scope,
    *,
    pairwise: bool,
    advance: Callable[[int, int], object] = lambda *_: None,
) -> tuple[Comparison, ...]:
    """Return what merging each branch that `pattern` fits into `head` would give.

    Without a `head` it is the work tree's, as for `predict`; `pairwise`, every two branches are
    compared. Branches of one tree count once. A merge that git cannot tell of is a finding.
    `advance` is told how many of how many merges were tried. Raises GitError.
    """
    branches = repository.branches(pattern)
    if not branches:
        raise GitError(f"No branch is named like {pattern!r}. Look at `git branch --all`.")
    with repository.scratch() as scratch:
        if pairwise:
            pairs = [
                ((one.name, two.name), (one.commit, two.commit))
                for one, two in combinations(branches, 2)
            ]
        else:
            ours = repository.commit_of(head) if head else scratch.snapshot(MIGRATION_PATH)
            tree = scratch.run("rev-parse", f"{ours}^{{tree}}").strip()
            pairs = [
                ((head or "HEAD", branch.name), (ours, branch.commit))
                for branch in branches
                if branch.tree != tree
            ]
        alone = [branch.commit for branch in branches] if pairwise else []
        strangers = _Strangers(scratch, alone, scope) if alone else None
        compared = []
        for done, (names, commits) in enumerate(pairs):
            advance(done, len(pairs))
            found: tuple[Finding, ...] = ()
            try:
                if strangers is None or not strangers.are(*commits):
                    found = tuple(_predicted(scratch, *commits, names, scope))
            except GitError as error:
                found = (_not_compared(names, error),)
            compared.append(Comparison(*names, found))
        return tuple(compared)


class _Strangers:
    """Which branches cannot get in each other's way, told without merging every two of them.

    They part at one commit, did nothing since but add migrations, to different folders, and each
    one's own are in order. Then a merge has what both added, and no finding.
    """

    def __init__(self, scratch: Repository, commits: Sequence[str], scope: Scope) -> None:
        self.scratch = scratch
        self.scope = scope
        self.bases = scratch.merge_bases(commits)
        self.added: dict[tuple[str, str], frozenset[str] | None] = {}

    def are(self, one: str, two: str) -> bool:
        """Return whether merging the two is known to have no finding."""
        base = self.bases.of(one, two)
        if base is None:
            return False
        mine, other = self._folders(base, one), self._folders(base, two)
        return mine is not None and other is not None and not mine & other

    def _folders(self, base: str, commit: str) -> frozenset[str] | None:
        """Return the folders that `commit` adds migrations to; None where it does anything else."""
        pair = base, commit
        if pair not in self.added:
            difference = self.scratch.difference(*pair)
            changed = difference.ours_only | difference.both
            in_order = not any(map(_is_migration, changed))
            if in_order and not any(_predicted(self.scratch, *pair, pair, self.scope)):
                added = filter(_is_migration, difference.theirs_only)
                self.added[pair] = frozenset(path.rpartition("/")[0] for path in added)
            else:
                self.added[pair] = None
        return self.added[pair]


def _is_migration(path: str) -> bool:
    return MIGRATION_PATH.search(path) is not None


def _not_compared(names: tuple[str, str], error: GitError) -> Finding:
    return Finding(
        id="versioning.W006",
        level=Level.WARNING,
        app="",
        path="",
        ref=names[1],
        message=f"{names[0]} and {names[1]} cannot be compared.",
        reason=str(error),
    )
