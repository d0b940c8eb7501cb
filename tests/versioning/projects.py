"""Small Django projects on disk, with git, for tests to run commands in."""

from __future__ import annotations

import json
import os
import pty
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

    def run(
        self, *command: str, stdin: int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
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
            command,
            cwd=self.folder,
            env=environment,
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def git(self, *arguments: str, author: str = "Ana") -> str:
        """Run git as `author` and return what it prints; fail where git does."""
        identity = ["-c", f"user.name={author}", "-c", f"user.email={author.lower()}@example.org"]
        done = self.run("git", *identity, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manage(
        self, *arguments: str, stdin: int = subprocess.DEVNULL
    ) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "django", *arguments, stdin=stdin)

    def typed(self, keys: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a management command on a terminal where `keys` are typed."""
        terminal, theirs = pty.openpty()
        try:
            os.write(terminal, keys.encode())
            return self.manage(*command, stdin=theirs)
        finally:
            os.close(terminal)
            os.close(theirs)

    def drift(self, *arguments: str) -> list[str]:
        """Return what `dbstatus --drift` says of tables that drifted."""
        told = self.told("versioning.W015", "--drift", *arguments)
        return [found["message"] for found in told]

    def told(self, identity: str, *arguments: str) -> list[dict[str, Any]]:
        """Return the findings of that id that `dbstatus` has."""
        done = self.manage("dbstatus", "--format", "json", *arguments)
        assert done.returncode == 0, done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
        return [finding for finding in found if finding["id"] == identity]

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

    def add_chain(self, count: int) -> None:
        """Write so many migrations that do nothing, one after the other, after the first one."""
        before = "0001_initial"
        for number in range(2, count + 2):
            name = f"{number:04}_step"
            self.write(name, before, f'migrations.RunSQL("SELECT {number}", "SELECT 1")')
            before = name

    def write(self, name: str, parent: str, operation: str, *, atomic: bool = True) -> None:
        """Write a migration of `keepers` of one operation; `atomic`: as one transaction."""
        (self.migrations / f"{name}.py").write_text(
            "from django.db import migrations, models\n\n\n"
            "class Migration(migrations.Migration):\n"
            f'    dependencies = [("keepers", "{parent}")]\n'
            f"    operations = [{operation}]\n" + ("" if atomic else "    atomic = False\n")
        )

    def write_stopping(self, name: str, parent: str) -> None:
        """Write a migration that ends its process with 9, so that nobody knows what of it ran."""
        stop = "migrations.RunPython(lambda *_: __import__('os')._exit(9))"
        self.write(name, parent, stop, atomic=False)


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


ADMIN_SETTINGS = """
SECRET_KEY = "x"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "shelter.versioning",
    "zoo.keepers",
]
MIDDLEWARE = [
    "zoo.urls.strict",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": DATABASE, "other": OTHER}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ROOT_URLCONF = "zoo.urls"
STATIC_URL = "static/"
STATIC_ROOT = "static"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

# Two sites of their own, and a policy that allows nothing inline.
ADMIN_URLS = """
from django.contrib.admin import AdminSite
from django.http import HttpResponse
from django.urls import path

from shelter.versioning.admin import LedgerEntryAdmin
from shelter.versioning.models import LedgerEntry


class ZooSite(AdminSite):
    site_header = site_title = "Zoo"
    enable_nav_sidebar = False


keepers, ops = ZooSite(name="keepers"), ZooSite(name="ops")
ops.register(LedgerEntry, LedgerEntryAdmin)
urlpatterns = [
    path("keepers/", keepers.urls),
    path("ops/", ops.urls),
    path("favicon.ico", lambda request: HttpResponse(status=204)),
]


def strict(get_response):
    def answer(request):
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return answer
"""


def make_admin_project(folder: Path, *, other: bool = False) -> Project:
    """Make the project with two admin sites of its own, of which `ops` has the page "Migrations".

    Its databases are migrated, a second one too if there is an `other`, and the people are `root`,
    a superuser; `ops`, who may see the page; and `staff`, who may not. Each has the name as
    password.
    """
    project = make_project(folder)
    second = {**SQLITE, "NAME": "other.sqlite3"}
    settings = ADMIN_SETTINGS.replace("DATABASE,", f"{SQLITE!r},")
    settings = settings.replace('"other": OTHER', f'"other": {second!r}' if other else "")
    (folder / "zoo/settings.py").write_text(settings)
    (folder / "zoo/urls.py").write_text(ADMIN_URLS)
    project.commit()
    for alias in ("default", "other") if other else ("default",):
        done = project.manage("migrate", "-v0", "--database", alias)
        assert done.returncode == 0, done.stderr
    done = project.run(
        sys.executable,
        "-c",
        "import django; django.setup()\n"
        "from django.contrib.auth.models import Permission, User\n"
        "User.objects.create_superuser('root', password='root')\n"
        "ops = User.objects.create_user('ops', password='ops', is_staff=True)\n"
        "User.objects.create_user('staff', password='staff', is_staff=True)\n"
        "ops.user_permissions.add(Permission.objects.get(codename='view_ledgerentry'))\n",
    )
    assert done.returncode == 0, done.stderr
    return project
