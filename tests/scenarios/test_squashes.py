"""Squashes that came or went between a database and a checkout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

SQUASH = "0001_squashed_0003_weight"
REPLACED = ["0001_initial", "0002_photo", "0003_weight"]
FIELD = 'migrations.AddField("keeper", "{}", models.TextField(null=True))'


@pytest.fixture
def zoo(tmp_path: Path, any_database: Database) -> Project:
    """A project whose tags are the steps of a squash.

    old:     0001_initial - 0002_photo - 0003_weight
    both:    the same, and 0001_squashed_0003_weight, which replaces them
    squash:  the squash alone
    plain:   the squash alone, without `replaces`
    """
    return squashed(make_project(tmp_path / "zoo", any_database.settings))


def squashed(zoo: Project) -> Project:
    zoo.write("0002_photo", "0001_initial", FIELD.format("photo"))
    zoo.write("0003_weight", "0002_photo", FIELD.format("weight"))
    zoo.commit()
    zoo.git("tag", "old")
    done = zoo.manage("squashmigrations", "keepers", "0003", "--noinput", "-v0")
    assert done.returncode == 0, done.stderr
    (zoo.folder / "zoo.sqlite3").unlink(missing_ok=True)
    zoo.commit()
    zoo.git("tag", "both")
    for name in REPLACED:
        (zoo.migrations / f"{name}.py").unlink()
    zoo.commit()
    zoo.git("tag", "squash")
    without_replaces(zoo)
    zoo.commit()
    zoo.git("tag", "plain")
    return zoo


def without_replaces(zoo: Project) -> None:
    path = zoo.migrations / f"{SQUASH}.py"
    source, count = re.subn(r"\n    replaces = \[.*?\]\n", "\n", path.read_text(), flags=re.DOTALL)
    assert count == 1
    path.write_text(source)


def at(zoo: Project, tag: str) -> None:
    zoo.git("switch", "-q", "--detach", tag)


def migrated(zoo: Project, tag: str, database: Database, *target: str) -> None:
    """Migrate at `tag`, and write a row."""
    at(zoo, tag)
    done = zoo.manage("migrate", "keepers", *target, "-v0")
    assert done.returncode == 0, done.stderr
    values = "(name) VALUES ('Ana')" if target else "(name, photo) VALUES ('Ana', 'x')"
    database.rows(f"INSERT INTO keepers_keeper {values}")


def ledger(database: Database) -> list[tuple[str, str, bool]]:
    """Return the entries, and whether each knows its migration's own code."""
    rows = database.rows("SELECT name, outcome, fingerprint FROM versioning_ledger ORDER BY id")
    return [(name, outcome, mark != "") for name, outcome, mark in rows]


def test_a_squash_that_django_records_has_its_own_code_in_the_ledger(
    zoo: Project, any_database: Database
) -> None:
    migrated(zoo, "old", any_database)
    at(zoo, "both")
    done = zoo.manage("migrate")
    assert done.returncode == 0, done.stderr
    assert ledger(any_database) == [
        *((name, "applied", True) for name in REPLACED),
        (SQUASH, "faked", True),
    ]
    blob = zoo.git("rev-parse", f"both:zoo/keepers/migrations/{SQUASH}.py").strip()
    assert any_database.rows("SELECT git_blob FROM versioning_ledger ORDER BY id")[-1] == (blob,)
    kept = zoo.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/versioning")
    assert f"{blob} " in kept
