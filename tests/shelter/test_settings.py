"""The settings, as an environment makes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import ROOT, documented_environment, run_python

SHOW = """
import json
from shelter import settings
names = [name for name in dir(settings) if name.isupper()]
print(json.dumps({name: getattr(settings, name) for name in names}, default=str))
"""

PRODUCTION = {"SHELTER_ENV": "production", "SECRET_KEY": "k" * 60, "ALLOWED_HOSTS": "a.example"}


def settings_of(project: Path, **env: str) -> dict[str, Any]:
    done = run_python(project, "-c", SHOW, env=env)
    assert done.stderr == ""
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def refusal_of(project: Path, **env: str) -> str:
    """Return what the command line says, once it is seen to be a message and no traceback."""
    done = run_python(project, "manage.py", "check", env=env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr.rstrip("\n")


def test_nothing_set_is_development(project: Path) -> None:
    settings = settings_of(project)
    assert settings["SHELTER_ENV"] == "development"
    assert settings["DEBUG"] is True
    assert settings["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert settings["SECRET_KEY"] == (project / ".secret_key").read_text()
    assert settings["DATABASES"]["default"]["NAME"] == f"{project}/db.sqlite3"
    assert settings["AXES_ENABLED"] is False
    assert settings["SESSION_COOKIE_AGE"] == 8 * 60 * 60
    assert settings["WHITENOISE_USE_FINDERS"] is True
    assert {name for name in settings if name.startswith("SECURE_")} == set()
    assert not (project / "db.sqlite3").exists()


def test_production_switches_every_protection_on(project: Path) -> None:
    settings = settings_of(project, **PRODUCTION)
    assert settings["DEBUG"] is False
    assert settings["SECRET_KEY"] == "k" * 60
    assert settings["ALLOWED_HOSTS"] == ["a.example"]
    assert settings["AXES_ENABLED"] is True
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SESSION_COOKIE_AGE"] == 8 * 60 * 60
    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert "SECURE_PROXY_SSL_HEADER" not in settings
    assert settings["STORAGES"]["staticfiles"]["BACKEND"] == (
        "whitenoise.storage.CompressedManifestStaticFilesStorage"
    )
    assert not (project / ".secret_key").exists()


def test_no_variable_switches_debug_pages_on_in_production(project: Path) -> None:
    assert settings_of(project, **PRODUCTION, DEBUG="on")["DEBUG"] is False
    assert settings_of(project, DEBUG="off")["DEBUG"] is False


def test_forwarded_headers_are_believed_behind_a_proxy_only(project: Path) -> None:
    settings = settings_of(project, **PRODUCTION, PROXY_COUNT="1")
    assert settings["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_lists_take_spaces(project: Path) -> None:
    env = {**PRODUCTION, "ALLOWED_HOSTS": " a.example, b.example ,"}
    assert settings_of(project, **env)["ALLOWED_HOSTS"] == ["a.example", "b.example"]


def test_a_file_is_read_and_the_environment_wins_over_it(project: Path) -> None:
    (project / ".env").write_text("TIME_ZONE=Europe/Vienna\nLOGIN_THROTTLING=on\n")
    settings = settings_of(project, TIME_ZONE="Asia/Tokyo")
    assert (settings["TIME_ZONE"], settings["AXES_ENABLED"]) == ("Asia/Tokyo", True)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            {"SHELTER_ENV": "prod"},
            "SHELTER_ENV is 'prod'; it must be 'development' or 'production'.",
        ),
        (
            {"SHELTER_ENV": "production", "ALLOWED_HOSTS": "a.example"},
            (
                "SECRET_KEY is not set, and production must not run on a guessable or a forgotten "
                "key. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(64))' "
                "and set it in the environment. On a developer's machine: SHELTER_ENV=development."
            ),
        ),
        (
            {"SHELTER_ENV": "production", "SECRET_KEY": "k" * 60, "ALLOWED_HOSTS": " , "},
            (
                "ALLOWED_HOSTS is not set, so every request would be refused. Set it to the host "
                "names the shelter is reached by: ALLOWED_HOSTS=shelter.example.org"
            ),
        ),
        (
            {"DATABASE_URL": "hunter2"},
            (
                "DATABASE_URL must begin with sqlite:// or postgres://, as in "
                "sqlite:////srv/shelter.sqlite3 or postgres://user:password@host:5432/name"
            ),
        ),
        (
            {"DATABASE_URL": "mysql://root:hunter2@127.0.0.1/shelter"},
            (
                "DATABASE_URL must begin with sqlite:// or postgres://, as in "
                "sqlite:////srv/shelter.sqlite3 or postgres://user:password@host:5432/name"
            ),
        ),
        (
            {"DATABASE_URL": "postgres://ana:hunter2@host"},
            "DATABASE_URL names no database after the last '/'.",
        ),
        (
            {"DATABASE_URL": "postgres://ana:hunter2@host:54x/shelter"},
            "DATABASE_URL cannot be read: Port could not be cast to integer value as '54x'.",
        ),
        ({"PROXY_COUNT": "-1"}, "PROXY_COUNT is '-1'; it must be a whole number."),
        (
            {"DATABASE_URL": "postgres://host/shelter", "DATABASE_POOL_SIZE": "ten"},
            "DATABASE_POOL_SIZE is 'ten'; it must be a whole number.",
        ),
        ({"LOGIN_THROTTLING": "onn"}, "LOGIN_THROTTLING is 'onn'; it must be 'on' or 'off'."),
    ],
)
def test_what_is_refused_and_how(project: Path, env: dict[str, str], message: str) -> None:
    refusal = refusal_of(project, **env)
    assert refusal == message
    assert "hunter2" not in refusal


@pytest.mark.parametrize("entry_point", ["shelter.wsgi", "shelter.asgi"])
def test_a_server_is_in_production_unless_told_otherwise(project: Path, entry_point: str) -> None:
    done = run_python(project, "-c", f"import {entry_point}")
    assert done.returncode == 1
    assert "ImproperlyConfigured: SECRET_KEY is not set" in done.stderr
    told = run_python(project, "-c", f"import {entry_point}", env={"SHELTER_ENV": "development"})
    assert (told.returncode, told.stderr) == (0, "")


def test_without_django_the_command_line_says_what_to_type(project: Path) -> None:
    done = run_python(project, "-S", "manage.py", "check")
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        (
            "Django cannot be imported (No module named 'django').\n"
            "Type `make setup` once, then `source .venv/bin/activate`.\n"
        ),
    )


def test_the_documented_environment_is_deployable(project: Path) -> None:
    arguments = ("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    done = run_python(project, *arguments, env=documented_environment())
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "System check identified no issues (0 silenced).\n",
        "",
    )


def test_every_variable_is_documented() -> None:
    source = (ROOT / "shelter/settings.py").read_text()
    read = re.findall(r'(?:env\.str|_number|_switch|_names)\("([A-Z_]+)"', source)
    documented = re.findall(
        r"^\| `(\w+)` \|", (ROOT / "docs/deployment.md").read_text(), re.MULTILINE
    )
    assert sorted(set(read)) == sorted(documented)


SQLITE = """
import json, sqlite3, django
django.setup()
from django.db import connection, transaction
with connection.cursor() as cursor:
    shown = {}
    for name in ("journal_mode", "synchronous", "busy_timeout"):
        cursor.execute(f"PRAGMA {name}")
        shown[name] = cursor.fetchone()[0]
other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0)
with transaction.atomic():
    # Nothing has been written or even read here, and yet:
    try:
        other.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        shown["another writer"] = str(error)
print(json.dumps(shown))
"""


def test_sqlite_writers_wait_for_each_other(project: Path) -> None:
    env = {"DJANGO_SETTINGS_MODULE": "shelter.settings"}
    done = run_python(project, "-c", SQLITE, env=env)
    assert done.stderr == ""
    assert json.loads(done.stdout) == {
        "journal_mode": "wal",
        "synchronous": 1,
        "busy_timeout": 20_000,
        "another writer": "database is locked",
    }


def test_postgresql_has_a_pool_and_health_checks(project: Path) -> None:
    url = "postgres://ana:p%40ss@db.example:6543/shelter?sslmode=require"
    database = settings_of(project, DATABASE_URL=url, DATABASE_POOL_SIZE="4")["DATABASES"][
        "default"
    ]
    assert database == {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "db.example",
        "PORT": 6543,
        "USER": "ana",
        "PASSWORD": "p@ss",
        "NAME": "shelter",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "sslmode": "require",
            "pool": {"min_size": 1, "max_size": 4, "timeout": 10},
        },
    }


POOLED = """
import json, django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT 40 + 2")
    (answer,) = cursor.fetchone()
pool = connection.pool
connection.close()
print(json.dumps([answer, type(pool).__name__, pool.get_stats()["requests_num"]]))
connection.close_pool()
"""


def test_postgresql_answers_through_the_pool(project: Path, postgresql_url: str) -> None:
    env = {
        "DJANGO_SETTINGS_MODULE": "shelter.settings",
        "DATABASE_URL": f"{postgresql_url}/postgres",
    }
    done = run_python(project, "-c", POOLED, env=env)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [42, "ConnectionPool", 1]
