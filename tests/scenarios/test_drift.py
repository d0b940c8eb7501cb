"""Drift, on every database: seen where it is, and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import Project, make_project
from tests.versioning.steps import STEPS, write_steps

pytestmark = pytest.mark.scenario

CONTRIB = (
    "admin",
    "auth",
    "contenttypes",
    "flatpages",
    "messages",
    "redirects",
    "sessions",
    "sites",
)

EVERY_STEP = """
import django

django.setup()
from django.core.management import call_command
from shelter.versioning.ledger.drift import find_drift

for number in range(1, {count} + 2):
    call_command("migrate", "keepers", f"{{number:04}}", verbosity=0)
    found = find_drift("default")
    print(number, list(map(str, found.differences)))
    last = found
print(sorted(difference.what for difference in last.beside), last.others)
"""


@pytest.fixture
def zoo(tmp_path: Path, any_database: Database) -> Project:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    settings = zoo.folder / "zoo/settings.py"
    apps = "".join(f'"django.contrib.{name}", ' for name in CONTRIB)
    text = settings.read_text().replace("INSTALLED_APPS = [", f"INSTALLED_APPS = [{apps}")
    # No admin is served here.
    silenced = ["admin.E403", "admin.E408", "admin.E409", "admin.E410"]
    settings.write_text(f"{text}\nSITE_ID = 1\nSILENCED_SYSTEM_CHECKS = {silenced!r}\n")
    return zoo


def test_there_is_none_after_any_operation(zoo: Project, any_database: Database) -> None:
    write_steps(zoo, STEPS)
    assert zoo.manage("migrate", "keepers", "0001", "-v0").returncode == 0
    done = zoo.run(sys.executable, "-c", EVERY_STEP.format(count=len(STEPS)))
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert lines == [f"{number} []" for number in range(1, len(STEPS) + 2)]
    assert last == "['index'] ('made_by_sql',)"


def test_there_is_none_in_django_s_own_apps(zoo: Project, any_database: Database) -> None:
    assert zoo.manage("migrate").returncode == 0
    done = zoo.manage("dbstatus", "--drift", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "The database is as this checkout expects.\n",
        "",
    )


def test_each_kind_is_seen_and_nothing_is_changed(zoo: Project, any_database: Database) -> None:
    zoo.write(
        "0002_age",
        "0001_initial",
        'migrations.AddField("keeper", "age", models.IntegerField(db_index=True, null=True)), '
        'migrations.AddField("keeper", "code", models.CharField(max_length=5, null=True)), '
        'migrations.AddConstraint("keeper", models.CheckConstraint(name="old", '
        "condition=models.Q(age__gt=0)))",
    )
    assert zoo.manage("migrate").returncode == 0
    for statement in DAMAGE[any_database.vendor]:
        any_database.rows(statement)
    any_database.rows("DROP TABLE django_flatpage_sites")
    before = tables(any_database)
    messages = zoo.drift()
    assert len(messages) == 2
    assert zoo.manage("dbstatus", "--drift", "--check").returncode == 1
    assert "table django_flatpage_sites is missing" in messages[0]
    for words in (
        "column keepers_keeper.age is missing",
        "column keepers_keeper.code is",
        "column keepers_keeper.extra is in no migration",
        "index keepers_keeper is missing: INDEX",
        "index keepers_keeper is in no migration: INDEX",
        "constraint keepers_keeper is missing: CHECK",
    ):
        assert words in messages[1], words
    assert tables(any_database) == before


# The index and the check go with their column; MariaDB and SQLite want the check away first.
DAMAGE = {
    "postgresql": (
        "ALTER TABLE keepers_keeper DROP COLUMN age",
        "ALTER TABLE keepers_keeper ADD COLUMN extra int",
        "ALTER TABLE keepers_keeper ALTER COLUMN code TYPE varchar(9)",
        "CREATE INDEX mine ON keepers_keeper (name)",
    ),
    "mariadb": (
        "ALTER TABLE keepers_keeper DROP CONSTRAINT old",
        "ALTER TABLE keepers_keeper DROP COLUMN age",
        "ALTER TABLE keepers_keeper ADD COLUMN extra int",
        "ALTER TABLE keepers_keeper MODIFY code varchar(9)",
        "CREATE INDEX mine ON keepers_keeper (name(5))",
    ),
    "sqlite": (
        "DROP TABLE keepers_keeper",
        (
            "CREATE TABLE keepers_keeper (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, "
            "name text NOT NULL, code varchar(9) NULL, extra int)"
        ),
        "CREATE INDEX mine ON keepers_keeper (name)",
    ),
}


def tables(database: Database) -> list[tuple[object, ...]]:
    if database.vendor == "sqlite":
        return database.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
    return database.rows(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns "
        "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') "
        f"AND (table_schema LIKE 'versioning_scratch%' OR table_catalog = '{name_of(database)}' "
        f"OR table_schema = '{name_of(database)}') "
        "ORDER BY 1, 2, 3".replace("%", "%%" if database.vendor == "mariadb" else "%")
    )


def name_of(database: Database) -> str:
    return str(database.settings["NAME"])


def test_there_is_none_after_a_restore(
    tmp_path: Path, zoo: Project, any_database: Database
) -> None:
    assert zoo.manage("migrate").returncode == 0
    name = name_of(any_database)
    if any_database.vendor == "postgresql":
        if shutil.which("pg_dump") is None:
            pytest.skip("pg_dump is not here")
        server = ["--host", "127.0.0.1", "--username", str(any_database.settings["USER"])]
        dumped = tmp_path / "dump.sql"
        subprocess.run(["pg_dump", *server, "--file", str(dumped), name], check=True)
        any_database.rows("DROP SCHEMA public CASCADE")
        any_database.rows("CREATE SCHEMA public")
        subprocess.run(
            ["psql", *server, "-q", "-o", "/dev/null", "-f", str(dumped), name], check=True
        )
    elif any_database.vendor == "mariadb":
        dump = shutil.which("mariadb-dump")
        if dump is None:
            pytest.skip("mariadb-dump is not here")
        server = ["--host", "127.0.0.1", "--user", "root"]
        text = subprocess.run([dump, *server, name], check=True, capture_output=True).stdout
        any_database.rows(f"DROP DATABASE {name}")
        subprocess.run(["mariadb", *server, "-e", f"CREATE DATABASE {name}"], check=True)
        subprocess.run(["mariadb", *server, name], input=text, check=True)
    else:
        restored = zoo.folder / "restored.sqlite3"
        any_database.rows(f"VACUUM INTO '{restored}'")
        restored.replace(name)
    done = zoo.manage("dbstatus", "--drift", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "The database is as this checkout expects.\n",
        "",
    )
