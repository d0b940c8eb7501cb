"""What a merge would do to the migrations, told from git's objects alone."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, combinations
from pathlib import Path

from shelter.versioning.conflicts.explaining import Origins, explain
from shelter.versioning.history.git import Difference, GitError, Merge, Repository
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import (
    History,
    read_folders,
)
from shelter.versioning.history.quick import (
    folders_of,
    is_migration_path,
    migration_names,
    package_folders,
)
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES
from shelter.versioning.history.sides import Side, read_sides
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
        ours = repository.commit_of(head) if head else scratch.snapshot(is_migration_path)
        yield _merged(scratch, ours, theirs, (head or "HEAD", ref), scope)


def _merged(
    scratch: Repository, ours: str, theirs: str, names: tuple[str, str], scope: Scope
) -> Merged | None:
    difference = scratch.difference(ours, theirs)
    touched = _touched(difference)
    if not touched:
        return None
    merge = scratch.merge(ours, theirs, touched)
    chosen = {
        path: ours_blob or theirs_blob
        for path, (ours_blob, theirs_blob) in merge.conflicted.items()
    }
    history = read_tree(scratch, merge.files, touched, chosen, scope)
    origins = Origins.of_merge(scratch, ours, theirs, names, difference=difference)
    return Merged(merge, difference, history, origins)


def _touched(difference: Difference) -> set[str]:
    return {path.rpartition("/")[0] for path in difference.paths if is_migration_path(path)}


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
    blobs = _packages({path: chosen.get(path) or blob for path, blob in files.items()}, touched)
    ids = [blob for names in blobs.values() for blob in names.values()]
    contents = repository.blobs(ids, largest=MAX_SOURCE_BYTES)
    return _read(blobs, contents, scope)


def _packages(
    files: Mapping[str, str], touched: Collection[str] | None
) -> dict[str, dict[str, str]]:
    """Return the blobs of migrations by folder and name, in the folders `touched`, or in all."""
    return {
        folder: {name: files[path] for name, path in paths.items()}
        for folder, paths in folders_of(files).items()
        if touched is None or folder in touched
    }


def _read(
    blobs: Mapping[str, Mapping[str, str]],
    contents: Mapping[str, bytes | int | None],
    scope: Scope,
) -> History:
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
            next=(
                f"git merge {shlex.quote(ref)}",
                f"git checkout --ours -- {shlex.quote(path)}",
                f"git add {shlex.quote(path)}",
            ),
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
            ours = repository.commit_of(head) if head else scratch.snapshot(is_migration_path)
            tree = scratch.run("rev-parse", f"{ours}^{{tree}}").strip()
            pairs = [
                ((head or "HEAD", branch.name), (ours, branch.commit))
                for branch in branches
                if branch.tree != tree
            ]
        merges = _Merges(scratch, [commits for _, commits in pairs], scope)
        compared = []
        for done, (names, commits) in enumerate(pairs):
            advance(done, len(pairs))
            try:
                found = tuple(merges.findings(names, *commits))
            except GitError as error:
                found = (_not_compared(names, error),)
            compared.append(Comparison(*names, found))
        return tuple(compared)


class _Merges:
    """Many merges, each pair of commits by itself, but what they have in common read once.

    git merges only what is more than files added on both sides.
    """

    def __init__(
        self, scratch: Repository, pairs: Collection[tuple[str, str]], scope: Scope
    ) -> None:
        self.scratch = scratch
        self.scope = scope
        self._clean: dict[str, dict[str, bool]] = {}
        self.bases = scratch.merge_bases(list(dict.fromkeys(chain.from_iterable(pairs))))
        wanted = [
            (base, commit) for pair in pairs if (base := self.bases.of(*pair)) for commit in pair
        ]
        self.sides: Mapping[tuple[str, str], Side]
        self.contents: Mapping[str, bytes | int | None]
        try:
            self.sides, self.contents = read_sides(scratch, scratch.changes(wanted), scope.labels)
        except GitError:
            # Some object is not here: which one, each merge tells.
            self.sides, self.contents = {}, {}

    def findings(self, names: tuple[str, str], ours: str, theirs: str) -> Iterator[Finding]:
        """Yield the findings on merging the second commit into the first. Raises GitError."""
        base = self.bases.of(ours, theirs) or ""
        one, two = self.sides.get((base, ours)), self.sides.get((base, theirs))
        if one is None or two is None or not one.merges_by_file(two):
            # What leaves migrations alone gives the other side's.
            alone = (one and one.changes_nothing) or (two and two.changes_nothing)
            if not alone or not self._is_clean(base, theirs if two is None else ours):
                yield from _predicted(self.scratch, ours, theirs, names, self.scope)
        elif not one.leaves_nothing_to_find(two):
            merge, difference = _merge_by_file(one, two)
            blobs = _packages(merge.files, _touched(difference))
            history = _read(blobs, self.contents, self.scope)
            origins = Origins.of_merge(
                self.scratch, ours, theirs, names, difference=difference, bases=(base,)
            )
            yield from _findings(Merged(merge, difference, history, origins), names[1], self.scope)

    def _is_clean(self, base: str, commit: str) -> bool:
        """Return whether there is nothing to find in what a commit did since its base."""
        if commit not in self._clean.setdefault(base, {}):
            found = _predicted(self.scratch, base, commit, (base, commit), self.scope)
            self._clean[base][commit] = not any(found)
        return self._clean[base][commit]


def _merge_by_file(one: Side, two: Side) -> tuple[Merge, Difference]:
    """Return what git's merge of two sides gives where both only added files."""
    mine = {path: blob for blobs in one.added.values() for path, blob in blobs.items()}
    other = {path: blob for blobs in two.added.values() for path, blob in blobs.items()}
    both = frozenset(path for path in mine.keys() & other if mine[path] != other[path])
    files = {
        path: blob
        # Of what both have, ours stays.
        for side in (two, one)
        for blobs in side.there.values()
        for path, blob in blobs.items()
    }
    return (
        Merge(files, {path: (mine[path], other[path]) for path in both}),
        Difference(
            frozenset(mine.keys() - other.keys()), frozenset(other.keys() - mine.keys()), both
        ),
    )


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
