"""The page "Migrations" in foreign projects: whatever their sites, databases, files and git."""

from __future__ import annotations

import compileall
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.versioning.projects import Project, make_admin_project, make_project

pytestmark = pytest.mark.scenario

# Visits the page as `ops` between steps, all in one process.
VISIT = """
import json, os, subprocess, sys, time
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
from django.test.utils import setup_test_environment

setup_test_environment()

client = Client()
client.force_login(User.objects.get(username="ops"))

def shell(*command):
    subprocess.run(command, check=True, capture_output=True)

def manage(*command):
    shell(sys.executable, "-m", "django", *command)

def write(path, text):
    with open(path, "w") as file:
        file.write(text)

told = []

def look(query=""):
    time.sleep(0.15)  # what changed a moment ago is not remembered
    answers = [client.get("/ops/versioning/ledgerentry/" + query) for _ in range(2)]
    lists = [answer.context["cl"] for answer in answers]
    assert lists[0].overview == lists[1].overview
    told.append({
        "status": answers[0].status_code,
        "sentence": lists[0].sentence(),
        "limits": lists[0].overview.limits,
        "marks": {".".join(key): mark for key, mark in lists[0].overview.marks.items()},
        "drawn": [drawing.app for drawing in lists[0].overview.drawings],
        "words": dict((drawing.app, drawing.words) for drawing in lists[0].overview.drawings),
        "entries": lists[0].result_count,
        "text": answers[0].content.decode(),
    })
"""
IN_ORDER = "The database is as this checkout expects."


def visit(project: Project, steps: str) -> list[Any]:
    done = project.run(sys.executable, "-c", f"{VISIT}\n{steps}\nprint(json.dumps(told))")
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


def test_without_the_admin_nothing_of_it_is_imported(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    code = (
        "import sys, django; django.setup()\n"
        "from django.core.checks import run_checks; run_checks()\n"
        "print([name for name in sys.modules if name.startswith('django.contrib.admin') or "
        "name == 'shelter.versioning.admin'])"
    )
    assert project.run(sys.executable, "-c", code).stdout == "[]\n"


def test_every_change_is_seen_at_once(tmp_path: Path) -> None:
    project = make_admin_project(tmp_path)
    project.add_field("photo")
    project.commit()
    told = visit(
        project,
        """
look()
manage("migrate", "-v0"); look()
write("zoo/keepers/migrations/0002_keeper_photo.py", '''
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("keepers", "0001_initial")]
    operations = [migrations.AddField("keeper", "photo", models.TextField(default="?"))]
'''); look()
shell("git", "checkout", "-q", "."); look()
os.rename("zoo/keepers/migrations/0002_keeper_photo.py", "kept"); look()
os.rename("kept", "zoo/keepers/migrations/0002_keeper_photo.py"); look()
""",
    )
    # The models lack the field: what Django's autodetector says of that is told each time.
    assert [step["sentence"] for step in told] == [
        "The database default: behind (keepers); no migration (keepers).",
        "The database default: no migration (keepers).",
        "The database default: edited (keepers); no migration (keepers).",
        "The database default: no migration (keepers).",
        "The database default: ghosts in the way (keepers).",
        "The database default: no migration (keepers).",
    ]
    assert [step["marks"] for step in told] == [
        {},
        {},
        {"keepers.0002_keeper_photo": "edited"},
        {},
        {"keepers.0002_keeper_photo": "ghost"},
        {},
    ]
    assert {step["status"] for step in told} == {200}
    restart = [any("Restart it." in limit for limit in step["limits"]) for step in told]
    assert restart[:3] == [False, False, True]


def test_several_databases_each_with_its_own_state(tmp_path: Path) -> None:
    project = make_admin_project(tmp_path, other=True)
    shutil.copy(tmp_path / "zoo.sqlite3", tmp_path / "kept")
    (tmp_path / "other.sqlite3").unlink()
    told = visit(
        project,
        """
look(); look("?database=other")
manage("migrate", "-v0", "--database", "other"); look("?database=other")
from django.db import connections
connections["other"].cursor().execute("DROP TABLE versioning_ledger"); look("?database=other")
connections["other"].close()
write("other.sqlite3", "no database" * 100); look("?database=other")
entry = client.get("/ops/versioning/ledgerentry/1/change/?_changelist_filters=database%3Dnone")
assert entry.status_code == 404
""",
    )
    first, missing, migrated, without, broken = told
    assert first["sentence"] == IN_ORDER
    assert "By database" in first["text"]
    assert missing["sentence"].startswith("The database other: behind (")
    assert (missing["entries"], migrated["sentence"]) == (0, IN_ORDER)
    assert migrated["entries"] == first["entries"]
    assert without["sentence"] == IN_ORDER
    assert without["limits"][0].startswith("The database 'other' has no ledger yet")
    assert (broken["status"], broken["limits"]) == (200, ["The database 'other' does not answer."])
    assert broken["sentence"] == "The state cannot be told."


def test_without_git_and_without_source_it_shows_what_it_can(tmp_path: Path) -> None:
    project = make_admin_project(tmp_path)
    shutil.rmtree(tmp_path / ".git")
    compileall.compile_dir(project.migrations, quiet=1, legacy=True)
    for path in project.migrations.glob("*.py"):
        path.unlink()
    (told,) = visit(project, "look()")
    assert told["sentence"] == IN_ORDER
    assert [limit.partition(":")[0] for limit in told["limits"]] == [
        "git knows nothing here",
        "Compiled files alone are here of keepers",
    ]
    assert told["drawn"] == ["admin", "auth", "contenttypes", "sessions"]
    assert told["marks"] == {}


def test_the_ledger_is_read_only_and_its_one_permission_is_made(tmp_path: Path) -> None:
    project = make_admin_project(tmp_path)
    visit(
        project,
        """
from django.contrib.auth.models import Permission
found = Permission.objects.filter(content_type__app_label="versioning")
assert [permission.codename for permission in found] == ["view_ledgerentry"]
root = Client(); root.force_login(User.objects.get(username="root"))
page = "/ops/versioning/ledgerentry/"
assert root.get(page + "add/").status_code == 403
assert root.post(page + "1/change/", {"app": "x"}).status_code == 403
assert root.post(page + "1/delete/", {"post": "yes"}).status_code == 403
assert root.get("/keepers/versioning/ledgerentry/").status_code == 404
""",
    )
