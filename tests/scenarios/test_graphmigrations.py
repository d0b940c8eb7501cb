"""`graphmigrations` in real repositories, beside real databases."""

import json
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest

from tests.checkout import ROOT
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """
    0001_initial -- 0002_keeper_age    (main, Ana)
                \\
                 0002_keeper_badge     (other, Ben, which is checked out)
    """
    project = make_project(tmp_path / "zoo")
    project.git("branch", "other")
    project.add_field("age")
    project.commit()
    project.git("switch", "-q", "other")
    project.add_field("badge")
    project.commit("Ben")
    return project


@pytest.fixture
def day(project: Project) -> str:
    """Return the day of the commits."""
    return project.git("log", "-1", "--format=%as").strip()


def test_a_conflict_is_drawn_and_is_no_failure(project: Project, day: str) -> None:
    project.git("merge", "-q", "--no-edit", "main")
    done = project.manage("graphmigrations")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "keepers",
        (
            f"  ○    0002_keeper_badge  (unapplied, conflicting leaf)  Ben, {day} · "
            "Add field badge to keeper"
        ),
        (
            f"  │ ○  0002_keeper_age    (unapplied, conflicting leaf)  Ana, {day} · "
            "Add field age to keeper"
        ),
        "  ├─╯",
        f"  ○    0001_initial       (unapplied)  Ana, {day} · Create model Keeper",
    ]
    # Asking a SQLite database would make its file.
    assert not (project.folder / "zoo.sqlite3").exists()


def test_a_ghost_is_drawn_where_it_was_made(project: Project, day: str) -> None:
    assert project.manage("migrate", "-v0").returncode == 0
    project.git("switch", "-q", "main")
    done = project.manage("graphmigrations", "keepers")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "keepers",
        "  ?    0002_keeper_badge  (ghost)",
        (f"  │ ○  0002_keeper_age    (unapplied, leaf)  Ana, {day} · Add field age to keeper"),
        "  ├─╯",
        f"  ✓    0001_initial       Ana, {day} · Create model Keeper",
    ]


def test_a_merge_is_drawn_before_it_is_made(project: Project, day: str) -> None:
    assert project.manage("migrate", "-v0").returncode == 0
    done = project.manage("graphmigrations", "--against", "main")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "keepers",
        (
            f"  ✓    0002_keeper_badge  (conflicting leaf, HEAD)  Ben, {day} · "
            "Add field badge to keeper"
        ),
        (
            f"  │ ○  0002_keeper_age    (unapplied, conflicting leaf, main)  Ana, {day} · "
            "Add field age to k…"
        ),
        "  ├─╯",
        f"  ✓    0001_initial       Ana, {day} · Create model Keeper",
    ]
    assert project.git("status", "--porcelain") == ""
    done = project.manage("graphmigrations", "--against", "HEAD")
    assert (done.returncode, done.stdout) == (0, "Merging HEAD would touch no migration.\n")


def test_colours_and_letters_are_those_of_the_terminal(project: Project) -> None:
    done = project.manage("graphmigrations", "--force-color")
    assert "\x1b[" in done.stdout
    command = [sys.executable, "-m", "django", "graphmigrations"]
    done = project.run("env", "PYTHONIOENCODING=ascii", *command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith(
        "  o  0002_keeper_badge  (unapplied, leaf)  Ben, "
    )
    assert done.stdout.isascii()


def test_a_file_has_the_whole_picture_or_what_it_had(project: Project) -> None:
    path = project.folder / "picture.svg"
    done = project.manage("graphmigrations", "--format", "svg", "--output", "picture.svg")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    root = ElementTree.fromstring(path.read_text())
    found = [group for group in root.iter() if "node" in (group.get("class") or "").split()]
    assert len(found) == 2
    before = path.read_bytes()
    path.chmod(0o640)
    done = project.manage("graphmigrations", "--force-color", "--output", "picture.svg")
    assert done.returncode == 0
    assert path.read_bytes() != before
    assert "\x1b[" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in project.folder.glob("*picture*")] == ["picture.svg"]


@pytest.mark.parametrize(
    ("form", "first"), [("mermaid", "flowchart TB"), ("dot", "digraph migrations {")]
)
def test_other_programs_draw_the_merge(project: Project, form: str, first: str) -> None:
    done = project.manage("graphmigrations", "--against", "main", "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == first
    labels = [line.strip() for line in lines if "0002_keeper" in line]
    assert [label.split()[0].partition("[")[0] for label in labels] == ["n1", "n2"]
    assert [label.count("conflicting leaf, main") for label in labels] == (
        [1, 0] if form == "mermaid" else [2, 0]
    )


def test_json_is_what_checkmigrations_finds(project: Project) -> None:
    schema = json.loads((ROOT / "docs/findings.schema.json").read_text())
    for arguments in ([], ["--against", "main"]):
        drawn = json.loads(project.manage("graphmigrations", "--format=json", *arguments).stdout)
        checked = project.manage("checkmigrations", "--format=json", *arguments)
        assert drawn == {**json.loads(checked.stdout), "command": "graphmigrations"}
        jsonschema.validate(drawn, schema, cls=jsonschema.Draft202012Validator)
        assert len(drawn["findings"]) == len(arguments) // 2


def test_what_cannot_be_drawn_is_said(project: Project) -> None:
    before = sorted(project.folder.iterdir())
    for arguments, says in (
        (["dogs"], "CommandError: There is no app dogs. There are: keepers, versioning.\n"),
        (
            ["--output", "gone/picture.txt"],
            "CommandError: gone/picture.txt cannot be written: No such file or directory.\n",
        ),
        (["--output", "zoo"], "CommandError: zoo cannot be written: Is a directory.\n"),
    ):
        done = project.manage("graphmigrations", *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", says)
    done = project.manage("graphmigrations", "--against", "gone")
    assert (done.returncode, done.stdout) == (2, "")
    assert "gone" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(project.folder.iterdir()) == before
