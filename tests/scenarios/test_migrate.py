"""migrate as deployers meet it: real commands, on every database."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.databases import Database
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

ADD_TEXT = 'migrations.AddField("keeper", "{}", models.TextField(null=True))'
SLOW = """
def work(apps, schema_editor):
    import time
    from pathlib import Path

    Path("working").touch()
    while Path("hold").exists():
        time.sleep(0.02)
    apps.get_model("keepers", "Keeper").objects.using(schema_editor.connection.alias).create(
        name="made by the migration"
    )
"""


@pytest.fixture
def zoo(tmp_path: Path, any_database: Database) -> Project:
    return make_project(tmp_path / "zoo", any_database.settings)


def write_python(zoo: Project, name: str, parent: str, body: str, *, atomic: bool) -> None:
    (zoo.migrations / f"{name}.py").write_text(
        f"from django.db import migrations\n\n{body}\n\n"
        "class Migration(migrations.Migration):\n"
        f"    atomic = {atomic}\n"
        f'    dependencies = [("keepers", "{parent}")]\n'
        "    operations = [migrations.RunPython(work, migrations.RunPython.noop)]\n"
    )


def start(zoo: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "django", "migrate", *arguments],
        cwd=zoo.folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(zoo.folder),
            "DJANGO_SETTINGS_MODULE": "zoo.settings",
            "PYTHONPATH": os.pathsep.join([str(zoo.folder), str(Path(__file__).parents[2])]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def applied(database: Database) -> list[str]:
    rows = database.rows("SELECT name FROM django_migrations WHERE app = 'keepers' ORDER BY id")
    return [name for (name,) in rows]


def ledger(database: Database, columns: str = "name, outcome") -> list[tuple[object, ...]]:
    return database.rows(f"SELECT {columns} FROM versioning_ledger ORDER BY id")


def test_deployers_at_once_apply_each_migration_once(zoo: Project, any_database: Database) -> None:
    write_python(zoo, "0002_work", "0001_initial", SLOW, atomic=False)
    deployers = [start(zoo) for _ in range(4)]
    answers = [deployer.communicate(timeout=60) for deployer in deployers]
    assert [deployer.returncode for deployer in deployers] == [0] * 4, answers
    assert applied(any_database) == ["0001_initial", "0002_work"]
    assert any_database.rows("SELECT name FROM keepers_keeper") == [("made by the migration",)]
    assert ledger(any_database) == [("0001_initial", "applied"), ("0002_work", "applied")]
    idle = sum("No migrations to apply." in out for out, _ in answers)
    assert idle == 3
    assert not list(zoo.folder.parent.rglob("*.migrating"))


def test_who_waits_is_told_for_whom_and_gives_up_in_the_end(
    zoo: Project, any_database: Database
) -> None:
    write_python(zoo, "0002_work", "0001_initial", SLOW, atomic=True)
    (zoo.folder / "hold").touch()
    holder = start(zoo)
    wait_for((zoo.folder / "working").exists)
    told = zoo.manage("migrate", "--lock-timeout", "0.2")
    assert told.returncode == 2
    assert "Another migrate is at work on the database 'default' (" in told.stderr
    assert "Another migrate holds the lock of the database 'default'" in told.stderr
    assert "python manage.py migrate --lock-timeout 600" in told.stderr
    assert "Traceback" not in told.stderr
    if any_database.vendor != "mariadb":
        # MariaDB tells a connection's number and where it comes from, and no process of there.
        assert str(holder.pid) in told.stderr
    # Reading takes no lock, and sees nothing yet of a transaction.
    assert zoo.manage("migrate", "--check").returncode == 1
    (zoo.folder / "hold").unlink()
    assert holder.wait(timeout=20) == 0
    holder.communicate()


def test_a_holder_that_is_killed_blocks_nobody(zoo: Project, any_database: Database) -> None:
    write_python(zoo, "0002_work", "0001_initial", SLOW, atomic=True)
    (zoo.folder / "hold").touch()
    holder = start(zoo)
    wait_for((zoo.folder / "working").exists)
    os.killpg(holder.pid, signal.SIGKILL)
    holder.communicate()
    (zoo.folder / "hold").unlink()
    done = zoo.manage("migrate", "--lock-timeout", "10")
    assert done.returncode == 0, done.stderr
    assert any_database.rows("SELECT name FROM keepers_keeper") == [("made by the migration",)]
    assert applied(any_database) == ["0001_initial", "0002_work"]
    assert Counter(ledger(any_database)) == Counter(
        [("0001_initial", "applied"), ("0002_work", "applied")]
    )


def test_the_ledger_says_what_ran_from_which_commit(zoo: Project, any_database: Database) -> None:
    assert zoo.manage("migrate").returncode == 0
    (zoo.folder / "zoo/keepers/models.py").write_text("# changed, and not committed\n")
    zoo.write("0002_b", "0001_initial", ADD_TEXT.format("b"))
    assert zoo.manage("migrate").returncode == 0
    assert zoo.manage("migrate", "keepers", "0001").returncode == 0
    assert zoo.manage("migrate", "keepers", "0002", "--fake").returncode == 0
    assert zoo.manage("migrate", "keepers", "0001", "--fake").returncode == 0
    commit = zoo.git("rev-parse", "HEAD").strip()
    one, two = (
        zoo.git("hash-object", f"zoo/keepers/migrations/{name}.py").strip()
        for name in ("0001_initial", "0002_b")
    )
    columns = "name, outcome, git_blob, git_branch, git_dirty, django_version"
    entries = ledger(any_database, columns)
    version = entries[0][-1]
    assert [(*entry[:4], bool(entry[4]), entry[5]) for entry in entries] == [
        ("0001_initial", "applied", one, "main", False, version),
        ("0002_b", "applied", two, "main", True, version),
        ("0002_b", "unapplied", two, "main", True, version),
        ("0002_b", "faked", two, "main", True, version),
        ("0002_b", "forgotten", two, "main", True, version),
    ]
    facts = any_database.rows(
        "SELECT DISTINCT git_commit, os_user <> '', host <> '' FROM versioning_ledger"
    )
    assert facts == [(commit, True, True)]
    durations = any_database.rows("SELECT min(duration), max(duration) FROM versioning_ledger")
    assert 0 <= durations[0][0] <= durations[0][1] < 60


def test_the_code_of_what_is_applied_is_kept_in_git(zoo: Project, any_database: Database) -> None:
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "-c", "photos")
    zoo.add_field("photo")
    zoo.commit()
    path = zoo.migrations / "0002_keeper_photo.py"
    source = path.read_text()
    assert zoo.manage("migrate").returncode == 0
    # Whatever becomes of the branch:
    zoo.git("switch", "-q", "main")
    zoo.git("branch", "-q", "-D", "photos")
    zoo.git("reflog", "expire", "--expire=now", "--all")
    zoo.git("gc", "-q", "--prune=now")
    refs = zoo.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/versioning")
    kept = dict(line.split(" ") for line in refs.splitlines())
    names = {ref.split("/", 3)[3]: blob for ref, blob in kept.items()}
    assert set(names) == {"keepers/0001_initial", "keepers/0002_keeper_photo"}
    assert zoo.git("cat-file", "blob", names["keepers/0002_keeper_photo"]) == source
    path.write_text(source)
    assert zoo.manage("migrate", "keepers", "0001").returncode == 0
    left = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").split()
    assert [ref.split("/", 3)[3] for ref in left] == ["keepers/0001_initial"]


def test_without_git_all_else_works(zoo: Project, any_database: Database) -> None:
    (zoo.folder / ".git").rename(zoo.folder / "no-git")
    done = zoo.manage("migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert any_database.rows("SELECT git_branch, git_dirty FROM versioning_ledger") == [("", None)]


def test_a_database_older_than_its_ledger_is_told_so(zoo: Project, any_database: Database) -> None:
    assert zoo.manage("migrate").returncode == 0
    any_database.rows("DROP TABLE versioning_ledger")
    done = zoo.manage("migrate")
    assert done.returncode == 0
    assert "The ledger begins. The 1 migrations applied before it are noted as unknown" in (
        done.stderr
    )
    assert zoo.manage("dumpdata").returncode == 0
    zoo.add_field("photo")
    assert zoo.manage("migrate").stderr == ""
    assert ledger(any_database, "name, outcome, git_blob = ''") == [
        ("0001_initial", "unknown", True),
        ("0002_keeper_photo", "applied", False),
    ]


BREAKS = (
    "def work(apps, schema_editor):\n"
    "    from pathlib import Path\n"
    '    if Path("broken").exists():\n'
    '        raise ValueError("broken")\n'
)


def test_a_stop_between_operations_is_carried_on(zoo: Project, any_database: Database) -> None:
    """Three operations without a transaction; the second one raises the first time."""
    (zoo.migrations / "0002_steps.py").write_text(
        f"from django.db import migrations, models\n\n{BREAKS}\n\n"
        "class Migration(migrations.Migration):\n"
        "    atomic = False\n"
        '    dependencies = [("keepers", "0001_initial")]\n'
        f"    operations = [{ADD_TEXT.format('one')},\n"
        "        migrations.RunPython(work, atomic=True),\n"
        f"        {ADD_TEXT.format('two')}]\n"
    )
    (zoo.folder / "broken").touch()
    broken = zoo.manage("migrate")
    assert broken.returncode == 1
    assert "ValueError: broken" in broken.stderr
    assert ledger(any_database) == [("0001_initial", "applied"), ("0002_steps", "started")]
    progress = json.loads(str(ledger(any_database, "progress")[1][0]))
    assert (progress["done"], progress["statements"], progress["running"]) == (1, [], "")
    (finding,) = zoo.told("versioning.W014")
    assert finding["next"] == ["python manage.py migrate"]
    (zoo.folder / "broken").unlink()
    done = zoo.manage("migrate")
    assert done.returncode == 0, done.stderr
    assert "INFO versioning.I003" in done.stderr
    assert "1 of 3 operations ran (Add field one to keeper)." in " ".join(done.stderr.split())
    assert ledger(any_database, "name, outcome, progress") == [
        ("0001_initial", "applied", ""),
        ("0002_steps", "applied", ""),
    ]
    assert any_database.rows("SELECT one, two FROM keepers_keeper") == []
    assert zoo.drift() == []


def test_a_stop_inside_an_operation_is_named(zoo: Project, any_database: Database) -> None:
    """The second operation defines one table, and then fails."""
    sql = '["CREATE TABLE half (id int)", "CREATE TABLE half (id int)"]'
    (zoo.migrations / "0002_steps.py").write_text(
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    atomic = False\n"
        '    dependencies = [("keepers", "0001_initial")]\n'
        f"    operations = [{ADD_TEXT.format('one')},\n"
        f"        migrations.RunSQL({sql}),\n"
        f"        {ADD_TEXT.format('two')}]\n"
    )
    assert zoo.manage("migrate").returncode == 1
    again = zoo.manage("migrate")
    assert again.returncode == 1
    said = " ".join(again.stderr.split())
    assert "ERROR versioning.W014" in said
    assert "1 of 3 operations ran (Add field one to keeper)." in said
    assert "Of it ran: CREATE TABLE half (id int)." in said
    assert "It may have run: CREATE TABLE half (id int)." in said
    assert "Did not run: Add field two to keeper." in said
    assert "python manage.py migrate keepers 0002_steps --fake" in said
    assert "Nothing was migrated: 1 finding. --no-gate migrates all the same." in said
    assert "Traceback" not in said
    assert zoo.manage("dbstatus", "--check").returncode == 1
    # A person finishes it, and records it.
    text = "longtext" if any_database.vendor == "mariadb" else "text"
    any_database.rows(f"ALTER TABLE keepers_keeper ADD COLUMN two {text} NULL")
    assert zoo.manage("migrate", "keepers", "0002", "--fake").returncode == 0
    assert ledger(any_database)[1:] == [("0002_steps", "faked")]
    assert zoo.manage("migrate").returncode == 0
    assert zoo.drift() == []
    assert [found["message"] for found in zoo.told("versioning.I004", "--drift")] == [
        "Not in the migrations' state, in the database 'default': table half is in no migration."
    ]


def test_what_was_being_taken_back_is_carried_on_by_the_same_command(
    zoo: Project, any_database: Database
) -> None:
    zoo.write(
        "0002_steps",
        "0001_initial",
        f"migrations.RunPython(migrations.RunPython.noop, work, atomic=True), "
        f"{ADD_TEXT.format('one')}",
        atomic=False,
    )
    steps = zoo.migrations / "0002_steps.py"
    steps.write_text(f"{BREAKS}\n\n{steps.read_text()}")
    assert zoo.manage("migrate").returncode == 0
    (zoo.folder / "broken").touch()
    assert "ValueError: broken" in zoo.manage("migrate", "keepers", "0001").stderr
    (finding,) = zoo.told("versioning.W014")
    assert finding["next"] == ["python manage.py migrate keepers 0001_initial"]
    (zoo.folder / "broken").unlink()
    done = zoo.manage(*finding["next"][0].split()[2:])
    assert done.returncode == 0, done.stderr
    assert "INFO versioning.I003" in done.stderr
    assert ledger(any_database)[-1] == ("0002_steps", "unapplied")
    assert zoo.manage("migrate").returncode == 0
    assert zoo.drift() == []


def test_leaves_that_conflict_are_explained(zoo: Project, any_database: Database) -> None:
    assert zoo.manage("migrate").returncode == 0
    zoo.add_field("photo")
    zoo.add_field("weight")
    done = zoo.manage("migrate")
    assert done.returncode == 1
    assert "WARNING versioning.W001" in done.stderr
    assert "Verdict: independent." in done.stderr
    assert "CommandError: Conflicting migrations detected" in done.stderr
    assert applied(any_database) == ["0001_initial"]


def test_rows_that_do_not_hang_together_are_named(zoo: Project, any_database: Database) -> None:
    zoo.add_field("photo")
    assert zoo.manage("migrate").returncode == 0
    any_database.rows("DELETE FROM django_migrations WHERE name = '0001_initial'")
    done = zoo.manage("migrate")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "ERROR versioning.W013" in said
    assert "keepers.0002_keeper_photo is applied in the database 'default', since" in said
    assert "Traceback" not in said
    command = "migrate keepers 0001_initial --no-gate --fake"
    assert f"python manage.py {command}" in said
    mended = zoo.manage(*command.split())
    assert mended.returncode == 0, mended.stderr
    assert zoo.manage("migrate").returncode == 0


def test_an_edited_migration_is_not_taken_back(zoo: Project, any_database: Database) -> None:
    zoo.add_field("photo")
    assert zoo.manage("migrate").returncode == 0
    path = zoo.migrations / "0002_keeper_photo.py"
    source = path.read_text()
    # Formatting is no edit.
    path.write_text(f"# A comment.\n\n{source}")
    assert "W012" not in zoo.manage("migrate", "keepers", "0001", "--plan").stderr
    path.write_text(source.replace("photo", "picture"))
    done = zoo.manage("migrate", "keepers", "0001")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "ERROR versioning.W012" in said
    assert "was edited after it was applied" in said
    blob = ledger(any_database, "git_blob")[1][0]
    command = f"git cat-file blob {blob} > zoo/keepers/migrations/0002_keeper_photo.py"
    assert command in said
    assert zoo.run("sh", "-c", command).returncode == 0
    assert path.read_text() == source
    assert zoo.manage("migrate", "keepers", "0001").returncode == 0
    assert applied(any_database) == ["0001_initial"]


@pytest.mark.parametrize("nullable", [True, False])
def test_ghosts_are_told_and_stop_what_they_would_break(
    zoo: Project, any_database: Database, nullable: bool
) -> None:
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "-c", "photos")
    field = f"models.CharField(max_length=5, {'null=True' if nullable else 'default=chr(32)'})"
    zoo.write("0002_photo", "0001_initial", f'migrations.AddField("keeper", "photo", {field})')
    zoo.commit()
    assert zoo.manage("migrate").returncode == 0
    zoo.git("switch", "-q", "main")
    zoo.add_field("weight")
    done = zoo.manage("migrate")
    said = " ".join(done.stderr.split())
    assert "keepers.0002_photo is applied in the database 'default', and in no file of" in said
    commit = zoo.git("rev-parse", "photos")[:10]
    assert (
        f"0002_photo came from photos (commit {commit} of Ana <ana@example.org>) and was applied on"
    ) in said
    assert "git switch photos" in said
    if nullable and any_database.vendor == "sqlite":
        assert done.returncode == 1
        assert "keepers_keeper.photo could be lost: SQLite makes a table anew when" in said
        assert applied(any_database)[-1] == "0002_photo"
    elif nullable:
        assert done.returncode == 0
        assert "WARNING versioning.W010" in said
        assert applied(any_database)[-1] == "0002_keeper_weight"
    else:
        assert done.returncode == 1
        assert "ERROR versioning.W011" in said
        assert "keepers_keeper.photo may not be NULL and has no default" in said
        assert applied(any_database)[-1] == "0002_photo"
        assert zoo.manage("migrate", "--no-gate").returncode == 0


def test_a_database_that_does_not_answer_is_no_traceback(tmp_path: Path) -> None:
    nowhere = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": 1,
        "NAME": "nowhere",
    }
    zoo = make_project(tmp_path / "zoo")
    settings = zoo.folder / "zoo/settings.py"
    settings.write_text(f"{settings.read_text()}\nDATABASES = {{'default': {nowhere!r}}}\n")
    for command in ("migrate", "dbstatus"):
        done = zoo.manage(command)
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
    folder = {"ENGINE": "django.db.backends.sqlite3", "NAME": "missing/zoo.sqlite3"}
    settings.write_text(f"{settings.read_text()}\nDATABASES = {{'default': {folder!r}}}\n")
    done = zoo.manage("migrate")
    assert done.returncode == 2
    assert "The database 'default' does not answer, so that nothing was migrated" in done.stderr


def test_readers_do_not_wait_behind_a_migration_that_waits(
    zoo: Project, any_database: Database
) -> None:
    if any_database.vendor == "sqlite":
        pytest.skip("a reader of SQLite holds no lock that a writer waits for")
    assert zoo.manage("migrate").returncode == 0
    zoo.add_field("photo")
    with closing(any_database.connect()) as reader:
        cursor = reader.cursor()
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM keepers_keeper")
        migrating = start(zoo, "--table-lock-timeout", "1")
        assert migrating.stderr is not None
        # The first try is over, and said so.
        while "A lock was not free for 1 s" not in (line := migrating.stderr.readline()):
            assert migrating.poll() is None, line
        begun = time.monotonic()
        any_database.rows("SELECT count(*) FROM keepers_keeper")
        assert time.monotonic() - begun < 10
        cursor.execute("COMMIT")
    assert migrating.wait(timeout=40) == 0
    migrating.communicate()
    assert applied(any_database) == ["0001_initial", "0002_keeper_photo"]
    assert ledger(any_database)[-1] == ("0002_keeper_photo", "applied")


def test_an_index_is_made_concurrently_while_another_migrate_waits(
    zoo: Project, any_database: Database
) -> None:
    """Who waits for the lock must hold no snapshot: making the index would wait for it for ever."""
    if any_database.vendor != "postgresql":
        pytest.skip("PostgreSQL alone makes indexes concurrently")
    write_python(zoo, "0002_work", "0001_initial", SLOW, atomic=True)
    (zoo.migrations / "0003_index.py").write_text(
        "from django.contrib.postgres.operations import AddIndexConcurrently\n"
        "from django.db import migrations, models\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    atomic = False\n"
        '    dependencies = [("keepers", "0002_work")]\n'
        '    operations = [AddIndexConcurrently("keeper", models.Index(fields=["name"], '
        'name="by_name"))]\n'
    )
    (zoo.folder / "hold").touch()
    first = start(zoo)
    wait_for((zoo.folder / "working").exists)
    second = start(zoo)
    assert second.stderr is not None
    assert "Another migrate is at work" in second.stderr.readline()
    (zoo.folder / "hold").unlink()
    assert (first.wait(timeout=30), second.wait(timeout=30)) == (0, 0)
    first.communicate()
    second.communicate()
    assert applied(any_database) == ["0001_initial", "0002_work", "0003_index"]


def test_each_database_of_a_project_has_its_own_ledger_and_lock(tmp_path: Path) -> None:
    zoo = make_project(tmp_path / "zoo")
    settings = zoo.folder / "zoo/settings.py"
    settings.write_text(
        f"{settings.read_text()}\n"
        'DATABASES["other"] = {**DATABASES["default"], "NAME": "other.sqlite3"}\n'
        'DATABASE_ROUTERS = ["zoo.settings.Router"]\n\n\n'
        "class Router:\n"
        "    def allow_migrate(self, db, app_label, **hints):\n"
        '        return db == "default"\n'
    )
    zoo.add_field("photo")
    (zoo.folder / "other.sqlite3.migrating").write_text("")
    assert zoo.manage("migrate").returncode == 0
    done = zoo.manage("migrate", "--database", "other", "keepers", "0001")
    assert done.returncode == 0, done.stderr
    names = {}
    for name in ("zoo", "other"):
        with closing(sqlite3.connect(zoo.folder / f"{name}.sqlite3")) as connection:
            rows = connection.execute("SELECT name FROM versioning_ledger ORDER BY id")
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'keep%'")
            names[name] = [name for (name,) in rows], [name for (name,) in tables]
    assert names == {
        "zoo": (["0001_initial", "0002_keeper_photo"], ["keepers_keeper"]),
        # The router keeps the tables out; the rows say what was gone through.
        "other": (["0001_initial"], []),
    }
    assert zoo.drift("--database", "other") == []
    refs = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").split()
    assert len(refs) == 3
    assert len({ref.split("/")[2] for ref in refs}) == 2


def test_options_that_are_no_seconds_are_refused(tmp_path: Path) -> None:
    zoo = make_project(tmp_path / "zoo")
    for value in ("-1", "soon", "inf", "nan"):
        done = zoo.manage("migrate", f"--lock-timeout={value}")
        assert done.returncode == 2
        assert f"'{value}' is no number of seconds." in done.stderr


def test_a_lock_that_a_killed_git_left_is_taken_away(zoo: Project, any_database: Database) -> None:
    assert zoo.manage("migrate").returncode == 0
    ref = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").strip()
    zoo.add_field("photo")
    left = zoo.folder / ".git" / ref.replace("0001_initial", "0002_keeper_photo.lock")
    left.write_text("")
    done = zoo.manage("migrate")
    assert (done.returncode, done.stderr) == (0, "")
    refs = zoo.git("for-each-ref", "--format=%(refname)", "refs/versioning").split()
    assert len(refs) == 2


def test_a_terminal_shows_how_far_it_is(zoo: Project, any_database: Database) -> None:
    zoo.write(
        "0002_age",
        "0001_initial",
        'migrations.AddField("keeper", "age", models.IntegerField(null=True))',
    )
    assert zoo.manage("migrate").returncode == 0
    any_database.rows("INSERT INTO keepers_keeper (name) VALUES ('a'), ('b'), ('c')")
    (zoo.migrations / "0003_fill.py").write_text(
        "from django.db import migrations, models\n"
        "from shelter.versioning.operations import BatchedUpdate\n\n\n"
        "class Migration(migrations.Migration):\n"
        "    atomic = False\n"
        '    dependencies = [("keepers", "0002_age")]\n'
        '    operations = [BatchedUpdate("keeper", {"age": 1}, models.Q(age__isnull=True), '
        "batch_size=1, pause=0.2)]\n"
    )
    zoo.write("0004_b", "0003_fill", ADD_TEXT.format("b"))
    terminal, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    done = subprocess.Popen(
        [sys.executable, "-m", "django", "migrate"],
        cwd=zoo.folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(zoo.folder),
            "TERM": "xterm",
            "DJANGO_SETTINGS_MODULE": "zoo.settings",
            "PYTHONPATH": os.pathsep.join([str(zoo.folder), str(Path(__file__).parents[2])]),
        },
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        # The terminal ends with an error when its last process does.
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert done.wait() == 0, shown
    text = shown.decode()
    assert "1 of 2, " in text
    assert "2 of 2, " in text
    assert "Fill age on keeper in batches" in text
    assert "2.00/3.00" in text
    assert any_database.rows("SELECT DISTINCT age FROM keepers_keeper") == [(1,)]
