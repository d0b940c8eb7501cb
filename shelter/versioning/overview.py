"""What the admin shows of one database: how it stands, remembered while nothing changes."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections

from shelter.versioning import project
from shelter.versioning.drawing import picture_of_checkout
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.migration import Key
from shelter.versioning.history.quick import Look, git_is_waiting
from shelter.versioning.ledger.marks import database_is_there
from shelter.versioning.ledger.recording import Recorded, recorded
from shelter.versioning.report.findings import Report
from shelter.versioning.report.picture import Mark, Picture, State
from shelter.versioning.report.svg import render_svg
from shelter.versioning.status import status_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Drawing:
    """The migrations of one app, drawn; in `words` what is to be seen, empty where all is well."""

    app: str
    count: int
    words: tuple[str, ...]
    svg: str


@dataclass(frozen=True, slots=True)
class Overview:
    """How a database stands.

    `report` is what `dbstatus` says; None where that cannot be told. `marks` are the migrations
    that are edited or ghosts, in a word each. `limits` are sentences on what cannot be seen here.
    """

    report: Report | None
    drawings: tuple[Drawing, ...] = ()
    marks: Mapping[Key, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()


# By alias the last overview, and the state that it is of. Each process remembers its own.
_remembered: dict[str, tuple[object, Overview]] = {}
# The files when this process first looked at them, about when it loaded its code.
_first_seen: list[bytes] = []


def overview_of(alias: str) -> Overview:
    """Return how the database of that alias stands.

    It is worked out anew where a file, a row of the database or git's HEAD differs from the last
    time. Nothing is changed, and what fails is told among the limits.
    """
    try:
        return _overview_of(alias)
    except (OSError, ImproperlyConfigured) as error:
        return Overview(None, limits=(f"The migration files cannot be read: {error}.",))
    except DatabaseError as error:
        # The text can name hosts and users: it goes to the log.
        logger.warning("The database %r does not answer: %s", alias, error)
        return Overview(None, limits=(f"The database {alias!r} does not answer.",))


def _overview_of(alias: str) -> Overview:
    look = project.look()
    if not _first_seen:
        _first_seen.append(look.state)
    rows = recorded(alias) if database_is_there(alias) else Recorded()
    head = _head()
    state = (look.state, _folders(look), rows, head, _columns(alias, look, rows.applied))
    known = _remembered.get(alias)
    if known is not None and known[0] == state:
        return known[1]
    # Before, and not after: what changes meanwhile is then seen as a change.
    is_settled = look.is_settled(time.time_ns()) and not git_is_waiting(str(project.root()))
    made = _make(alias, look, rows, has_git=head is not None)
    if is_settled:
        _remembered[alias] = state, made
    return made


def _make(alias: str, look: Look, rows: Recorded, *, has_git: bool) -> Overview:
    compiled = _compiled(look)
    labels = {config.label for config in apps.get_app_configs()} - compiled
    picture = picture_of_checkout(labels, alias)
    limits = []
    if look.state != _first_seen[0]:
        limits.append(
            "Migration files changed since this server process began, which may still run the code "
            "from before. Restart it."
        )
    if not has_git:
        limits.append(
            "git knows nothing here: authors, dates and what changed in an edited file are not "
            "shown."
        )
    if compiled:
        limits.append(
            f"Compiled files alone are here of {', '.join(sorted(compiled))}: those migrations "
            "cannot be drawn, nor can it be seen whether they were edited."
        )
    if rows.ledger is None:
        limits.append(
            f"The database {alias!r} has no ledger yet: the next migrate makes it, and writes "
            "down from then on who applied what, when and from which commit."
        )
    return Overview(
        status_of((alias,)), tuple(_drawings(picture)), dict(_marks(picture)), tuple(limits)
    )


def _drawings(picture: Picture) -> list[Drawing]:
    """Return the apps, first those in which there is something to be seen."""
    drawings = []
    for app in picture.apps:
        part = picture.only(app)
        ghosts = sum(node.state is State.GHOST for node in part.nodes)
        counts = {
            "conflicting leaves": sum(Mark.CONFLICT in node.marks for node in part.nodes),
            "not applied": sum(node.state is State.UNAPPLIED for node in part.nodes),
            "ghosts" if ghosts > 1 else "ghost": ghosts,
            "edited": sum(Mark.EDITED in node.marks for node in part.nodes),
        }
        words = tuple(f"{count} {word}" for word, count in counts.items() if count)
        svg = render_svg(part, style=False, prefix=f"{app}-", title=f"Migrations of {app}")
        drawings.append(Drawing(app, len(part.nodes), words, svg))
    return sorted(drawings, key=lambda drawing: not drawing.words)


def _marks(picture: Picture) -> Iterable[tuple[Key, str]]:
    for node in picture.nodes:
        if node.state is State.GHOST:
            yield node.key, "ghost"
        elif Mark.EDITED in node.marks:
            yield node.key, "edited"


# --- What an overview depends on -----------------------------------------------------------------


def _folders(look: Look) -> tuple[int, ...]:
    """Return when entries of the packages' folders were last added or taken away."""
    return tuple(Path(folder).stat().st_mtime_ns for _, folder in look.packages)


def _head() -> str | None:
    """Return the commit that is checked out; None where git cannot tell."""
    try:
        return Repository(project.root()).run("rev-parse", "HEAD")
    except GitError:
        return None


def _columns(alias: str, look: Look, applied: Collection[Key]) -> tuple[object, ...]:
    """Return the live columns of apps that may have ghosts: what is said of those depends on them.

    All else that is told is of files and of rows alone.
    """
    labels = {app for app, name in applied if (app, name) not in look.files}
    connection = connections[alias]
    found: list[object] = []
    if not labels:
        return ()
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if model._meta.app_label in labels and table in tables:
                found += connection.introspection.get_table_description(cursor, table)
    return tuple(found)


def _compiled(look: Look) -> set[str]:
    """Return the apps of whose migrations there are compiled files, and no source."""
    with_source = {app for app, _ in look.files}
    return {
        app
        for app, folder in look.packages
        if app not in with_source
        and any(path.stem != "__init__" for path in Path(folder).glob("*.pyc"))
    }
