"""Small Django projects on disk, with git, for tests to run commands in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

SQLITE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "zoo.sqlite3"}

# Django asks for the other driver of MySQL by its name.
PYMYSQL = """
import pymysql

pymysql.install_as_MySQLdb()
"""

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["shelter.versioning", "zoo.keepers"]
DATABASES = {"default": DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

MODELS = """
from django.db import models


class Keeper(models.Model):
    name = models.TextField()
"""


@dataclass(frozen=True)
class Project:
    """A project of one app, `keepers`, whose folder is `zoo/keepers`, in a git repository."""

    folder: Path

    @property
    def migrations(self) -> Path:
        return self.folder / "zoo/keepers/migrations"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the project's folder, with nothing of this process's configuration."""
        kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        environment = kept | {
            "HOME": str(self.folder),
            "DJANGO_SETTINGS_MODULE": "zoo.settings",
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(ROOT)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def git(self, *arguments: str, author: str = "Ana") -> str:
        """Run git as `author` and return what it prints; fail where git does."""
        identity = ["-c", f"user.name={author}", "-c", f"user.email={author.lower()}@example.org"]
        done = self.run("git", *identity, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "django", *arguments)

    def drift(self, *arguments: str) -> list[str]:
        """Return what `dbstatus --drift` says of tables that drifted."""
        done = self.manage("dbstatus", "--drift", "--format", "json", *arguments)
        assert done.returncode == 0, done.stderr
        findings = json.loads(done.stdout)["findings"]
        return [found["message"] for found in findings if found["id"] == "versioning.W015"]

    def commit(self, author: str = "Ana") -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "Work", author=author)

    def add_field(self, name: str, number: str = "0002") -> None:
        """Add a field to the model, and the migration that `makemigrations` would write."""
        self.write(
            f"{number}_keeper_{name}",
            "0001_initial",
            f'migrations.AddField("keeper", "{name}", models.TextField(default=""))',
        )

    def write(self, name: str, parent: str, operation: str) -> None:
        """Write a migration of `keepers` of one operation."""
        (self.migrations / f"{name}.py").write_text(
            "from django.db import migrations, models\n\n\n"
            "class Migration(migrations.Migration):\n"
            f'    dependencies = [("keepers", "{parent}")]\n'
            f"    operations = [{operation}]\n"
        )


def make_project(folder: Path, database: Mapping[str, Any] = SQLITE) -> Project:
    """Make a project with one migration, committed on the branch `main`.

    `database` is its entry in DATABASES.
    """
    project = Project(folder)
    project.migrations.mkdir(parents=True)
    for package in ("zoo", "zoo/keepers", "zoo/keepers/migrations"):
        (folder / package / "__init__.py").touch()
    driver = PYMYSQL if database["ENGINE"].endswith("mysql") else ""
    settings = driver + SETTINGS.replace("DATABASE}", f"{dict(database)!r}}}")
    (folder / "zoo/settings.py").write_text(settings)
    (folder / "zoo/keepers/models.py").write_text(MODELS)
    (folder / ".gitignore").write_text("*.sqlite3\n__pycache__/\n.cache/\n")
    project.git("init", "-q", "-b", "main")
    made = project.manage("makemigrations", "keepers", "-v0")
    assert made.returncode == 0, made.stderr
    # makemigrations looks whether the history is consistent, and so makes the database's file.
    (folder / "zoo.sqlite3").unlink(missing_ok=True)
    project.commit()
    return project
