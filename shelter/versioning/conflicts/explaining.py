"""Several leaves in an app, and what else is wrong with a graph, as findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath

from shelter.versioning.history.git import Commit, GitError, Repository
from shelter.versioning.history.graph import Fork, Graph, Side
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import History
from shelter.versioning.history.reading import read_operations
from shelter.versioning.report.findings import Branch, BranchMigration, Finding, Level, Verdict


def explain(
    history: History,
    graph: Graph,
    repository: Repository,
    *,
    apps: Collection[str] | None = None,
    applied: Collection[Key] | None = None,
) -> tuple[Finding, ...]:
    """Return the findings on `graph`, for `apps` alone if given.

    `applied` is what the local database has applied, None where no database was asked.
    """
    forks = [graph.fork(app) for app in graph.conflicts() if apps is None or app in apps]
    commits = _commits(history, repository, forks)
    findings = [_conflict(fork, history, graph, commits, applied) for fork in forks]
    findings += (
        finding for finding in _defects(history, graph) if apps is None or finding.app in apps
    )
    return tuple(findings)


def _conflict(
    fork: Fork,
    history: History,
    graph: Graph,
    commits: Mapping[Path, Commit],
    applied: Collection[Key] | None,
) -> Finding:
    leaves = tuple(side.leaf[1] for side in fork.sides)
    folder = PurePosixPath(graph.migrations[fork.sides[0].leaf].path).parent
    return Finding(
        id="versioning.W001",
        level=Level.WARNING,
        app=fork.app,
        path=folder.as_posix(),
        message=f"{fork.app} has conflicting leaf migrations: {', '.join(leaves)}.",
        leaves=leaves,
        fork=tuple(name for _, name in fork.base),
        branches=tuple(_branch(side, history, graph, commits, applied) for side in fork.sides),
        verdict=Verdict.UNKNOWN,
        reason="The sides' operations were not compared; read them before you join them.",
        next=(f"python manage.py makemigrations --merge {fork.app}",),
    )


def _branch(
    side: Side,
    history: History,
    graph: Graph,
    commits: Mapping[Path, Commit],
    applied: Collection[Key] | None,
) -> Branch:
    return Branch(
        leaf=side.leaf[1],
        ref=None,
        migrations=tuple(
            _migration(key, history, graph, commits, applied) for key in side.migrations
        ),
    )


def _migration(
    key: Key,
    history: History,
    graph: Graph,
    commits: Mapping[Path, Commit],
    applied: Collection[Key] | None,
) -> BranchMigration:
    migration = graph.migrations[key]
    source = history.sources[key]
    commit = commits.get(source)
    operations = read_operations(source.read_bytes())
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
        applied=None if applied is None else key in applied,
    )


def _commits(
    history: History, repository: Repository, forks: Collection[Fork]
) -> Mapping[Path, Commit]:
    """Return the commits behind the sides of `forks`; none outside a git repository."""
    keys = [key for fork in forks for side in fork.sides for key in side.migrations]
    try:
        return repository.added_by([history.sources[key] for key in keys])
    except GitError:
        return {}


def _defects(history: History, graph: Graph) -> Iterator[Finding]:
    for missing in graph.missing:
        migration = graph.migrations[missing.origin]
        yield Finding(
            id="versioning.W002",
            level=Level.WARNING,
            app=migration.app,
            path=migration.path,
            line=migration.line,
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
            message=(
                f"{place.app}.{place.name} cannot be read without running it: "
                f"{place.reason.rstrip('.')}."
            ),
            reason="What it depends on may be more than is known here, and so may the leaves.",
        )
