"""The tour: a story of two teammates, played with real commands on a scratch project."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shelter.versioning.history.git import Repository


class TourError(Exception):
    """The story did not go as told; the message says where, and what the command printed."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that somebody writes into the model, in the line below another one."""

    by: str
    below: str
    line: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A command, whose clone it is typed in, and how it exits."""

    by: str
    line: str
    exit: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """What happens, in a sentence; the field that is written, if one is; and what is typed."""

    name: str
    says: str
    typed: tuple[Typed, ...]
    field: Field | None = None


# --- The story -----------------------------------------------------------------------------------

_WEIGHT = "DecimalField(max_digits=5, decimal_places=2, null=True)"
_SEEN = Typed("ben", "python manage.py dumpdata animals --format jsonl")

SETTING = (
    "Ana and Ben work on one project, each with a clone and a database. On her branch, photo, Ana "
    "has given animals a photo, and pushed it."
)
"""What has happened before the story."""

END = "In your own project, python manage.py dbstatus says where you are, and what to type."
"""What to do after it."""

STORY = (
    Step(
        "weight",
        "Ben, on a branch of his own, gives animals a weight.",
        (
            Typed("ben", "git switch -q -c weight"),
            Typed("ben", "python manage.py makemigrations"),
            Typed("ben", "python manage.py migrate"),
            Typed("ben", "git add -A"),
            Typed("ben", 'git commit -q -m "Animals have a weight"'),
        ),
        Field("ben", "species", f"weight = models.{_WEIGHT}"),
    ),
    Step(
        "row",
        "He weighs Bella. Nothing that follows may lose what he has in his database.",
        (
            Typed(
                "ben",
                "python manage.py shell -v0 -c "
                "\"Animal.objects.create(name='Bella', species='dog', weight='31.40')\"",
            ),
            _SEEN,
        ),
    ),
    Step(
        "predicted",
        "Will his branch and Ana's get along? Hers is neither checked out nor run to tell.",
        (
            Typed("ben", "git fetch -q"),
            Typed("ben", "python manage.py checkmigrations --against origin/photo", exit=1),
        ),
    ),
    Step(
        "drawn",
        "The same as a picture: a lane for each side, and what his database has of it.",
        (Typed("ben", "python manage.py graphmigrations --against origin/photo"),),
    ),
    Step(
        "rebased",
        "He merges it, and puts his migration after hers, in files and database alike.",
        (
            Typed("ben", "git merge -q --no-edit origin/photo"),
            Typed("ben", "python manage.py rebasemigrations animals --onto origin/photo"),
        ),
    ),
    Step(
        "kept",
        "Bella has her weight still, now beside a photo.",
        (
            _SEEN,
            Typed("ben", "python manage.py dbstatus --short"),
            Typed("ben", "git add -A"),
            Typed("ben", 'git commit -q -m "The weight goes after the photo"'),
            Typed("ben", "git push -q origin weight"),
        ),
    ),
    Step(
        "tried",
        "Ana tries Ben's branch in her own database, and weighs Max there.",
        (
            Typed("ana", "git fetch -q"),
            Typed("ana", "git switch -q weight"),
            Typed("ana", "python manage.py dbsync"),
            Typed(
                "ana",
                "python manage.py shell -v0 -c "
                "\"Animal.objects.create(name='Max', species='cat', weight='4.20')\"",
            ),
        ),
    ),
    Step(
        "ahead",
        "Back on her branch, her database has a column that no file here knows of.",
        (
            Typed("ana", "git switch -q photo"),
            Typed("ana", "python manage.py dbstatus"),
        ),
    ),
    Step(
        "synced",
        "It is taken back with Ben's very code, out of git; what was in it is kept in a file.",
        (
            Typed("ana", "python manage.py dbsync --save-to weights.jsonl"),
            Typed("ana", "python manage.py dbstatus --short"),
        ),
    ),
)
"""The steps of the tour."""

# --- Before the story ----------------------------------------------------------------------------

_FILES: Mapping[str, str] = {
    ".gitignore": "db.sqlite3*\n*.jsonl\n",
    "manage.py": """\
import sys

from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
""",
    "settings.py": """\
from pathlib import Path

SECRET_KEY = "of a project that is thrown away"
INSTALLED_APPS = ["shelter.versioning", "animals"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(__file__).parent / "db.sqlite3",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
""",
    "animals/__init__.py": "",
    "animals/models.py": """\
from django.db import models


class Animal(models.Model):
    name = models.CharField(max_length=50)
    species = models.CharField(max_length=50)
""",
    "animals/migrations/__init__.py": "",
}

_BEFORE = (
    Step(
        "begun",
        "Ana begins a project, and Ben gets a clone of it.",
        (
            Typed("ana", "python manage.py makemigrations -v0"),
            Typed("ana", "git init -q -b main"),
            Typed("ana", "git add -A"),
            Typed("ana", 'git commit -q -m "A shelter"'),
            Typed("ana", "git clone -q --bare . ../team.git"),
            Typed("ana", "git remote add origin ../team.git"),
            Typed("ana", "git clone -q ../team.git ../ben"),
            Typed("ben", "python manage.py migrate -v0"),
        ),
    ),
    Step(
        "photo",
        "On her branch, Ana gives animals a photo.",
        (
            Typed("ana", "git switch -q -c photo"),
            Typed("ana", "python manage.py makemigrations -v0"),
            Typed("ana", "python manage.py migrate -v0"),
            Typed("ana", "git add -A"),
            Typed("ana", 'git commit -q -m "Animals have a photo"'),
            Typed("ana", "git push -q origin photo"),
        ),
        Field("ana", "name", "photo = models.URLField(blank=True)"),
    ),
)


@contextmanager
def scratch_folder(*, keep: bool) -> Iterator[Path]:
    """Make a folder for the story, and remove it in the end unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="tour-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Stage:
    """A scratch folder in which the story is played.

    `coloured`: commands of `manage.py` print in colour, as they do on a terminal.
    """

    folder: Path
    coloured: bool = False

    def set(self) -> None:
        """Make the project and both clones, as `SETTING` tells.

        Raises GitError where git is not there or too old, and TourError as `run()`.
        """
        Repository(self.folder).refuse_old_version()
        for name, text in _FILES.items():
            path = self.folder / "ana" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for step in _BEFORE:
            self.begin(step)
            for typed in step.typed:
                self.run(typed)

    def begin(self, step: Step) -> None:
        """Write the field of `step`, if it has one."""
        if step.field is None:
            return
        models = self.folder / step.field.by / "animals/models.py"
        lines = models.read_text().splitlines()
        (at,) = (
            number
            for number, line in enumerate(lines)
            if line.startswith(f"    {step.field.below} = ")
        )
        lines.insert(at + 1, f"    {step.field.line}")
        models.write_text("\n".join(lines) + "\n")

    def run(self, typed: Typed) -> str:
        """Run what was typed, and return what it prints, on both streams.

        Raises TourError where it does not exit as the story tells.
        """
        program, *arguments = shlex.split(typed.line)
        if program == "python":
            program = sys.executable
            arguments += ["--force-color"] if self.coloured else []
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder / typed.by,
            env=self._environment(typed.by),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != typed.exit:
            raise TourError(
                f"{typed.by}$ {typed.line}\n{done.stdout}"
                f"That was to exit with {typed.exit}, and exited with {done.returncode}."
            )
        return done.stdout

    def _environment(self, by: str) -> dict[str, str]:
        """Return what this process has, but for the settings of its own project and of git."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        person, address = by.capitalize(), f"{by}@example.org"
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "settings",
            # What this Python can import those can, but their own code comes first.
            "PYTHONPATH": os.pathsep.join([os.fspath(self.folder / by), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            # git reads somebody's ignored files there, whatever its configuration.
            "XDG_CONFIG_HOME": os.fspath(self.folder),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": person,
            "GIT_AUTHOR_EMAIL": address,
            "GIT_AUTHOR_DATE": "2026-11-02T09:00:00+0100",
            "GIT_COMMITTER_NAME": person,
            "GIT_COMMITTER_EMAIL": address,
            "GIT_COMMITTER_DATE": "2026-11-02T09:00:00+0100",
        }
