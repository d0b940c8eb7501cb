"""Pictures of real repositories and databases."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

DRAW = """
import dataclasses, json, django
django.setup()
from shelter.versioning import drawing
picture = drawing.{call}
print(json.dumps([
    {{**dataclasses.asdict(node), "marks": sorted(node.marks)}} for node in picture.nodes
]))
"""


def draw(project: Project, call: str) -> dict[str, dict[str, Any]]:
    """Return the migrations of `keepers` in the picture that `call` gives, by name."""
    done = project.run(sys.executable, "-c", DRAW.format(call=call))
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)
    assert {node["app"] for node in nodes} == {"keepers"}
    return {node["name"]: node for node in nodes}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """
    0001_initial -- 0002_keeper_age    (main, Ana)
                \\
                 0002_keeper_badge     (other, Ben)
    """
    project = make_project(tmp_path / "zoo")
    project.git("branch", "other")
    project.add_field("age")
    project.commit()
    project.git("switch", "-q", "other")
    project.add_field("badge")
    project.commit("Ben")
    return project


def test_a_ghost_hangs_where_it_was_made(project: Project) -> None:
    assert project.manage("migrate", "-v0").returncode == 0
    project.git("switch", "-q", "main")
    nodes = draw(project, "picture_of_checkout(database='default')")
    assert {name: (node["state"], node["marks"]) for name, node in nodes.items()} == {
        "0001_initial": ("applied", []),
        "0002_keeper_age": ("unapplied", ["leaf"]),
        "0002_keeper_badge": ("ghost", []),
    }
    assert nodes["0002_keeper_badge"]["parents"] == [["keepers", "0001_initial"]]
    age = nodes["0002_keeper_age"]
    assert age["author"] == "Ana <ana@example.org>"
    assert age["operations"] == ["Add field age to keeper"]


def test_what_was_edited_after_it_was_applied_is_marked(project: Project) -> None:
    assert project.manage("migrate", "-v0").returncode == 0
    path = project.migrations / "0002_keeper_badge.py"
    path.write_text(f"# A comment is no edit.\n{path.read_text()}")
    call = "picture_of_checkout(['keepers'], 'default')"
    assert draw(project, call)["0002_keeper_badge"]["marks"] == ["leaf"]
    path.write_text(path.read_text().replace('default=""', 'default="none"'))
    assert draw(project, call)["0002_keeper_badge"]["marks"] == ["edited", "leaf"]


def test_a_merge_has_two_sides_and_nothing_is_written(project: Project) -> None:
    before = sorted(path for path in project.folder.rglob("*") if "__pycache__" not in path.parts)
    nodes = draw(project, "picture_of_merge('main')")
    after = sorted(path for path in project.folder.rglob("*") if "__pycache__" not in path.parts)
    assert after == before
    told = {name: (node["state"], node["side"], node["marks"]) for name, node in nodes.items()}
    assert told == {
        "0001_initial": ("unknown", None, []),
        "0002_keeper_age": ("unknown", "theirs", ["conflict", "leaf"]),
        "0002_keeper_badge": ("unknown", "mine", ["conflict", "leaf"]),
    }
    assert nodes["0002_keeper_badge"]["author"] == "Ben <ben@example.org>"


def test_a_merge_that_touches_no_migration_has_an_empty_picture(project: Project) -> None:
    assert draw_nothing(project, "picture_of_merge('HEAD')") == []
    assert draw_nothing(project, "picture_of_merge('main', ['dogs'])") == []


def draw_nothing(project: Project, call: str) -> Any:
    done = project.run(sys.executable, "-c", DRAW.format(call=call))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
