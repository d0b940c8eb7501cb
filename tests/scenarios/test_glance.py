"""dbstatus --short: what is told at a glance is what the whole look tells."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

SHORT = """
import sys

import django

django.setup()
from django.core.management import call_command

call_command("dbstatus", "--short", *sys.argv[1:])
print("whole" if "shelter.versioning.status" in sys.modules else "glance")
"""

WITH_HELPER = """
from django.db import migrations, models

from zoo.lengths import LENGTH


class Migration(migrations.Migration):
    dependencies = [("keepers", "0001_initial")]
    operations = [
        migrations.AddField("keeper", "nick", models.CharField(max_length=LENGTH, default="")),
    ]
"""

FROM_ENVIRONMENT = """
import os

if os.environ.get("ZOO_MORE"):
    Keeper.add_to_class("more", models.IntegerField(default=0))
"""


def short(zoo: Project, *arguments: str) -> list[str]:
    done = zoo.run(sys.executable, "-c", SHORT, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def zoo(tmp_path: Path) -> Project:
    """Return a project that is up to date, and remembered to be."""
    zoo = make_project(tmp_path / "zoo")
    (zoo.folder / "zoo/lengths.py").write_text("LENGTH = 20\n")
    (zoo.migrations / "0002_nick.py").write_text(WITH_HELPER)
    models = zoo.folder / "zoo/keepers/models.py"
    models.write_text(
        f'{models.read_text()}    nick = models.CharField(max_length=20, default="")\n'
        f"{FROM_ENVIRONMENT}"
    )
    zoo.commit()
    assert zoo.manage("migrate", "-v0").returncode == 0
    # What was written a moment ago is not remembered.
    time.sleep(1.1)
    assert short(zoo) == ["default: up to date", "whole"]
    assert short(zoo) == ["default: up to date", "glance"]
    return zoo


def new_migration(zoo: Project) -> None:
    zoo.write("0003_age", "0002_nick", 'migrations.AlterModelOptions("keeper", {})')


def new_field(zoo: Project) -> None:
    models = zoo.folder / "zoo/keepers/models.py"
    models.write_text(models.read_text().replace("max_length=20", "max_length=30"))


def new_value_in_a_module_that_only_a_migration_imports(zoo: Project) -> None:
    (zoo.folder / "zoo/lengths.py").write_text("LENGTH = 30\n")


def edited(zoo: Project) -> None:
    path = zoo.migrations / "0002_nick.py"
    path.write_text(path.read_text().replace('default=""', 'default="x"'))


def statement(text: str) -> Callable[[Project], None]:
    def execute(zoo: Project) -> None:
        with closing(sqlite3.connect(zoo.folder / "zoo.sqlite3")) as connection, connection:
            connection.execute(text)

    return execute


def merge_in_progress(zoo: Project) -> None:
    zoo.git("switch", "-q", "-c", "other")
    zoo.git("commit", "-q", "--allow-empty", "-m", "Other")
    zoo.git("switch", "-q", "main")
    zoo.git("merge", "-q", "--no-ff", "--no-commit", "other")


def other_settings(zoo: Project) -> None:
    settings = zoo.folder / "zoo/settings.py"
    settings.write_text(settings.read_text() + 'MIGRATION_MODULES = {"keepers": None}\n')


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (new_migration, "default: behind (keepers)"),
        (new_field, "default: no migration (keepers)"),
        (
            new_value_in_a_module_that_only_a_migration_imports,
            "default: no migration (keepers)",
        ),
        (edited, "default: edited (keepers); no migration (keepers)"),
        (
            statement("DELETE FROM django_migrations WHERE name = '0002_nick'"),
            "default: behind (keepers)",
        ),
        (
            statement(
                "INSERT INTO django_migrations (app, name, applied) "
                "VALUES ('keepers', '0009_ghost', '2026-01-01')"
            ),
            "default: ghosts (keepers)",
        ),
        (
            statement("UPDATE versioning_ledger SET fingerprint = 'x' WHERE name = '0002_nick'"),
            "default: edited (keepers)",
        ),
        (merge_in_progress, "default: git is waiting"),
        (other_settings, "default: ghosts (keepers)"),
    ],
)
def test_whatever_changes_is_seen(
    zoo: Project, change: Callable[[Project], None], says: str
) -> None:
    change(zoo)
    assert short(zoo) == [says, "whole"]
    # What is off is not remembered.
    assert short(zoo) == [says, "whole"]


def test_the_environment_counts_and_drift_is_always_looked_for(
    zoo: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert short(zoo, "--drift")[1] == "whole"
    script = f"import os; os.environ['ZOO_MORE'] = '1'\n{SHORT}"
    done = zoo.run(sys.executable, "-c", script)
    assert done.stdout.splitlines() == ["default: no migration (keepers)", "whole"]
    assert short(zoo) == ["default: up to date", "glance"]


def test_what_is_remembered_may_be_deleted_or_be_anything(zoo: Project) -> None:
    (memory,) = (zoo.folder / ".cache/shelter-versioning").glob("status-*")
    memory.write_bytes(b"\xff\x00nonsense")
    assert short(zoo) == ["default: up to date", "whole"]
    memory.unlink()
    assert short(zoo) == ["default: up to date", "whole"]
    assert short(zoo) == ["default: up to date", "glance"]
