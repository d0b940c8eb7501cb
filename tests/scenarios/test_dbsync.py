"""dbsync: a database that other code migrated, brought to this checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

FIELD = 'migrations.AddField("keeper", "{}", models.TextField(null=True))'


@pytest.fixture
def zoo(tmp_path: Path, any_database: Database) -> Project:
    """A database that the branch photos migrated twice, and the checkout of main.

    0001 - 0002_photo - 0003_more   (photos: applied, gone)
        \\- 0002_weight              (main: not applied)
    """
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    zoo.git("switch", "-q", "-c", "photos")
    zoo.write("0002_photo", "0001_initial", FIELD.format("photo"))
    zoo.write(
        "0003_more",
        "0002_photo",
        'migrations.CreateModel("House", [("id", models.AutoField(primary_key=True))]), '
        + FIELD.format("more"),
    )
    zoo.commit("Ben")
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "main")
    zoo.write("0002_weight", "0001_initial", FIELD.format("weight"))
    zoo.commit()
    return zoo


def applied(database: Database) -> list[str]:
    rows = database.rows("SELECT name FROM django_migrations WHERE app = 'keepers' ORDER BY id")
    return [name for (name,) in rows]


def words(text: str) -> str:
    return " ".join(text.split())


def test_ghosts_are_taken_back_by_their_own_code_whatever_became_of_the_branch(
    zoo: Project, any_database: Database
) -> None:
    zoo.git("branch", "-q", "-D", "photos")
    zoo.git("reflog", "expire", "--expire=now", "--all")
    zoo.git("gc", "-q", "--prune=now")
    any_database.rows("INSERT INTO keepers_keeper (name) VALUES ('Ana')")
    dry = zoo.manage("dbsync", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    said = words(dry.stdout)
    more = "keepers.0003_more is taken back, with the code that the ledger recorded."
    photo = "keepers.0002_photo is taken back, with the code that the ledger recorded."
    assert said.index(more) < said.index(photo)
    assert "Then these are applied: keepers.0002_weight." in said
    assert applied(any_database) == ["0001_initial", "0002_photo", "0003_more"]
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert "keepers.0003_more was taken back." in done.stderr
    assert applied(any_database) == ["0001_initial", "0002_weight"]
    assert any_database.rows("SELECT name, weight FROM keepers_keeper") == [("Ana", None)]
    assert zoo.drift() == []
    outcomes = any_database.rows("SELECT name, outcome FROM versioning_ledger ORDER BY id")
    assert outcomes[-3:] == [
        ("0003_more", "unapplied"),
        ("0002_photo", "unapplied"),
        ("0002_weight", "applied"),
    ]
    assert zoo.manage("dbsync").stdout == "The database is as this checkout expects.\n"
    refs = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").split()
    assert sorted(ref.split("/")[-1] for ref in refs) == ["0001_initial", "0002_weight"]


def test_data_goes_only_when_somebody_says_so(zoo: Project, any_database: Database) -> None:
    any_database.rows("INSERT INTO keepers_keeper (name, photo) VALUES ('Ana', 'x'), ('Ben', NULL)")
    refused = zoo.manage("dbsync", "--noinput")
    assert refused.returncode == 1
    assert "Data goes: column keepers_keeper.photo (1 row)." in words(refused.stdout)
    assert "Nothing was changed." in refused.stderr
    assert "python manage.py dbsync --allow-data-loss" in refused.stderr
    assert applied(any_database) == ["0001_initial", "0002_photo", "0003_more"]
    done = zoo.manage("dbsync", "--allow-data-loss")
    assert done.returncode == 0, done.stderr
    assert any_database.rows("SELECT name FROM keepers_keeper ORDER BY id") == [("Ana",), ("Ben",)]


def test_code_that_the_ledger_does_not_know_needs_trust(
    zoo: Project, any_database: Database
) -> None:
    any_database.rows("DROP TABLE versioning_ledger")
    refused = zoo.manage("dbsync", "--noinput")
    assert refused.returncode == 1
    said = words(refused.stderr)
    commit = zoo.git("rev-parse", "photos")[:10]
    assert f"keepers.0002_photo (commit {commit} of Ben <ben@example.org>)" in said
    path = "zoo/keepers/migrations/0002_photo.py"
    assert f"git show {commit}:{path};" in said
    assert zoo.git("show", f"{commit}:{path}") == zoo.git("show", f"photos:{path}")
    assert said.endswith("python manage.py dbsync --trust-git")
    assert zoo.manage("dbsync", "--trust-git").returncode == 0
    assert applied(any_database) == ["0001_initial", "0002_weight"]
    assert zoo.drift() == []


def test_a_person_sees_the_code_and_is_asked(zoo: Project, any_database: Database) -> None:
    any_database.rows("DROP TABLE versioning_ledger")
    # What git has may steer a terminal.
    zoo.git("switch", "-q", "photos")
    zoo.write("0002_photo", "0001_initial", FIELD.format("photo") + ",  # \033[2J\n")
    zoo.commit("Ben")
    zoo.git("switch", "-q", "main")
    any_database.rows("INSERT INTO keepers_keeper (name, photo) VALUES ('Ana', 'x')")
    before = applied(any_database)
    refused = zoo.typed("s\nno\n", "dbsync")
    assert refused.returncode == 1
    ben = "of Ben <ben@example.org>"
    question = (
        f"Run keepers.0002_photo {ben}, keepers.0003_more {ben} to take them back? "
        "[y/N, s shows the code] "
    )
    assert refused.stderr.count(question) == 2
    assert "\nThe code of keepers.0002_photo:\n" in refused.stderr
    assert '"photo", models.TextField(null=True)),  # \ufffd[2J\n' in refused.stderr
    assert "\033[2J" not in refused.stderr
    # Trusted, it asks for the data, and takes no answer for none: Ctrl-D.
    refused = zoo.typed("y\n\004", "dbsync")
    assert refused.returncode == 1
    assert refused.stderr.count("Let this data go? [y/N] ") == 1
    assert "Data would go, as shown. Nothing was changed." in words(refused.stderr)
    assert "Traceback" not in refused.stderr
    assert applied(any_database) == before
    done = zoo.typed("y\nyes\n", "dbsync", "-v", "2")
    assert done.returncode == 0, done.stderr
    assert "\nThe code of keepers.0003_more:\n" in done.stdout
    assert applied(any_database) == ["0001_initial", "0002_weight"]


def test_code_that_is_nowhere_is_a_clear_stop(zoo: Project, any_database: Database) -> None:
    any_database.rows("DROP TABLE versioning_ledger")
    any_database.rows("UPDATE django_migrations SET name = '0002_lost' WHERE name = '0002_photo'")
    done = zoo.manage("dbsync", "--trust-git")
    assert done.returncode == 1
    assert "The code of keepers.0002_lost, which is to be taken back, is in no branch" in (
        words(done.stderr)
    )
    assert "git fetch --all" in done.stderr


def test_what_cannot_be_reversed_stops_it_before_anything_changed(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    zoo.git("switch", "-q", "-c", "photos")
    zoo.write("0002_photo", "0001_initial", FIELD.format("photo"))
    zoo.write("0003_code", "0002_photo", "migrations.RunPython(print)")
    zoo.commit()
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "main")
    done = zoo.manage("dbsync", "--allow-data-loss")
    assert done.returncode == 1
    assert "keepers.0003_code cannot be taken back: Raw Python operation is irreversible." in (
        words(done.stderr)
    )
    assert applied(any_database) == ["0001_initial", "0002_photo", "0003_code"]


def test_a_teammate_s_rebase_is_adopted(tmp_path: Path, any_database: Database) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    zoo.write("0002_photo", "0001_initial", FIELD.format("photo"))
    assert zoo.manage("migrate").returncode == 0
    any_database.rows("INSERT INTO keepers_keeper (name, photo) VALUES ('Ana', 'x')")
    (zoo.migrations / "0002_photo.py").unlink()
    zoo.write("0002_weight", "0001_initial", FIELD.format("weight"))
    zoo.write("0003_photo", "0002_weight", FIELD.format("photo"))
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert "The row of keepers.0002_photo gets its new name, 0003_photo." in words(done.stdout)
    assert sorted(applied(any_database)) == ["0001_initial", "0002_weight", "0003_photo"]
    assert any_database.rows("SELECT name, photo, weight FROM keepers_keeper") == [
        ("Ana", "x", None)
    ]
    assert zoo.drift() == []


def test_data_is_kept_in_a_file_and_put_back(zoo: Project, any_database: Database) -> None:
    models = zoo.folder / "zoo/keepers/models.py"
    text = models.read_text()
    any_database.rows(
        "INSERT INTO keepers_keeper (name, photo, more) VALUES "
        "('Ana', 'x', NULL), ('Ben', NULL, 'y \N{BULLET}'), ('Cid', NULL, NULL)"
    )
    any_database.rows("INSERT INTO keepers_house (id) VALUES (7)")
    before = any_database.rows("SELECT name, photo, more FROM keepers_keeper ORDER BY id")
    done = zoo.manage("dbsync", "--noinput", "--save-to", "kept.jsonl")
    assert done.returncode == 0, done.stderr
    assert "3 rows were saved to kept.jsonl." in done.stderr
    assert applied(any_database) == ["0001_initial", "0002_weight"]
    early = zoo.manage("dbsync", "--restore", "kept.jsonl")
    assert early.returncode == 1
    assert "keepers.0002_photo, keepers.0003_more must be applied first" in words(early.stderr)
    # Back on the branch, whose models have the fields.
    zoo.git("switch", "-q", "photos")
    models.write_text(
        f"{text}    photo = models.TextField(null=True)\n"
        "    more = models.TextField(null=True)\n\n\n"
        "class House(models.Model):\n    id = models.AutoField(primary_key=True)\n"
    )
    assert zoo.manage("dbsync").returncode == 0
    put_back = zoo.manage("dbsync", "--restore", "kept.jsonl")
    assert (put_back.returncode, put_back.stdout) == (0, "3 rows were put back.\n"), put_back.stderr
    after = any_database.rows("SELECT name, photo, more FROM keepers_keeper ORDER BY id")
    assert after == before
    assert any_database.rows("SELECT id FROM keepers_house") == [(7,)]
    assert zoo.manage("dbsync", "--restore", "zoo/settings.py").returncode == 1
    assert zoo.manage("dbsync", "--restore", "nowhere").returncode == 2


def test_a_file_that_is_there_is_not_written_over(zoo: Project, any_database: Database) -> None:
    any_database.rows("INSERT INTO keepers_keeper (name, photo) VALUES ('Ana', 'x')")
    (zoo.folder / "kept.jsonl").write_text("precious")
    done = zoo.manage("dbsync", "--save-to", "kept.jsonl")
    assert done.returncode == 1
    assert "There is a file kept.jsonl already" in done.stderr
    assert (zoo.folder / "kept.jsonl").read_text() == "precious"
    assert applied(any_database) == ["0001_initial", "0002_photo", "0003_more"]


def test_what_is_half_done_is_named(tmp_path: Path, any_database: Database) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    zoo.write_stopping("0002_weight", "0001_initial")
    assert zoo.manage("dbsync").returncode == 9
    done = zoo.manage("dbsync")
    assert done.returncode == 1
    assert "CommandError: keepers.0002_weight is half done in the database 'default', and" in (
        done.stderr
    )
    assert "Traceback" not in done.stderr
    assert applied(any_database) == ["0001_initial"]


STOPS_ONCE = (
    "import os\n\n\n"
    "def stop(apps, schema_editor):\n"
    '    if not os.path.exists("stopped"):\n'
    '        open("stopped", "w").close()\n'
    "        os._exit(9)\n\n\n"
)


def stopped_halfway_back(zoo: Project, atomic: bool) -> str:
    """Kill dbsync while it takes 0003_slow back; return what dbstatus tells of it.

    0001 - 0002_photo - 0003_slow   (slow: applied, gone; of two operations one was taken back)
    """
    zoo.git("switch", "-q", "-c", "slow")
    zoo.add_field("photo")
    zoo.write(
        "0003_slow",
        "0002_keeper_photo",
        f"migrations.RunPython(migrations.RunPython.noop, stop, atomic={atomic}), "
        + FIELD.format("more"),
        atomic=False,
    )
    slow = zoo.migrations / "0003_slow.py"
    slow.write_text(STOPS_ONCE + slow.read_text())
    zoo.commit("Ben")
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "main")
    assert zoo.manage("dbsync", "--noinput").returncode == 9
    (finding,) = zoo.told("versioning.W014")
    assert (
        "keepers.0003_slow was being unapplied in the database 'default' on" in (finding["message"])
    )
    assert finding["message"].endswith("1 of 2 operations ran (Add field more to keeper).")
    return "\n".join([finding["reason"], *finding["next"]])


def test_a_ghost_that_was_taken_back_half_way_is_carried_on(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    assert stopped_halfway_back(zoo, atomic=True) == (
        "The tables are between two versions; it can be carried on where it ended.\n"
        "python manage.py dbsync"
    )
    # The column that is gone already is no loss, and no column to look into.
    any_database.rows("INSERT INTO keepers_keeper (name, photo) VALUES ('Ana', 'x')")
    assert "more" not in zoo.manage("dbsync", "--dry-run").stdout
    done = zoo.manage("dbsync", "--noinput", "--save-to", "kept.jsonl")
    assert done.returncode == 0, done.stderr
    assert "1 row was saved to kept.jsonl." in done.stderr
    assert applied(any_database) == ["0001_initial"]
    assert zoo.drift() == []
    blob = zoo.git("rev-parse", "slow:zoo/keepers/migrations/0003_slow.py").strip()
    entries = any_database.rows("SELECT name, outcome, git_blob FROM versioning_ledger ORDER BY id")
    assert ("0003_slow", "unapplied", blob) in entries
    assert zoo.manage("dbstatus", "--check").returncode == 0


def test_a_ghost_that_cannot_be_carried_on_back_is_finished_by_hand(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    reason, *commands = stopped_halfway_back(zoo, atomic=False).splitlines()
    assert reason.startswith("The tables are between two versions. Running: Raw Python operation.")
    slow = zoo.git("rev-parse", "slow").strip()
    assert commands == [
        f"git switch --detach {slow}",
        "python manage.py sqlmigrate keepers 0003_slow --backwards",
        "python manage.py migrate keepers 0002_keeper_photo --fake",
        "git switch -",
        "python manage.py dbsync",
    ]
    stopped = zoo.manage("dbsync", "--noinput")
    assert stopped.returncode == 1
    assert "CommandError: keepers.0003_slow is half done in the database" in stopped.stderr
    # What was left to do is in Python, so that nothing is to be done by hand but to record it.
    for command in commands[:-1]:
        program, *arguments = command.split()
        if program == "git":
            zoo.git(*arguments)
        else:
            done = zoo.manage(*arguments[1:])
            assert done.returncode == 0, done.stderr
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert applied(any_database) == ["0001_initial"]
    assert zoo.drift() == []
    assert zoo.manage("dbstatus", "--check").returncode == 0


def test_what_is_half_taken_back_is_not_adopted_under_another_name(
    tmp_path: Path, any_database: Database
) -> None:
    """Its tables are not what a row would say: it is taken back, and then applied.

    0001 - 0002_photo - 0003_slow       (the database: slow half taken back)
        \\- 0002_photo - 0003_slower     (main: the same operations)
    """
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    stopped_halfway_back(zoo, atomic=True)
    zoo.git("merge", "-q", "slow")
    zoo.git("mv", "zoo/keepers/migrations/0003_slow.py", "zoo/keepers/migrations/0003_slower.py")
    done = zoo.manage("dbsync", "--noinput")
    assert done.returncode == 0, done.stderr
    assert "keepers.0003_slow was taken back." in done.stderr
    assert "keepers.0003_slower was applied." in done.stderr
    assert applied(any_database) == ["0001_initial", "0002_keeper_photo", "0003_slower"]
    assert zoo.drift() == []
