"""Squashes that came or went between a database and a checkout."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

SQUASH = "0001_squashed_0003_weight"
REPLACED = ["0001_initial", "0002_photo", "0003_weight"]
WENT = (
    f"keepers.{SQUASH} is applied in the database 'default'; this checkout has what it replaces: "
    "0001_initial, 0002_photo, 0003_weight."
)
PARTLY = (
    f"keepers.{SQUASH} stands for 0001_initial, 0002_photo, 0003_weight, of which 0003_weight is "
    "not applied in the database 'default', and in no file of this checkout."
)
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


def applied(database: Database) -> list[str]:
    rows = database.rows("SELECT name FROM django_migrations WHERE app = 'keepers'")
    return sorted(name for (name,) in rows)


def keepers(database: Database) -> list[tuple[object, ...]]:
    return database.rows("SELECT name, photo, weight FROM keepers_keeper")


def ledger(database: Database) -> list[tuple[str, str, bool]]:
    """Return the entries, as they ended, and whether each knows its migration's own code."""
    rows = database.rows("SELECT name, outcome, fingerprint FROM versioning_ledger ORDER BY id")
    if database.vendor == "mariadb" and rows[1:2] == [(REPLACED[0], "applied", "")]:
        # There, the entry of the squash was written when it began.
        rows.insert(3, rows.pop(0))
    return [(name, outcome, mark != "") for name, outcome, mark in rows]


def words(text: str) -> str:
    return " ".join(text.split())


def told(zoo: Project) -> list[tuple[str, str, list[str]]]:
    done = zoo.manage("dbstatus", "--format", "json")
    assert done.returncode == 0, done.stderr
    return [
        (finding["id"], finding["message"], finding["next"])
        for finding in json.loads(done.stdout)["findings"]
        if finding["id"] not in ("versioning.W017", "versioning.I002")
    ]


RAN = [(name, "applied", False) for name in REPLACED] + [(SQUASH, "applied", True)]


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


def test_where_the_squash_went_its_row_goes_and_the_tables_stay(
    zoo: Project, any_database: Database
) -> None:
    migrated(zoo, "squash", any_database)
    assert ledger(any_database) == RAN
    before = keepers(any_database)
    at(zoo, "old")
    assert told(zoo) == [
        (
            "versioning.W019",
            WENT,
            ["python manage.py dbsync"],
        )
    ]
    assert zoo.manage("dbstatus", "--short").stdout.startswith("default: squash (keepers)")
    dry = zoo.manage("dbsync", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert words(dry.stdout) == (
        f"INFO versioning.I006 Taken off the record: keepers.{SQUASH}. The tables stay as they are."
    )
    assert applied(any_database) == sorted([*REPLACED, SQUASH])
    assert ledger(any_database) == RAN
    # Nothing is to be recorded, so that `migrate` goes on.
    migrate = zoo.manage("migrate")
    assert migrate.returncode == 0, migrate.stderr
    assert "WARNING versioning.W019" in migrate.stderr
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == REPLACED
    assert keepers(any_database) == before
    assert zoo.drift() == []
    swapped = [*RAN, *((name, "faked", True) for name in REPLACED), (SQUASH, "forgotten", False)]
    assert ledger(any_database) == swapped
    assert told(zoo) == []
    # Each can be taken back by itself.
    back = zoo.manage("migrate", "keepers", "0002_photo")
    assert back.returncode == 0, back.stderr
    assert any_database.rows("SELECT name, photo FROM keepers_keeper") == [("Ana", "x")]
    assert zoo.drift() == []


def test_where_the_squash_went_whose_own_row_is_all_there_is_the_old_rows_are_recorded(
    zoo: Project, any_database: Database
) -> None:
    migrated(zoo, "plain", any_database)
    assert applied(any_database) == [SQUASH]
    before = keepers(any_database)
    at(zoo, "old")
    stopped = zoo.manage("migrate")
    assert stopped.returncode == 1
    assert "ERROR versioning.W019" in stopped.stderr
    assert keepers(any_database) == before
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert words(done.stdout) == (
        f"INFO versioning.I006 Taken off the record: keepers.{SQUASH}. Recorded without being run: "
        "keepers.0001_initial, keepers.0002_photo, keepers.0003_weight. The tables stay as they "
        "are."
    )
    assert applied(any_database) == REPLACED
    assert keepers(any_database) == before
    assert zoo.drift() == []
    assert ledger(any_database) == [
        (SQUASH, "applied", True),
        *((name, "faked", True) for name in REPLACED),
        (SQUASH, "forgotten", False),
    ]
    assert told(zoo) == []


def test_where_a_squash_came_without_what_it_replaces_it_is_recorded(
    zoo: Project, any_database: Database
) -> None:
    migrated(zoo, "old", any_database)
    before = keepers(any_database)
    at(zoo, "plain")
    # Its parent is not applied by its name, which is no inconsistent history.
    zoo.write("0004_diet", SQUASH, FIELD.format("diet"))
    message = (
        f"keepers.{SQUASH} of this checkout stands for what is applied in the database 'default': "
        "0001_initial, 0002_photo, 0003_weight."
    )
    assert told(zoo)[0] == ("versioning.W019", message, ["python manage.py dbsync"])
    stopped = zoo.manage("migrate")
    assert stopped.returncode == 1
    assert "ERROR versioning.W019" in stopped.stderr
    dry = zoo.manage("dbsync", "--dry-run")
    assert words(dry.stdout) == (
        "INFO versioning.I006 Taken off the record: keepers.0001_initial, keepers.0002_photo, "
        f"keepers.0003_weight. Recorded without being run: keepers.{SQUASH}. The "
        "tables stay as they are. INFO versioning.I006 Then these are applied: keepers.0004_diet."
    )
    assert applied(any_database) == REPLACED
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == [SQUASH, "0004_diet"]
    assert keepers(any_database) == before
    assert zoo.drift() == []
    assert ledger(any_database) == [
        *((name, "applied", True) for name in REPLACED),
        (SQUASH, "faked", True),
        *((name, "forgotten", False) for name in REPLACED),
        ("0004_diet", "applied", True),
    ]
    refs = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").split()
    assert sorted(ref.split("/")[-1] for ref in refs) == [SQUASH, "0004_diet"]


def test_what_depends_on_a_squash_that_came_is_no_inconsistent_history(
    zoo: Project, any_database: Database
) -> None:
    at(zoo, "old")
    zoo.write("0004_diet", "0003_weight", FIELD.format("diet"))
    done = zoo.manage("migrate", "-v0")
    assert done.returncode == 0, done.stderr
    at(zoo, "plain")
    zoo.write("0004_diet", SQUASH, FIELD.format("diet"))
    stopped = zoo.manage("migrate")
    assert stopped.returncode == 1
    assert "ERROR versioning.W019" in stopped.stderr
    assert "versioning.W013" not in stopped.stderr
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == [SQUASH, "0004_diet"]
    assert zoo.drift() == []


def test_rows_that_a_squash_made_needless_are_taken_away(
    zoo: Project, any_database: Database
) -> None:
    migrated(zoo, "squash", any_database)
    before = keepers(any_database)
    at(zoo, "plain")
    migrate = zoo.manage("migrate")
    assert migrate.returncode == 0, migrate.stderr
    assert "WARNING versioning.W019" in migrate.stderr
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == [SQUASH]
    assert keepers(any_database) == before
    assert ledger(any_database) == [*RAN, *((name, "forgotten", False) for name in REPLACED)]
    # And back to where they are needed.
    at(zoo, "squash")
    stopped = zoo.manage("migrate")
    assert stopped.returncode == 1
    assert "ERROR versioning.W019" in stopped.stderr
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == sorted([*REPLACED, SQUASH])
    assert keepers(any_database) == before
    assert zoo.drift() == []
    assert told(zoo) == []


@pytest.mark.parametrize("tag", ["squash", "plain"])
def test_a_squash_applied_in_part_whose_files_are_gone_is_a_clear_stop(
    zoo: Project, any_database: Database, tag: str
) -> None:
    migrated(zoo, "old", any_database, "0002_photo")
    zoo.git("switch", "-q", "-C", "work", tag)
    commit = zoo.git("rev-parse", "both").strip()
    last = "migrate" if tag == "squash" else "dbsync"
    commands = [
        f"git switch --detach {commit}",
        "python manage.py migrate keepers 0003_weight",
        "git switch -",
        f"python manage.py {last}",
    ]
    (finding,) = [found for found in told(zoo) if found[0] == "versioning.W019"]
    assert finding == (
        "versioning.W019",
        PARTLY,
        commands,
    )
    for command in ("migrate", "dbsync"):
        stopped = zoo.manage(command)
        assert stopped.returncode == 1, stopped.stderr
        for line in commands:
            assert line in stopped.stderr
    assert applied(any_database) == ["0001_initial", "0002_photo"]
    for line in commands:
        program, *arguments = line.split()
        done = zoo.manage(*arguments[1:]) if program == "python" else zoo.run(program, *arguments)
        assert done.returncode == 0, done.stderr
    left = [*REPLACED, SQUASH] if tag == "squash" else [SQUASH]
    assert applied(any_database) == sorted(left)
    assert any_database.rows("SELECT name, photo, weight FROM keepers_keeper") == [
        ("Ana", None, None)
    ]
    assert zoo.drift() == []


def test_a_squash_none_of_whose_migrations_is_here_is_taken_back_whole(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    zoo.git("switch", "-q", "-c", "photos")
    zoo.write("0002_photo", "0001_initial", FIELD.format("photo"))
    zoo.write("0003_weight", "0002_photo", FIELD.format("weight"))
    done = zoo.manage("squashmigrations", "keepers", "0002", "0003", "--noinput", "-v0")
    assert done.returncode == 0, done.stderr
    zoo.write("0004_diet", "0003_weight", FIELD.format("diet"))
    zoo.commit()
    done = zoo.manage("migrate", "-v0")
    assert done.returncode == 0, done.stderr
    any_database.rows("INSERT INTO keepers_keeper (name) VALUES ('Ana')")
    zoo.git("switch", "-q", "main")
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    squash = "keepers.0002_photo_squashed_0003_weight"
    assert words(done.stdout) == (
        "INFO versioning.I006 keepers.0004_diet is taken back, with the code that the ledger "
        f"recorded. INFO versioning.I006 {squash} is taken back, with the code that the ledger "
        "recorded."
    )
    assert applied(any_database) == ["0001_initial"]
    assert any_database.rows("SELECT name FROM keepers_keeper") == [("Ana",)]
    assert zoo.drift() == []


def test_what_a_squash_replaces_and_this_checkout_lacks_is_taken_back_by_its_own_code(
    zoo: Project, any_database: Database
) -> None:
    migrated(zoo, "squash", any_database)
    any_database.rows("UPDATE keepers_keeper SET photo = NULL")
    zoo.git("switch", "-q", "-c", "early", "old~1")
    refused = zoo.manage("dbsync", "--noinput")
    assert refused.returncode == 1
    assert "this database's ledger does not know the code" in words(refused.stderr)
    assert applied(any_database) == sorted([*REPLACED, SQUASH])
    done = zoo.manage("dbsync", "--noinput", "--trust-git")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == ["0001_initial"]
    assert any_database.rows("SELECT name FROM keepers_keeper") == [("Ana",)]
    assert zoo.drift() == []


def test_an_edited_squash_is_not_taken_for_what_it_replaced(tmp_path: Path) -> None:
    zoo = squashed(make_project(tmp_path / "zoo"))
    at(zoo, "old")
    assert zoo.manage("migrate", "-v0").returncode == 0
    at(zoo, "plain")
    path = zoo.migrations / f"{SQUASH}.py"
    path.write_text(path.read_text().replace("'weight'", "'mass'"))
    (finding,) = [found for found in told(zoo) if found[0] == "versioning.W019"]
    assert finding[1] == (
        f"keepers.{SQUASH} was edited since its file said that it replaces 0001_initial, "
        "0002_photo, 0003_weight."
    )
    stopped = zoo.manage("dbsync", "--noinput")
    assert stopped.returncode == 1
    assert "Nothing was changed." in stopped.stderr
    path_in_git = f":(top,glob)**/keepers/migrations/{SQUASH}.py"
    assert finding[2] == [
        f"git log -p --all -- '{path_in_git}'",
        f"python manage.py migrate keepers {SQUASH} --fake --no-gate",
        "python manage.py migrate keepers --prune",
    ]
    for command in finding[2][1:]:
        assert command in stopped.stderr
        done = zoo.manage(*command.split()[2:])
        assert done.returncode == 0, done.stderr
    assert told(zoo) == []


def test_a_migration_with_the_name_of_another_branch_s_squash_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    zoo = squashed(make_project(tmp_path / "zoo"))
    zoo.git("switch", "-q", "-C", "other", "old")
    zoo.write(SQUASH, "0003_weight", FIELD.format("diet"))
    zoo.commit()
    assert zoo.manage("migrate", "-v0").returncode == 0
    at(zoo, "old")
    stopped = zoo.manage("dbsync", "--noinput")
    assert stopped.returncode == 1
    assert f"keepers.{SQUASH} was edited since its file said" in stopped.stderr


def test_after_a_stop_the_next_call_goes_on(zoo: Project, any_database: Database) -> None:
    migrated(zoo, "plain", any_database)
    at(zoo, "old")
    zoo.write("0004_bad", "0003_weight", 'migrations.RunSQL("SELECT nowhere")')
    assert zoo.manage("dbsync", "--noinput").returncode == 2
    assert applied(any_database) == REPLACED
    (zoo.migrations / "0004_bad.py").unlink()
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert zoo.drift() == []
