"""The migrations of this checkout, checked."""

from __future__ import annotations

from collections.abc import Collection

from shelter.versioning import project
from shelter.versioning.conflicts.explaining import Origins, explain
from shelter.versioning.history.git import Repository
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.packages import read_packages
from shelter.versioning.report.findings import Report


def check_checkout(apps: Collection[str] | None = None, *, database: str | None = None) -> Report:
    """Return what is wrong with the migrations of this checkout, those of `apps` alone if given.

    With the alias of a `database` the report tells what is applied there. Raises OSError when a
    file cannot be read, and ImproperlyConfigured as `project.packages()`.
    """
    history = read_packages(project.packages(), project.root())
    graph = build_graph(history.migrations, swappable=project.swappable_apps())
    findings = explain(
        history,
        graph,
        Origins.of_checkout(Repository(project.root())),
        apps=apps,
        applied=None if database is None else project.applied_migrations(database),
    )
    return Report("checkmigrations", findings)
