"""What was stopped around a statement is carried on, as the tables tell whether it ran."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import make_project
from tests.versioning.steps import STEPS, write_steps

pytestmark = pytest.mark.scenario

WAYS = ("forwards, before", "backwards, before", "forwards, after", "backwards, after")


def test_every_operation_is_carried_on_around_its_first_and_last_statement(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    steps = [step for step in STEPS if not step.startswith("RunSQL")]
    write_steps(zoo, steps, atomic=False)
    assert zoo.manage("migrate", "keepers", "0001", "-v0").returncode == 0
    # Where each statement is committed by itself, all of them; elsewhere each third.
    first, every = (2, 1) if any_database.vendor == "mariadb" else (3, 3)
    numbers = range(first, len(steps) + 2, every)
    done = zoo.run(sys.executable, "-m", "tests.versioning.dying", *map(str, numbers))
    assert done.returncode == 0, done.stderr
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    assert ends == [dict.fromkeys(WAYS, "done")] * len(numbers)
    assert zoo.manage("migrate", "-v0").returncode == 0
    assert zoo.drift() == []


def test_what_the_tables_cannot_tell_is_named(tmp_path: Path, any_database: Database) -> None:
    """Comments are not read; to SQLite, which has none, an integer and a big one are the same."""
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    change = (
        '"id", models.AutoField(primary_key=True)'
        if any_database.vendor == "sqlite"
        else '"name", models.TextField(db_comment="As on the badge")'
    )
    write_steps(zoo, [f'AlterField("keeper", {change})'], atomic=False)
    assert zoo.manage("migrate", "keepers", "0001", "-v0").returncode == 0
    done = zoo.run(sys.executable, "-m", "tests.versioning.dying", "2")
    assert done.returncode == 0, done.stderr
    stopped = "Nothing was migrated: 1 finding. --no-gate migrates all the same."
    assert json.loads(done.stdout) == dict.fromkeys(WAYS, stopped)
