"""Each situation of docs/workflow.md, in clones of one repository that have a database each."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ROOT
from tests.databases import Database, database_of, missing_servers
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

LEVEL = (
    "makemigrations --check --dry-run",
    "checkmigrations",
    "migrate --check",
    "dbstatus --drift --check",
)


@dataclass(frozen=True)
class Clone(Project):
    """A teammate's clone, and the database that it is for."""

    name: str
    database: Database

    def type(self, *lines: str) -> str:
        """Type commands, none of which may fail, and return what they print."""
        said = ""
        for line in lines:
            done = self._run(line)
            assert done.returncode == 0, f"{self.name}$ {line}\n{done.stdout}{done.stderr}"
            said += done.stdout
        return " ".join(said.split())

    def fails(self, line: str) -> str:
        """Type a command that must fail, and return what it prints."""
        done = self._run(line)
        assert done.returncode == 1, f"{self.name}$ {line}\n{done.stdout}{done.stderr}"
        return " ".join((done.stdout + done.stderr).split())

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        line = line.replace("python manage.py", f"{shlex.quote(sys.executable)} manage.py")
        name = self.name.capitalize()
        identity = " ".join(
            f"GIT_{role}_NAME={name} GIT_{role}_EMAIL={self.name}@example.org"
            for role in ("AUTHOR", "COMMITTER")
        )
        return self.run("sh", "-c", f"export {identity}; {line}")

    def situation(self) -> set[str]:
        """Return the ids of what dbstatus finds, in short."""
        done = self._run("python manage.py dbstatus --check")
        assert done.returncode == 1, done.stdout + done.stderr
        return set(re.findall(r"versioning\.(W\d+)", done.stdout))

    def change(self, name: str) -> None:
        """Add a field to the model."""
        with (self.folder / "zoo/keepers/models.py").open("a") as file:
            file.write(f"    {name} = models.TextField(null=True)\n")

    def make(self, name: str) -> None:
        """Add a field and its migration, committed."""
        self.change(name)
        self.type("python manage.py makemigrations keepers", f"git add -A && git commit -qm {name}")

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.migrations.glob("0*.py"))

    def set(self, name: str) -> None:
        """Give every keeper something in the column `name`."""
        self.database.rows(f"UPDATE keepers_keeper SET {name} = name || '''s {name}'")

    def keepers(self, *columns: str) -> list[tuple[Any, ...]]:
        names = ", ".join(["name", *columns])
        return self.database.rows(f"SELECT {names} FROM keepers_keeper ORDER BY name")

    def is_level(self) -> None:
        """Fail unless nothing is left to do, as Django's commands and ours see it."""
        self.type(*(f"python manage.py {command}" for command in LEVEL))


@dataclass
class Team:
    """A bare repository, and the clones that push to it and pull from it."""

    folder: Path
    vendor: str
    stack: ExitStack
    clones: list[Clone] = field(default_factory=list)

    @property
    def origin(self) -> Path:
        return self.folder / "origin.git"

    def clone(self, name: str, *options: str, database: Database | None = None) -> Clone:
        """Clone the repository, with a database of its own unless one is given."""
        database = database or self.stack.enter_context(database_of(self.vendor, self.folder))
        folder = self.folder / name
        subprocess.run(["git", "clone", "-q", *options, self.origin, folder], check=True)
        (folder / "zoo/local.py").write_text(f"DATABASE = {dict(database.settings)!r}\n")
        # Two who add a line at the end of the models both keep it.
        (folder / ".git/info/attributes").write_text("models.py merge=union\n")
        clone = Clone(folder, name, database)
        clone.type("git config pull.rebase false", "git config core.editor true")
        self.clones.append(clone)
        return clone

    def member(self, name: str) -> Clone:
        """Clone the repository, and give its database two keepers."""
        clone = self.clone(name)
        clone.type("python manage.py migrate")
        clone.database.rows("INSERT INTO keepers_keeper (name) VALUES ('Ina'), ('Tom')")
        return clone


@pytest.fixture(params=["sqlite", "postgresql"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    """Give a repository of one migration, and see at the end that each clone is level.

    No keeper may be lost on the way.
    """
    vendor: str = request.param
    if reason := missing_servers().get(vendor):
        pytest.skip(f"{vendor}: {reason}")
    first = make_project(tmp_path / "first")
    settings = first.folder / "zoo/settings.py"
    text, replaced = re.subn(
        r"DATABASES = .*\n", 'DATABASES = {"default": DATABASE}\n', settings.read_text()
    )
    assert replaced == 1
    settings.write_text(f"from zoo.local import DATABASE\n{text}")
    with (first.folder / ".gitignore").open("a") as file:
        file.write("local.py\nkept.jsonl\n")
    (first.folder / "manage.py").write_text(
        "from django.core.management import execute_from_command_line\n\n"
        "execute_from_command_line()\n"
    )
    first.commit()
    with ExitStack() as stack:
        team = Team(tmp_path, vendor, stack)
        subprocess.run(["git", "clone", "-q", "--bare", first.folder, team.origin], check=True)
        yield team
        for clone in team.clones:
            clone.is_level()
            assert clone.keepers() in ([("Ina",), ("Tom",)], [])
            assert clone.type("git status --porcelain") == ""


def test_changed(team: Team) -> None:
    """I changed a model

    0001 - 0002_keeper_photo   (Ana's, whom Ben follows)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ana.change("photo")
    assert ana.situation() == {"W017"}
    ana.type("python manage.py makemigrations keepers", "python manage.py migrate")
    ana.is_level()
    ana.type("git add -A && git commit -qm Photo && git push -q")
    ben.type("git pull -q", "python manage.py migrate")
    assert ana.keepers("photo") == ben.keepers("photo") == [("Ina", None), ("Tom", None)]


def test_pulled(team: Team) -> None:
    """I pulled a teammate's migration

    0001 - 0002_keeper_photo - 0003_keeper_weight   (Ana's)
    """
    ana, ben = team.member("ana"), team.member("ben")
    for name in ("photo", "weight"):
        ana.make(name)
    ana.type("git push -q", "python manage.py migrate")
    ben.is_level()
    ben.type("git pull -q")
    assert ben.situation() == {"W016"}
    ben.type("python manage.py migrate")
    assert ben.keepers("photo", "weight") == [("Ina", None, None), ("Tom", None, None)]


def two_leaves(team: Team) -> tuple[Clone, Clone]:
    """
    0001 - 0002_keeper_photo    (Ana's, on main)
        \\- 0002_keeper_weight   (Ben's, applied and filled; he has pulled)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ana.make("photo")
    ana.type("git push -q", "python manage.py migrate")
    ana.set("photo")
    ben.make("weight")
    ben.type("python manage.py migrate")
    ben.set("weight")
    ben.type("git pull -q")
    assert ben.situation() == {"W001", "W016"}
    assert "Conflicting migrations detected" in ben.fails("python manage.py migrate")
    return ana, ben


def test_two_leaves_are_rebased(team: Team) -> None:
    """Two branches have a migration each: two leaves

    0001 - 0002_keeper_photo - 0003_keeper_weight
    """
    ana, ben = two_leaves(team)
    ben.type("python manage.py rebasemigrations", "git add -A && git commit -qm Rebase")
    ben.is_level()
    assert ben.names() == ["0001_initial", "0002_keeper_photo", "0003_keeper_weight"]
    assert ben.keepers("weight", "photo") == [
        ("Ina", "Ina's weight", None),
        ("Tom", "Tom's weight", None),
    ]
    ben.type("git push -q")
    ana.type("git pull -q", "python manage.py migrate")
    assert ana.keepers("weight", "photo") == [
        ("Ina", None, "Ina's photo"),
        ("Tom", None, "Tom's photo"),
    ]


def test_two_leaves_are_merged(team: Team) -> None:
    """Two branches have a migration each: two leaves

    0001 - 0002_keeper_photo  -- 0003_merge
        \\- 0002_keeper_weight -/
    """
    ana, ben = two_leaves(team)
    ben.type(
        "python manage.py makemigrations --merge --noinput keepers",
        "git add -A && git commit -qm Merge && git push -q",
        "python manage.py migrate",
    )
    ana.type("git pull -q", "python manage.py migrate")
    assert len(ben.names()) == 4
    assert ben.keepers("weight") == [("Ina", "Ina's weight"), ("Tom", "Tom's weight")]
    assert ana.keepers("photo") == [("Ina", "Ina's photo"), ("Tom", "Tom's photo")]


def test_rebased(team: Team) -> None:
    """A teammate rebased what I had applied

    0001 - 0002_keeper_photo - 0003_keeper_weight   (Ben's, which Ana has as 0002_keeper_weight)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ben.type("git switch -qc weight")
    ben.make("weight")
    ben.type("python manage.py migrate", "git push -q -u origin weight")
    ana.type("git fetch -q", "git switch -q weight", "python manage.py migrate")
    for clone in (ana, ben):
        clone.set("weight")
    carl = team.member("carl")
    carl.make("photo")
    carl.type("git push -q", "python manage.py migrate")
    ben.type(
        "git fetch -q",
        "git merge -q origin/main",
        "python manage.py rebasemigrations",
        "git add -A && git commit -qm Rebase && git push -q",
    )
    ana.type("git pull -q")
    assert ana.situation() == {"W016", "W018"}
    ana.type("python manage.py dbsync --noinput")
    for clone in (ana, ben):
        assert clone.keepers("weight", "photo") == [
            ("Ina", "Ina's weight", None),
            ("Tom", "Tom's weight", None),
        ]


def test_switched(team: Team) -> None:
    """I switched branches, and the database is ahead of the code

    0001 - 0002_keeper_photo    (main, Ana's)
        \\- 0002_keeper_weight   (weight, Ben's: applied, filled, left and come back to)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ana.make("photo")
    ana.type("git push -q", "python manage.py migrate")
    ben.type("git switch -qc weight")
    ben.make("weight")
    ben.type("python manage.py migrate")
    ben.set("weight")
    ben.type("git switch -q main", "git pull -q")
    assert ben.situation() == {"W010", "W016"}
    said = ben.fails("python manage.py dbsync --noinput")
    assert "Data goes: column keepers_keeper.weight (2 rows)." in said
    assert ben.keepers("weight") == [("Ina", "Ina's weight"), ("Tom", "Tom's weight")]
    ben.type("python manage.py dbsync --noinput --save-to kept.jsonl")
    ben.is_level()
    assert ben.keepers("photo") == [("Ina", None), ("Tom", None)]
    ben.type(
        "git switch -q weight",
        "python manage.py dbsync --noinput",
        "python manage.py dbsync --restore kept.jsonl",
    )
    assert ben.keepers("weight") == [("Ina", "Ina's weight"), ("Tom", "Tom's weight")]


def test_edited(team: Team) -> None:
    """An applied migration was edited

    0001 - 0002_keeper_weight - 0003_alter_keeper_weight
           (pushed, applied,    (what the edit said,
            edited, put back)    as a migration of its own)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ben.make("weight")
    ben.type("git push -q", "python manage.py migrate")
    ana.type("git pull -q", "python manage.py migrate")
    for clone in (ana, ben):
        clone.set("weight")
    models = ben.folder / "zoo/keepers/models.py"
    (edited,) = ben.migrations.glob("0002_*.py")
    for path in (models, edited):
        path.write_text(path.read_text().replace("null=True", "null=True, db_index=True"))
    assert ben.situation() == {"W012"}
    (put_back,) = re.findall(
        r"git cat-file blob [0-9a-f]{40} > \S+", ben.fails("python manage.py dbstatus --check")
    )
    ben.type(put_back)
    assert ben.situation() == {"W017"}
    ben.type(
        "python manage.py makemigrations keepers",
        "python manage.py migrate",
        "git add -A && git commit -qm Index && git push -q",
    )
    ana.type("git pull -q", "python manage.py migrate")
    for clone in (ana, ben):
        assert clone.keepers("weight") == [("Ina", "Ina's weight"), ("Tom", "Tom's weight")]


def test_refused(team: Team) -> None:
    """CI says that there is a conflict

    0001 - 0002_keeper_photo - 0003_keeper_weight   (Ben's, as it comes into main at last)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ben.type("git switch -qc weight")
    ben.make("weight")
    ben.type("python manage.py migrate", "git push -q -u origin weight")
    ben.set("weight")
    ana.make("photo")
    ana.type("git push -q", "python manage.py migrate")
    ci = team.clone("ci", "--branch", "weight")
    said = ci.fails("python manage.py checkmigrations --against origin/main")
    assert "keepers would have conflicting leaf migrations" in said
    assert "Verdict: independent." in said
    ben.type(
        "git fetch -q",
        "git merge -q origin/main",
        "python manage.py rebasemigrations",
        "git add -A && git commit -qm Rebase && git push -q",
    )
    ci.type("git pull -q", "python manage.py checkmigrations --against origin/main")
    ci.type("python manage.py migrate")
    ben.type("git push -q origin weight:main")
    ana.type("git pull -q", "python manage.py migrate")
    assert ben.keepers("weight", "photo") == [
        ("Ina", "Ina's weight", None),
        ("Tom", "Tom's weight", None),
    ]


def test_failed(team: Team) -> None:
    """A migration failed

    0001 - 0002_keeper_photo - 0003_fill   (its second statement fails until Ana mends it)
    """
    ana, ben = team.member("ana"), team.member("ben")
    ana.make("photo")
    fill = (
        "migrations.RunSQL([\"UPDATE keepers_keeper SET photo = 'none'\", "
        "\"UPDATE keepers_keeper SET photo = {}\"], '')"
    )
    ana.write("0003_fill", "0002_keeper_photo", fill.format("nmae"))
    ana.type("git add -A && git commit -qm Fill && git push -q")
    ben.type("git pull -q")
    assert "nmae" in ben.fails("python manage.py migrate")
    assert ben.keepers("photo") == [("Ina", None), ("Tom", None)]
    assert ben.situation() == {"W016"}
    ana.write("0003_fill", "0002_keeper_photo", fill.format("name"))
    ana.type("python manage.py migrate", "git commit -qam Mended && git push -q")
    ben.type("git pull -q", "python manage.py migrate")
    assert ana.keepers("photo") == ben.keepers("photo") == [("Ina", "Ina"), ("Tom", "Tom")]


def test_squashed(team: Team) -> None:
    """Squashing

    0001 - 0002_keeper_photo - 0003_keeper_weight       (Ben has applied these)
    0001 - 0002_keeper_photo_squashed_0003_keeper_weight (what Ana leaves in their place)
    """
    ana, ben = team.member("ana"), team.member("ben")
    for name in ("photo", "weight"):
        ana.make(name)
    ana.type("git push -q", "python manage.py migrate")
    ben.type("git pull -q", "python manage.py migrate")
    for clone in (ana, ben):
        clone.set("weight")
    ana.type(
        "python manage.py squashmigrations --noinput keepers 0002 0003",
        "git add -A && git commit -qm Squash && git push -q",
    )
    ana.is_level()
    (squash,) = ana.migrations.glob("*_squashed_*.py")
    text, replaced = re.subn(r"    replaces = .*\n", "", squash.read_text())
    assert replaced == 1
    squash.write_text(text)
    ana.type(
        "git rm -q zoo/keepers/migrations/0002_keeper_photo.py "
        "zoo/keepers/migrations/0003_keeper_weight.py",
        "git add -A && git commit -qm Replaced && git push -q",
    )
    ben.type("git pull -q")
    for clone in (ana, ben):
        assert clone.situation() == {"W019"}
        clone.type("python manage.py dbsync --noinput")
        assert clone.keepers("weight") == [("Ina", "Ina's weight"), ("Tom", "Tom's weight")]
    carl = team.member("carl")
    assert carl.keepers("photo", "weight") == [("Ina", None, None), ("Tom", None, None)]


def test_hotfix(team: Team) -> None:
    """A hotfix on production

    0001 - 0002_keeper_weight - 0003_keeper_photo
           (the hotfix, which   (main's, which Ana and
            production has)      Ben had applied as 0002)
    """
    ana, ben, production = (team.member(name) for name in ("ana", "ben", "production"))
    production.type("git switch -qc hotfix")
    production.make("weight")
    production.type("python manage.py migrate", "git push -q -u origin hotfix")
    production.set("weight")
    ana.make("photo")
    ana.type("git push -q")
    ben.type("git pull -q")
    for clone in (ana, ben):
        clone.type("python manage.py migrate")
        clone.set("photo")
    ana.type("git fetch -q", "git merge -q origin/hotfix")
    assert ana.situation() == {"W001", "W016"}
    ana.type(
        "python manage.py rebasemigrations --onto origin/hotfix",
        "git add -A && git commit -qm Rebase && git push -q",
    )
    production.type("git fetch -q", "git merge -q origin/main", "python manage.py migrate")
    ben.type("git pull -q")
    assert ben.situation() == {"W016", "W018"}
    ben.type("python manage.py dbsync --noinput")
    for clone in (ana, ben):
        assert clone.names() == ["0001_initial", "0002_keeper_weight", "0003_keeper_photo"]
        assert clone.keepers("photo") == [("Ina", "Ina's photo"), ("Tom", "Tom's photo")]
    assert production.keepers("weight", "photo") == [
        ("Ina", "Ina's weight", None),
        ("Tom", "Tom's weight", None),
    ]


def test_deploying(team: Team) -> None:
    """Two deployers at once

    0001 - 0002_keeper_photo - 0003_keeper_weight   (both begin with 0001)
    """
    ana, one = team.member("ana"), team.member("one")
    two = team.clone("two", database=one.database)
    for name in ("photo", "weight"):
        ana.make(name)
    ana.type("git push -q", "python manage.py migrate")
    for clone in (one, two):
        clone.type("git pull -q")
    command = "python manage.py migrate"
    script = f"({command}; echo $? > zoo.rc) & {command} || exit 1; wait; cat zoo.rc; rm zoo.rc"
    assert one.type(script).split()[-1] == "0"
    applied = one.database.rows("SELECT name FROM django_migrations WHERE app = 'keepers'")
    assert sorted(applied) == [("0001_initial",), ("0002_keeper_photo",), ("0003_keeper_weight",)]


def test_each_section_is_tried() -> None:
    """Each section of the document is the first line of a test's docstring, in its order."""
    sections = re.findall(r"^## (.*)$", (ROOT / "docs/workflow.md").read_text(), re.MULTILINE)
    tried = [
        str(test.__doc__).splitlines()[0]
        for name, test in globals().items()
        if name.startswith("test_") and name != "test_each_section_is_tried"
    ]
    assert list(dict.fromkeys(tried)) == sections
