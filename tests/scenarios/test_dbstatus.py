"""dbstatus: each state of a database, in a sentence, with what to type."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario


@pytest.fixture
def zoo(tmp_path: Path) -> Project:
    return make_project(tmp_path / "zoo")


def add(zoo: Project, number: str, name: str) -> Path:
    """Add a field to the model and its migration."""
    models = zoo.folder / "zoo/keepers/models.py"
    models.write_text(f'{models.read_text()}    {name} = models.TextField(default="")\n')
    zoo.add_field(name, number)
    return zoo.migrations / f"{number}_keeper_{name}.py"


def found(zoo: Project, *arguments: str) -> dict[str, tuple[str, list[str]]]:
    done = zoo.manage("dbstatus", "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return {
        finding["id"]: (finding["message"], finding["next"])
        for finding in json.loads(done.stdout)["findings"]
    }


def short(zoo: Project) -> str:
    return zoo.manage("dbstatus", "--short").stdout.strip()


def test_all_is_well(zoo: Project) -> None:
    assert zoo.manage("migrate").returncode == 0
    done = zoo.manage("dbstatus", "--check", "--drift")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "The database is as this checkout expects.\n"
    assert short(zoo) == "default: up to date"


def test_a_database_that_is_not_there_is_behind_and_not_made(zoo: Project) -> None:
    assert found(zoo) == {
        "versioning.W016": (
            "The database 'default' is behind in keepers: 0001_initial is not applied.",
            ["python manage.py migrate"],
        )
    }
    assert zoo.manage("dbstatus", "--check").returncode == 1
    assert not (zoo.folder / "zoo.sqlite3").exists()


def test_behind(zoo: Project) -> None:
    assert zoo.manage("migrate").returncode == 0
    add(zoo, "0002", "photo")
    add(zoo, "0003", "weight").write_text(
        (zoo.migrations / "0003_keeper_weight.py")
        .read_text()
        .replace("0001_initial", "0002_keeper_photo")
    )
    message, commands = found(zoo)["versioning.W016"]
    assert message == (
        "The database 'default' is behind in keepers: 0002_keeper_photo, 0003_keeper_weight are "
        "not applied."
    )
    assert commands == ["python manage.py migrate"]
    assert short(zoo) == "default: behind (keepers)"


def test_model_changes_without_a_migration(zoo: Project) -> None:
    assert zoo.manage("migrate").returncode == 0
    add(zoo, "0002", "photo").unlink()
    assert found(zoo) == {
        "versioning.W017": (
            "The models of keepers have changes that no migration has: Add field photo to keeper.",
            ["python manage.py makemigrations keepers", "python manage.py migrate"],
        )
    }
    assert short(zoo) == "default: no migration (keepers)"


def test_ahead_after_switching_branches(zoo: Project) -> None:
    zoo.git("switch", "-q", "-c", "photos")
    add(zoo, "0002", "photo")
    zoo.commit()
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "main")
    told = found(zoo)
    assert list(told) == ["versioning.W011"]
    message, commands = told["versioning.W011"]
    assert message.startswith("keepers.0002_keeper_photo is applied in the database 'default', and")
    assert commands == ["git switch photos", "python manage.py dbsync"]
    assert short(zoo) == "default: ghosts in the way (keepers)"


def test_where_a_ghost_came_from(zoo: Project) -> None:
    """
    0001_initial - 0002_keeper_photo   (photos: applied before it was committed)
    """
    zoo.git("switch", "-q", "-c", "photos")
    add(zoo, "0002", "photo")
    assert zoo.manage("migrate").returncode == 0
    first = zoo.git("rev-parse", "HEAD")[:10]
    zoo.commit("Ben")
    last = zoo.git("rev-parse", "HEAD")[:10]
    zoo.git("switch", "-q", "--detach", "main")

    def origin() -> str:
        text = " ".join(zoo.manage("dbstatus").stdout.split())
        (place,) = re.findall(
            r"0002_keeper_photo came from (.*?) and was applied on \d{4}-\d\d-\d\d \d\d:\d\d\.",
            text,
        )
        return str(place)

    assert origin() == f"photos (commit {last} of Ben <ben@example.org>)"
    zoo.git("update-ref", "refs/remotes/origin/photos", "photos")
    zoo.git("branch", "-q", "-D", "photos")
    assert origin() == f"photos (commit {last} of Ben <ben@example.org>)"
    zoo.git("update-ref", "-d", "refs/remotes/origin/photos")
    assert origin() == f"photos (commit {first})"
    shutil.rmtree(zoo.folder / ".git")
    assert origin() == f"photos (commit {first})"


def test_edited_with_the_lines_that_changed(zoo: Project) -> None:
    path = add(zoo, "0002", "photo")
    assert zoo.manage("migrate").returncode == 0
    source = path.read_text()
    path.write_text(source.replace('default=""', 'default="x"'))
    told = found(zoo)
    assert told["versioning.W012"][0] == (
        "keepers.0002_keeper_photo was edited after it was applied in the database 'default'."
    )
    text = zoo.manage("dbstatus").stdout
    line = '    operations = [migrations.AddField("keeper", "photo", models.TextField(default="'
    assert f'    - {line}"))]\n    + {line}x"))]\n' in text
    assert zoo.run("sh", "-c", told["versioning.W012"][1][0]).returncode == 0
    assert path.read_text() == source


def test_renamed_by_a_teammate_s_rebase(zoo: Project) -> None:
    path = add(zoo, "0002", "photo")
    assert zoo.manage("migrate").returncode == 0
    zoo.write("0002_theirs", "0001_initial", "")
    path.rename(path.with_name("0003_keeper_photo.py"))
    new = path.with_name("0003_keeper_photo.py")
    new.write_text(new.read_text().replace("0001_initial", "0002_theirs"))
    told = found(zoo)
    assert list(told) == ["versioning.W018", "versioning.W016"]
    message, commands = told["versioning.W018"]
    assert message == (
        "keepers.0002_keeper_photo, applied in the database 'default', is 0003_keeper_photo in "
        "this checkout."
    )
    assert told["versioning.W016"][0].endswith("keepers: 0002_theirs is not applied.")
    assert commands == ["python manage.py dbsync"]
    assert told["versioning.W016"][1] == ["python manage.py dbsync"]
    stopped = zoo.manage("migrate")
    assert stopped.returncode == 1
    assert "ERROR versioning.W018" in stopped.stderr
    assert zoo.manage("dbsync").returncode == 0
    assert zoo.manage("dbstatus", "--check", "--drift").returncode == 0


def test_conflicting_leaves(zoo: Project) -> None:
    assert zoo.manage("migrate").returncode == 0
    add(zoo, "0002", "photo")
    add(zoo, "0002", "weight")
    told = found(zoo)
    assert list(told) == ["versioning.W001", "versioning.W016"]
    assert told["versioning.W001"][1][1] == "python manage.py rebasemigrations keepers"
    assert short(zoo) == "default: conflict (keepers); behind (keepers)"


def test_each_database_is_looked_at(zoo: Project) -> None:
    settings = zoo.folder / "zoo/settings.py"
    settings.write_text(
        f"{settings.read_text()}\n"
        'DATABASES["other"] = {**DATABASES["default"], "NAME": "other.sqlite3"}\n'
    )
    assert zoo.manage("migrate").returncode == 0
    assert found(zoo)["versioning.W016"] == (
        "The database 'other' is behind in keepers: 0001_initial is not applied.",
        ["python manage.py migrate --database other"],
    )
    assert found(zoo, "--database", "default") == {}
