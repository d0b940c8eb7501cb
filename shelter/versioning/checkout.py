"""The migrations of this Django project, checked: as they are, and after merges."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from shelter.versioning import project
from shelter.versioning.checking import COMMAND, check_merges
from shelter.versioning.conflicts.explaining import Origins, explain
from shelter.versioning.conflicts.predicting import Scope
from shelter.versioning.history.git import Repository
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.packages import read_packages, with_imported
from shelter.versioning.ledger.rows import applied_migrations
from shelter.versioning.report.findings import Report

if TYPE_CHECKING:
    from shelter.versioning.conflicts.judging import Compare


def check_checkout(
    apps: Collection[str] | None = None, *, database: str | None = None, exactly: bool = False
) -> Report:
    """Return what is wrong with the migrations of this checkout, those of `apps` alone if given.

    A file that cannot be read without running it is imported: it is this project's own code. With
    the alias of a `database` the report tells what is applied there. With `exactly` the sides of a
    conflict are judged by the models' states, for which all migrations are imported. Raises OSError
    when a file cannot be read, and ImproperlyConfigured as `project.packages()`.
    """
    history = read_packages(project.packages(), project.root())
    history = with_imported(history, project.imported(history.unreadable))
    graph = build_graph(history.migrations, swappable=project.swappable_apps())
    findings = explain(
        history,
        graph,
        Origins.of_checkout(Repository(project.root())),
        apps=apps,
        applied=None if database is None else applied_migrations(database),
        exactly=compare_states() if exactly and graph.conflicts() else None,
    )
    return Report(COMMAND, findings)


def compare_states() -> Compare | None:
    """Return what judges two sides of this checkout by the models' states.

    None where the migrations cannot be loaded: what their text tells is known all the same.
    """
    loader = project.loader()
    if loader is None:
        return None
    # Seldom needed, and slow to import.
    from shelter.versioning.conflicts.states import States  # noqa: PLC0415

    return States(loader).compare


def check_merges_of_checkout(
    against: list[str],
    all_branches: str | None,
    apps: Collection[str] | None,
    *,
    database: str,
    pairwise: bool = False,
    advance: Callable[[int, int], object] = lambda *_: None,
) -> Report:
    """Return what merging `against`, or all branches, into this checkout would give.

    Migrations that are not committed count. The app labels of folders are those of the installed
    apps; of a folder that no installed app has, what its files say. Raises GitError, and
    ImproperlyConfigured as `project.packages()`.
    """
    scope = scope_of_checkout(apps, database)
    return check_merges(
        project.root(), None, against, all_branches, scope, pairwise=pairwise, advance=advance
    )


def scope_of_checkout(apps: Collection[str] | None, database: str | None) -> Scope:
    """Return how a merge into this checkout is looked at: with the labels of the installed apps.

    Raises ImproperlyConfigured as `project.packages()`.
    """
    top = Repository(project.root()).top() or Path()
    labels = {
        folder.resolve().relative_to(top).as_posix(): label
        for label, folder in project.packages().items()
        if folder.resolve().is_relative_to(top)
    }
    return Scope(apps, labels, None if database is None else applied_migrations(database))
