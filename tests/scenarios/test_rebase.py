"""rebasemigrations: real repositories, real commands, real databases."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

FIELD = 'migrations.AddField("keeper", "{}", models.TextField(null=True))'


def names(zoo: Project) -> list[str]:
    return sorted(path.stem for path in zoo.migrations.glob("0*.py"))


def files(zoo: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in zoo.migrations.glob("*.py")}


def rows(database: Database, table: str = "django_migrations") -> list[str]:
    found = database.rows(f"SELECT name FROM {table} WHERE app = 'keepers' ORDER BY id")
    return [name for (name,) in found]


def add(zoo: Project, name: str, parent: str, field: str | None = None) -> None:
    zoo.write(name, parent, FIELD.format(field or name[5:]))


def two_branches(zoo: Project) -> None:
    """Ana's branch of two migrations, and Ben's of one, which is merged into main.

    0001 - 0002_a - 0003_b   (mine, on the branch ana)
        \\- 0002_weight       (theirs, on main)
    """
    zoo.git("switch", "-q", "-c", "ana")
    add(zoo, "0002_a", "0001_initial")
    add(zoo, "0003_b", "0002_a")
    zoo.commit()
    zoo.git("switch", "-q", "main")
    add(zoo, "0002_weight", "0001_initial")
    zoo.commit("Ben")
    zoo.git("switch", "-q", "ana")


@pytest.fixture
def zoo(tmp_path: Path) -> Project:
    return make_project(tmp_path / "zoo")


def test_a_chain_goes_after_theirs_with_the_rows_of_the_database(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    two_branches(zoo)
    assert zoo.manage("migrate").returncode == 0
    any_database.rows("INSERT INTO keepers_keeper (name, a, b) VALUES ('Ana', 'x', 'y')")
    zoo.git("merge", "-q", "main", "-m", "Merge")
    before = files(zoo)
    dry = zoo.manage("rebasemigrations", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    said = " ".join(dry.stdout.split())
    assert "keepers: yours go after 0002_weight of main: 0002_a becomes 0003_a; " in said
    assert "0003_b becomes 0004_b" in said
    assert "0002_weight is applied first in the database 'default'." in said
    assert "rename from zoo/keepers/migrations/0002_a.py" in said
    assert '+ dependencies = [("keepers", "0002_weight")]' in said
    assert files(zoo) == before
    assert rows(any_database) == ["0001_initial", "0002_a", "0003_b"]
    done = zoo.manage("rebasemigrations")
    assert done.returncode == 0, done.stderr
    assert names(zoo) == ["0001_initial", "0002_weight", "0003_a", "0004_b"]
    # Nothing else of a file changed.
    assert (zoo.migrations / "0003_a.py").read_bytes() == before["0002_a.py"].replace(
        b"0001_initial", b"0002_weight"
    )
    assert (zoo.migrations / "0004_b.py").read_bytes() == before["0003_b.py"].replace(
        b"0002_a", b"0003_a"
    )
    assert sorted(rows(any_database)) == ["0001_initial", "0002_weight", "0003_a", "0004_b"]
    assert sorted(rows(any_database, "versioning_ledger")) == sorted(rows(any_database))
    assert any_database.rows("SELECT name, a, b, weight FROM keepers_keeper") == [
        ("Ana", "x", "y", None)
    ]
    assert zoo.manage("checkmigrations").returncode == 0
    check = zoo.manage("migrate", "--check")
    assert check.returncode == 0, check.stderr
    assert zoo.drift() == []
    refs = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").split()
    assert sorted(ref.split("/")[-1] for ref in refs) == sorted(rows(any_database))
    # Nothing is staged or committed, and what is taken back is taken back by the new names.
    assert zoo.git("diff", "--cached", "--name-only") == ""
    assert zoo.manage("migrate", "keepers", "0002").returncode == 0
    assert zoo.manage("rebasemigrations").stdout == "Nothing to rebase.\n"


def test_references_of_other_apps_and_of_squashes_follow(zoo: Project) -> None:
    other = zoo.folder / "zoo/houses"
    (other / "migrations").mkdir(parents=True)
    for folder in (other, other / "migrations"):
        (folder / "__init__.py").touch()
    settings = zoo.folder / "zoo/settings.py"
    settings.write_text(
        settings.read_text().replace('"zoo.keepers"', '"zoo.keepers", "zoo.houses"')
    )
    zoo.commit()
    two_branches(zoo)
    text = (
        "# -*- coding: latin-1 -*-\r\n# \xe4\xf6\r\nfrom django.db import migrations\r\n\r\n\r\n"
        "class Migration(migrations.Migration):\r\n"
        "    dependencies = [ ('keepers',   '0003_b'), ]  # 0003_b stays here: \xe4\r\n"
        "    run_before = [('keepers', '0004_c')]\r\n    operations = []\r\n"
    )
    (other / "migrations/0001_initial.py").write_bytes(text.encode("latin-1"))
    add(zoo, "0004_c", "0003_b")
    zoo.commit()
    zoo.git("merge", "-q", "main", "-m", "Merge")
    assert zoo.manage("rebasemigrations", "keepers", "--stage").returncode == 0
    expected = text.replace("'0003_b'", "'0004_b'").replace("0004_c", "0005_c")
    assert (other / "migrations/0001_initial.py").read_bytes() == expected.encode("latin-1")
    assert zoo.manage("checkmigrations").returncode == 0
    assert "R" in zoo.git("status", "--porcelain")


def test_a_merge_migration_that_is_no_longer_needed_goes(zoo: Project) -> None:
    two_branches(zoo)
    zoo.git("merge", "-q", "main", "-m", "Merge")
    merged = zoo.manage("makemigrations", "--merge", "--noinput")
    assert merged.returncode == 0, merged.stderr
    (merge,) = (name for name in names(zoo) if "merge" in name)
    add(zoo, "0005_c", merge)
    assert zoo.manage("migrate").returncode == 0
    assert zoo.manage("rebasemigrations", "keepers").returncode == 0
    assert names(zoo) == ["0001_initial", "0002_weight", "0003_a", "0004_b", "0005_c"]
    assert zoo.manage("checkmigrations").returncode == 0
    assert zoo.manage("migrate", "--check").returncode == 0
    assert zoo.drift() == []


def test_during_a_rebase_of_git_mine_is_what_git_calls_theirs(zoo: Project) -> None:
    (zoo.folder / "notes").write_text("one\n")
    zoo.commit()
    zoo.git("switch", "-q", "-c", "ana")
    add(zoo, "0002_a", "0001_initial")
    (zoo.folder / "notes").write_text("two\n")
    zoo.commit()
    zoo.git("switch", "-q", "main")
    add(zoo, "0002_weight", "0001_initial")
    (zoo.folder / "notes").write_text("three\n")
    zoo.commit("Ben")
    zoo.git("switch", "-q", "ana")
    assert zoo.run("git", "rebase", "main").returncode == 1
    done = zoo.manage("rebasemigrations")
    assert done.returncode == 0, done.stderr
    assert names(zoo) == ["0001_initial", "0002_weight", "0003_a"]


@pytest.mark.parametrize(
    ("mine", "theirs", "applied", "words"),
    [
        (FIELD.format("photo"), FIELD.format("photo"), False, "The sides of keepers are contrad"),
        ("migrations.RunPython(print)", FIELD.format("photo"), False, "--accept-unknown"),
    ],
)
def test_what_must_not_change_places_is_refused(
    zoo: Project, mine: str, theirs: str, applied: bool, words: str
) -> None:
    zoo.git("switch", "-q", "-c", "ana")
    zoo.write("0002_mine", "0001_initial", mine)
    zoo.commit()
    zoo.git("switch", "-q", "main")
    zoo.write("0002_theirs", "0001_initial", theirs)
    zoo.commit("Ben")
    zoo.git("switch", "-q", "ana")
    if applied:
        assert zoo.manage("migrate").returncode == 0
    zoo.git("merge", "-q", "main", "-m", "Merge")
    before = files(zoo)
    done = zoo.manage("rebasemigrations", "--noinput")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.endswith(" Nothing was changed.\n")
    assert files(zoo) == before
    if "--accept-unknown" in words:
        assert zoo.manage("rebasemigrations", "--accept-unknown").returncode == 0
        assert names(zoo) == ["0001_initial", "0002_theirs", "0003_mine"]


NULL = 'migrations.AlterField("keeper", "name", models.TextField(null=True))'
DEFAULT = 'migrations.AlterField("keeper", "name", models.TextField(default=""))'
SHORT = 'migrations.AlterField("keeper", "name", models.CharField(max_length=20))'


def order_dependent(zoo: Project, mine: str, theirs: str) -> None:
    """Both sides alter one field, mine is applied, and theirs is merged into my branch.

    0001 - 0002_mine     (on the branch ana, applied)
        \\- 0002_theirs   (on main)
    """
    zoo.git("switch", "-q", "-c", "ana")
    zoo.write("0002_mine", "0001_initial", mine)
    zoo.commit()
    zoo.git("switch", "-q", "main")
    zoo.write("0002_theirs", "0001_initial", theirs)
    zoo.commit("Ben")
    zoo.git("switch", "-q", "ana")
    assert zoo.manage("migrate").returncode == 0
    zoo.git("merge", "-q", "main", "-m", "Merge")


def test_where_the_order_matters_mine_runs_again_after_theirs(
    tmp_path: Path, any_database: Database
) -> None:
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    order_dependent(zoo, NULL, DEFAULT)
    any_database.rows("INSERT INTO keepers_keeper (name) VALUES ('Ana')")
    told = " ".join(zoo.manage("rebasemigrations", "--dry-run").stdout.split())
    assert (
        "In the database 'default' 0002_mine is taken back, and applied again after theirs: no "
        "data goes. 0002_theirs is applied first in the database 'default'."
    ) in told
    assert rows(any_database) == ["0001_initial", "0002_mine"]
    done = zoo.manage("rebasemigrations")
    assert done.returncode == 0, done.stderr
    assert names(zoo) == ["0001_initial", "0002_theirs", "0003_mine"]
    assert rows(any_database) == ["0001_initial", "0002_theirs", "0003_mine"]
    assert any_database.rows("SELECT name FROM keepers_keeper") == [("Ana",)]
    assert zoo.manage("migrate", "--check").returncode == 0
    assert zoo.drift() == []


def test_mine_does_not_run_again_where_data_could_go(zoo: Project) -> None:
    order_dependent(zoo, SHORT, DEFAULT)
    zoo.run(
        sys.executable,
        "-c",
        "import django; django.setup()\n"
        "from django.db import connection\n"
        "connection.cursor().execute(\"INSERT INTO keepers_keeper (name) VALUES ('Ana')\")",
    )
    before = files(zoo)
    done = zoo.manage("rebasemigrations")
    assert done.returncode == 1
    assert (
        "In the database 'default' yours ran first (0002_mine), so that it would differ from all "
        "others for good, and they cannot be taken back and applied again: The type of "
        "keepers_keeper.name, which has data, would change back and forth. Nothing was changed."
    ) in done.stderr
    assert files(zoo) == before


def test_what_is_to_run_again_is_put_back_where_a_later_step_fails(zoo: Project) -> None:
    order_dependent(zoo, NULL, DEFAULT)
    before = files(zoo)
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "import shelter.versioning.repair.carrying_out as c\n"
        "def fail(*a): raise OSError('the disk is full')\n"
        "c.rename_rows = fail\n"
        "call_command('rebasemigrations')\n"
    )
    done = zoo.run(sys.executable, "-c", script)
    assert "the disk is full" in done.stderr
    assert files(zoo) == before
    shown = zoo.manage("showmigrations", "keepers").stdout
    assert "[X] 0002_mine" in shown
    assert "[X] 0002_theirs" in shown


def test_which_side_is_mine_is_never_guessed(zoo: Project) -> None:
    zoo.git("branch", "-m", "work")
    add(zoo, "0002_a", "0001_initial")
    add(zoo, "0002_b", "0001_initial")
    told = zoo.manage("rebasemigrations")
    assert told.returncode == 1
    assert "python manage.py rebasemigrations --onto REF" in told.stderr
    told = zoo.manage("rebasemigrations", "--onto", "work")
    assert "Your side has not one leaf in keepers but 2 (0002_a, 0002_b)" in told.stderr
    told = zoo.manage("rebasemigrations", "--onto", "nowhere")
    assert told.returncode == 2
    assert "There is no commit 'nowhere' here." in told.stderr
    zoo.commit()
    told = zoo.manage("rebasemigrations", "--onto", "work")
    assert told.returncode == 1
    assert "Every migration of keepers is in work too" in told.stderr
    assert zoo.manage("rebasemigrations", "nosuchapp").returncode == 2


@pytest.mark.parametrize("answer", ["1", "trunk"])
def test_on_a_terminal_it_asks_which_side_is_mine(zoo: Project, answer: str) -> None:
    zoo.git("branch", "-m", "trunk")
    zoo.git("switch", "-q", "-c", "ana")
    add(zoo, "0002_a", "0001_initial")
    zoo.commit()
    zoo.git("switch", "-q", "trunk")
    add(zoo, "0002_b", "0001_initial")
    zoo.commit("Ben")
    zoo.git("switch", "-q", "ana")
    zoo.git("merge", "-q", "trunk", "-m", "Merge")
    zoo.git("branch", "other", "HEAD~1")
    before = files(zoo)
    none = zoo.typed("\n", "rebasemigrations")
    assert none.returncode == 1
    assert "  1  other\n  2  trunk\n" in none.stderr
    assert files(zoo) == before
    assert zoo.typed(f"{answer}\n", "rebasemigrations", "--noinput").returncode == 1
    assert files(zoo) == before
    zoo.git("branch", "-D", "other")
    done = zoo.typed(f"{answer}\n", "rebasemigrations")
    assert done.returncode == 0, done.stderr
    assert names(zoo) == ["0001_initial", "0002_b", "0003_a"]


def test_a_part_of_mine_that_theirs_cannot_come_after_is_taken_back_first(
    tmp_path: Path, any_database: Database
) -> None:
    """The whole sides may change places; after 0003_delete alone, 0003_index has no table.

    0001 - 0002_house - 0003_index                        (main)
                     \\- 0003_delete - 0004_house - 0005_index   (mine; 0003_delete is applied)
    """
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    house = (
        'migrations.CreateModel("House", [("id", models.BigAutoField(primary_key=True)), '
        '("a", models.CharField(max_length=9, null=True))])'
    )
    index = (
        'migrations.AlterField("house", "a", '
        "models.CharField(max_length=9, null=True, db_index=True))"
    )
    zoo.write("0002_house", "0001_initial", house)
    zoo.commit()
    zoo.git("switch", "-q", "-c", "mine")
    zoo.write("0003_delete", "0002_house", 'migrations.DeleteModel("House")')
    assert zoo.manage("migrate").returncode == 0
    zoo.write("0004_house", "0003_delete", house)
    zoo.write("0005_index", "0004_house", index)
    zoo.commit()
    zoo.git("switch", "-q", "main")
    zoo.write("0003_index", "0002_house", index)
    zoo.commit("Ben")
    zoo.git("switch", "-q", "mine")
    zoo.git("merge", "-q", "main", "-m", "Merge")
    # A branch at the same commit does not hide main.
    zoo.git("branch", "another", "main")
    done = zoo.manage("rebasemigrations")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "0003_delete is taken back, and applied again after theirs: no data goes." in said
    assert names(zoo) == [
        "0001_initial",
        "0002_house",
        "0003_index",
        "0004_delete",
        "0005_house",
        "0006_index",
    ]
    assert rows(any_database) == ["0001_initial", "0002_house", "0003_index", "0004_delete"]
    assert zoo.manage("migrate").returncode == 0
    assert zoo.drift() == []


def test_what_fails_half_way_is_put_back(zoo: Project) -> None:
    two_branches(zoo)
    assert zoo.manage("migrate").returncode == 0
    zoo.git("merge", "-q", "main", "-m", "Merge")
    before = files(zoo)
    # The last row cannot be renamed.
    script = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "import shelter.versioning.repair.carrying_out as c\n"
        "def fail(*a): raise OSError('the disk is full')\n"
        "c.rename_rows = fail\n"
        "call_command('rebasemigrations')\n"
    )
    done = zoo.run(sys.executable, "-c", script)
    assert "the disk is full" in done.stderr
    assert files(zoo) == before
    assert zoo.git("status", "--porcelain") == ""
    assert not (zoo.folder / ".git/versioning-rebase.json").exists()


def test_what_is_killed_half_way_is_finished_by_the_next_call(zoo: Project) -> None:
    two_branches(zoo)
    assert zoo.manage("migrate").returncode == 0
    zoo.git("merge", "-q", "main", "-m", "Merge")
    script = (
        "import os, django; django.setup()\n"
        "from django.core.management import call_command\n"
        "import shelter.versioning.repair.carrying_out as c\n"
        "c.rename_rows = lambda *a: os.kill(os.getpid(), 9)\n"
        "call_command('rebasemigrations')\n"
    )
    killed = zoo.run(sys.executable, "-c", script)
    assert killed.returncode == -9
    done = zoo.manage("rebasemigrations", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "A rebase that was interrupted has been finished." in done.stderr
    assert json.loads(done.stdout)["findings"] == []
    assert names(zoo) == ["0001_initial", "0002_weight", "0003_a", "0004_b"]
    assert zoo.manage("migrate", "--check").returncode == 0
    assert zoo.drift() == []


def test_locks_that_a_killed_git_left_on_our_refs_are_in_nobodys_way(zoo: Project) -> None:
    two_branches(zoo)
    assert zoo.manage("migrate").returncode == 0
    zoo.git("merge", "-q", "main", "-m", "Merge")
    (folder,) = (zoo.folder / ".git/refs/versioning").glob("*/keepers")
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["0001_initial", "0002_a", "0003_b"]
    for name in ("0002_a", "0003_b", "0003_a", "0004_b"):
        (folder / f"{name}.lock").touch()
    done = zoo.manage("rebasemigrations")
    assert (done.returncode, "kept in git" in done.stderr) == (0, False), done.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "0001_initial",
        "0002_weight",
        "0003_a",
        "0004_b",
    ]


def test_what_is_half_done_is_named(tmp_path: Path, any_database: Database) -> None:
    """
    0001 - 0002_a        (mine, applied)
        \\- 0002_weight   (theirs, stopped where nobody knows what ran)
    """
    zoo = make_project(tmp_path / "zoo", any_database.settings)
    zoo.git("switch", "-q", "-c", "ana")
    add(zoo, "0002_a", "0001_initial")
    zoo.commit()
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "main")
    zoo.write_stopping("0002_weight", "0001_initial")
    zoo.commit("Ben")
    zoo.git("switch", "-q", "ana")
    zoo.git("merge", "-q", "main", "-m", "Merge")
    before = files(zoo)
    assert zoo.manage("rebasemigrations", "--accept-unknown").returncode == 9
    done = zoo.manage("rebasemigrations", "--accept-unknown")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "CommandError: keepers.0002_weight is half done in the database 'default', and cannot be "
        "carried on: what was running when it was stopped may have run or not. What ran, and how "
        "to go on: python manage.py dbstatus\n"
    )
    assert "Traceback" not in done.stderr
    assert files(zoo) == before
    assert rows(any_database) == ["0001_initial", "0002_a"]
    assert "versioning.W014" in zoo.manage("dbstatus").stdout
