"""What a load balancer is told."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from shelter.health import migration_files
from tests.checkout import run_python

MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = {dependencies}
    replaces = {replaces}
"""


@pytest.fixture
def fresh_files() -> Iterator[None]:
    """Migration files read anew, for this test alone."""
    migration_files.cache_clear()
    yield
    migration_files.cache_clear()


@pytest.fixture
def animals_migrations(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, fresh_files: None
) -> Iterator[Path]:
    """An empty folder that is the migrations of `animals` now."""
    package = tmp_path / "other_migrations"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {"animals": package.name}
    yield package
    for name in [name for name in sys.modules if name.partition(".")[0] == package.name]:
        del sys.modules[name]


def write(package: Path, name: str, *parents: str, replaces: tuple[str, ...] = ()) -> None:
    text = MIGRATION.format(
        dependencies=[("animals", parent) for parent in parents],
        replaces=[("animals", old) for old in replaces],
    )
    (package / f"{name}.py").write_text(text)


def apply(*names: str) -> None:
    for name in names:
        MigrationRecorder(connection).record_applied("animals", name)


def readyz() -> tuple[int, dict[str, object]]:
    response = Client().get("/readyz")
    return response.status_code, response.json()


def test_alive_needs_no_database() -> None:
    response = Client().get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert response.headers["Cache-Control"] == (
        "max-age=0, no-cache, no-store, must-revalidate, private"
    )


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_neither_takes_anything(path: str) -> None:
    assert Client().post(path).status_code == 405


def test_the_front_page_leads_to_the_admin() -> None:
    response = Client().get("/")
    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


@pytest.mark.django_db
def test_ready_when_everything_is_applied() -> None:
    assert readyz() == (200, {"status": "ready"})


@pytest.mark.django_db
def test_polling_reads_no_files_and_asks_twice(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    readyz()
    # Is there a django_migrations, and what is in it?
    with mock.patch.object(MigrationLoader, "load_disk"), django_assert_num_queries(2):
        assert readyz()[0] == 200


@pytest.mark.django_db
def test_unready_while_migrations_are_not_applied() -> None:
    applied = MigrationRecorder(connection).migration_qs
    applied.filter(app="animals", name__gte="0005").delete()
    status, body = readyz()
    assert status == 503
    assert body["status"] == "unready"
    assert isinstance(body["reasons"], list)
    assert body["reasons"][0] == "animals.0005_registration is not applied."
    assert all(reason.startswith("animals.") for reason in body["reasons"])
    assert not applied.filter(app="animals", name__gte="0005").exists()


@pytest.mark.django_db
def test_unready_while_leaf_migrations_conflict(animals_migrations: Path) -> None:
    write(animals_migrations, "0001_one")
    write(animals_migrations, "0002_weight", "0001_one")
    write(animals_migrations, "0002_photo", "0001_one")
    apply("0001_one", "0002_photo")
    assert readyz() == (
        503,
        {
            "status": "unready",
            "reasons": [
                "animals has conflicting leaf migrations: 0002_photo, 0002_weight.",
                "animals.0002_weight is not applied.",
            ],
        },
    )


@pytest.mark.django_db
def test_a_squash_is_applied_where_all_that_it_replaces_is(animals_migrations: Path) -> None:
    write(animals_migrations, "0001_one")
    write(animals_migrations, "0002_two", "0001_one")
    write(animals_migrations, "0001_squashed_0002_two", replaces=("0001_one", "0002_two"))
    apply("0001_one")
    reason = "animals.0001_squashed_0002_two is not applied."
    assert readyz() == (503, {"status": "unready", "reasons": [reason]})
    apply("0002_two")
    assert readyz() == (200, {"status": "ready"})


def test_a_database_that_does_not_answer_is_named_in_the_log_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = DatabaseError('connection to "db.internal" failed for user "ana"')
    with (
        mock.patch.object(MigrationRecorder, "applied_migrations", side_effect=failure),
        caplog.at_level(logging.WARNING, logger="shelter.health"),
    ):
        assert readyz() == (
            503,
            {"status": "unready", "reasons": ["The database does not answer."]},
        )
    (record,) = [record for record in caplog.records if record.name == "shelter.health"]
    assert record.getMessage() == (
        'The database does not answer: connection to "db.internal" failed for user "ana"'
    )


ASK = """
import json, django
django.setup()
from django.test import Client
response = Client().get("/readyz", headers={"host": "localhost"})
print(json.dumps([response.status_code, response.json()]))
"""


@pytest.mark.scenario
@pytest.mark.parametrize(
    "url", ["sqlite:////no/folder/db.sqlite3", "postgres://ana:hunter2@127.0.0.1:1/shelter"]
)
def test_a_real_database_that_is_down(project: Path, url: str) -> None:
    env = {"DJANGO_SETTINGS_MODULE": "shelter.settings", "DATABASE_URL": url}
    done = run_python(project, "-c", ASK, env=env)
    assert json.loads(done.stdout) == [
        503,
        {"status": "unready", "reasons": ["The database does not answer."]},
    ]
    assert "hunter2" not in done.stderr
