"""Several leaves in an app, and what else is wrong with a graph, as findings."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from shelter.versioning.history.git import (
    Commit,
    Difference,
    GitError,
    InProgress,
    Repository,
)
from shelter.versioning.history.graph import Fork, Graph, Side
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import History
from shelter.versioning.report.findings import Branch, BranchMigration, Finding, Level, Verdict

if TYPE_CHECKING:
    from shelter.versioning.conflicts.judging import Compare


@dataclass(frozen=True, slots=True)
class Origins:
    """Where migrations come from: who added a file, and which of two merged refs has it.

    `prefix` leads from the top of the repository to where paths begin. `sides` are the commits that
    the files are of: one, or the two of a merge; none for HEAD. `bases` are the merge bases of the
    two, where they are known.
    """

    repository: Repository
    prefix: str = ""
    sides: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    names: tuple[str | None, str | None] = (None, None)
    difference: Difference | None = None
    in_progress: InProgress | None = None

    @classmethod
    def of_checkout(cls, repository: Repository) -> Origins:
        """Return the origins of files on disk, whose paths begin at the repository's folder.

        In a merge or a rebase the side that a file comes from is told.
        """
        try:
            prefix = repository.run("rev-parse", "--show-prefix").rstrip("\n")
            waiting = repository.in_progress()
            if waiting is None:
                return cls(repository, prefix)
            difference = repository.difference(waiting.ours[1], waiting.theirs[1])
        except GitError:
            return cls(repository)
        return cls(
            repository,
            prefix,
            sides=(waiting.ours[1], waiting.theirs[1]),
            names=(waiting.ours[0], waiting.theirs[0]),
            difference=difference,
            in_progress=waiting,
        )

    @classmethod
    def of_commit(cls, repository: Repository, commit: str, name: str) -> Origins:
        """Return the origins of a commit's files, named `name`."""
        return cls(repository, sides=(commit,), names=(name, None))

    @classmethod
    def of_merge(
        cls,
        repository: Repository,
        ours: str,
        theirs: str,
        names: tuple[str, str],
        *,
        difference: Difference,
        bases: tuple[str, ...] = (),
    ) -> Origins:
        """Return the origins of what merging two commits gives, whose merge bases may be known."""
        return cls(
            repository, sides=(ours, theirs), bases=bases, names=names, difference=difference
        )

    def ref_of(self, path: str) -> str | None:
        """Return the name of the ref that has the file at `path`; None where both have it."""
        path = f"{self.prefix}{path}"
        if self.difference is None:
            return self.names[0]
        if path in self.difference.ours_only:
            return self.names[0]
        return self.names[1] if path in self.difference.theirs_only else None

    def merged_as(self, commit: Commit | None) -> str | None:
        """Return the branch by whose merge a commit came here; None where that is not known."""
        if commit is None:
            return None
        try:
            return self.repository.merged_as(commit.id, self.sides[0] if self.sides else "HEAD")
        except GitError:
            return None

    def commits_of(self, paths: Collection[str]) -> Mapping[str, Commit]:
        """Return the commits that added `paths`; none outside a git repository."""
        wanted = {f"{self.prefix}{path}": path for path in paths}
        found: dict[str, Commit] = {}
        try:
            for revisions in self._ranges():
                missing = [path for path in wanted if wanted[path] not in found]
                added = self.repository.added_by(missing, revisions)
                found |= {wanted[path]: commit for path, commit in added.items()}
        except GitError:
            return found
        return found

    def _ranges(self) -> Iterator[Sequence[str]]:
        """Yield the revisions to look for commits in: first what the sides do not share."""
        if len(self.sides) > 1:
            bases = self.bases or self.repository.run("merge-base", "--all", *self.sides).split()
            yield (*self.sides, "--not", *bases)
        yield self.sides


def explain(
    history: History,
    graph: Graph,
    origins: Origins,
    *,
    apps: Collection[str] | None = None,
    applied: Collection[Key] | None = None,
    against: str | None = None,
    exactly: Compare | None = None,
) -> tuple[Finding, ...]:
    """Return the findings on `graph`, for `apps` alone if given.

    `applied` is what the local database has applied, None where no database was asked. `against` is
    the ref whose merge the graph is of. `exactly` judges two sides where they may be run.
    """
    forks = [graph.fork(app) for app in graph.conflicts() if apps is None or app in apps]
    findings: list[Finding] = []
    if origins.in_progress is not None:
        findings.append(_waiting(origins.in_progress))
    if forks:
        explainer = _Explainer(
            history, graph, origins, applied, against, exactly, _commits(history, origins, forks)
        )
        findings += (finding for fork in forks for finding in explainer.conflict(fork))
    findings += (
        finding
        for finding in _defects(history, graph, against)
        if apps is None or finding.app in apps
    )
    return tuple(findings)


def _commits(history: History, origins: Origins, forks: Collection[Fork]) -> Mapping[str, Commit]:
    keys = [key for fork in forks for side in fork.sides for key in side.migrations]
    return origins.commits_of({history.sources[key].path for key in keys})


@dataclass(frozen=True, slots=True)
class _Explainer:
    history: History
    graph: Graph
    origins: Origins
    applied: Collection[Key] | None
    against: str | None
    exactly: Compare | None
    commits: Mapping[str, Commit]

    def conflict(self, fork: Fork) -> Iterator[Finding]:
        """Yield the finding on several leaves, and one on what a merge migration would leave."""
        # What operations do is read where there is a conflict only: it takes more imports.
        from shelter.versioning.conflicts.judging import judge  # noqa: PLC0415

        leaves = tuple(side.leaf[1] for side in fork.sides)
        folder = PurePosixPath(self.graph.migrations[fork.sides[0].leaf].path).parent
        judgement = judge(fork, self.graph, self.history, self.exactly)
        yield Finding(
            id="versioning.W001",
            level=Level.WARNING,
            app=fork.app,
            path=folder.as_posix(),
            message=f"{fork.app} {self._has()} conflicting leaf migrations: {', '.join(leaves)}.",
            ref=self.against,
            leaves=leaves,
            fork=tuple(name for _, name in fork.base),
            branches=tuple(self._branch(side) for side in fork.sides),
            verdict=judgement.verdict,
            reason=judgement.reason,
            next=self._next(fork, folder.as_posix(), judgement.verdict),
        )
        if judgement.verdict is Verdict.ORDER_DEPENDENT:
            yield Finding(
                id="versioning.W007",
                level=Level.WARNING,
                app=fork.app,
                path=folder.as_posix(),
                message=f"A merge migration of {fork.app} may leave model changes unmigrated.",
                ref=self.against,
                reason=(
                    "Both sides state one thing anew. The migration that runs last wins, and the "
                    "models have what git's merge of them says."
                ),
                next=("python manage.py makemigrations --check --dry-run",),
            )

    def _has(self) -> str:
        return "has" if self.against is None else "would have"

    def _next(self, fork: Fork, folder: str, verdict: Verdict) -> tuple[str, ...]:
        before = () if self.against is None else (f"git merge {shlex.quote(self.against)}",)
        if verdict is Verdict.CONTRADICTORY:
            # No order of the two can be right: a person decides which operation stays.
            others = f"HEAD...{shlex.quote(self.against)} " if self.against else ""
            return (f"git log --patch {others}-- {shlex.quote(folder)}",)
        onto = "" if self.against is None else f" --onto {shlex.quote(self.against)}"
        rebase = f"python manage.py rebasemigrations {fork.app}{onto}"
        if verdict is Verdict.ORDER_DEPENDENT:
            # A merge migration would leave two databases different for good.
            return (*before, rebase)
        merge = f"python manage.py makemigrations --merge {fork.app}"
        if verdict is Verdict.UNKNOWN:
            return (*before, merge, f"{rebase} --accept-unknown")
        return (*before, merge, rebase)

    def _branch(self, side: Side) -> Branch:
        path = self.history.sources[side.leaf].path
        ref = self.origins.ref_of(path) or self.origins.merged_as(self.commits.get(path))
        return Branch(
            leaf=side.leaf[1],
            ref=ref,
            migrations=tuple(self._migration(key) for key in side.migrations),
        )

    def _migration(self, key: Key) -> BranchMigration:
        from shelter.versioning.history.reading import read_operations  # noqa: PLC0415

        migration = self.graph.migrations[key]
        source = self.history.sources[key]
        commit = self.commits.get(source.path)
        operations = read_operations(source.content)
        return BranchMigration(
            name=migration.name,
            path=migration.path,
            line=migration.line,
            author=commit.author if commit else None,
            commit=commit.id if commit else None,
            date=commit.date if commit else None,
            operations=(
                ("(operations that cannot be read without running the file)",)
                if operations is None
                else tuple(operation.description for operation in operations)
            ),
            applied=None if self.applied is None else key in self.applied,
        )


def _waiting(waiting: InProgress) -> Finding:
    ours, theirs = waiting.ours[0], waiting.theirs[0]
    what = f"{theirs} onto {ours}" if waiting.kind == "rebase" else f"{theirs} into {ours}"
    mine, words = (ours, "ours") if waiting.mine_is_ours else (theirs, "theirs")
    return Finding(
        id="versioning.I002",
        level=Level.INFO,
        app="",
        path="",
        message=f"A {waiting.kind} of {what} is in progress.",
        reason=f"Your side is {mine}, which git now calls {words}.",
        next=(f"git {waiting.kind} --continue", f"git {waiting.kind} --abort"),
    )


def _defects(history: History, graph: Graph, against: str | None) -> Iterator[Finding]:
    for missing in graph.missing:
        migration = graph.migrations[missing.origin]
        yield Finding(
            id="versioning.W002",
            level=Level.WARNING,
            app=migration.app,
            path=migration.path,
            line=migration.line,
            ref=against,
            message=(
                f"{migration.app}.{migration.name} depends on {missing.key[0]}.{missing.key[1]}, "
                "which no file provides."
            ),
            reason="Django stops with NodeNotFoundError until there is such a file.",
        )
    circle = graph.circle()
    if circle:
        first = graph.migrations[circle[0]]
        yield Finding(
            id="versioning.W003",
            level=Level.WARNING,
            app=first.app,
            path=first.path,
            line=first.line,
            ref=against,
            message=(
                "Migrations depend on one another in a circle: "
                + ", ".join(f"{app}.{name}" for app, name in circle)
                + "."
            ),
            reason="Django stops with CircularDependencyError until one dependency is taken out.",
        )
    for place in history.unreadable:
        yield Finding(
            id="versioning.W004",
            level=Level.WARNING,
            app=place.app,
            path=place.path,
            line=place.line,
            ref=against,
            message=(
                f"{place.app}.{place.name} cannot be read without running it: "
                f"{place.reason.rstrip('.')}."
            ),
            reason="What it depends on may be more than is known here, and so may the leaves.",
        )
