"""How `migrate` holds out: deployers at once, kills, long readers, a backfill; and its cost.

Every part runs on each database that is here, in a small project of its own, with whole processes.
`python -m bench.deploying [part…]` runs the parts named, or all of them.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.databases import SERVERS, Database, database_of, missing_servers
from tests.versioning.projects import Project, make_project

ROOT = Path(__file__).resolve().parent.parent

# Each deployer would insert its row if it did not find the migration applied.
_INSERT = """
def work(apps, schema_editor):
    import time

    keepers = apps.get_model("keepers", "Keeper").objects.using(schema_editor.connection.alias)
    time.sleep(0.05)
    keepers.create(name="{name}")
"""


@contextmanager
def _zoo(vendor: str) -> Iterator[tuple[Project, Database]]:
    with (
        tempfile.TemporaryDirectory(prefix="deploying-") as folder,
        database_of(vendor, Path(folder)) as database,
    ):
        yield make_project(Path(folder) / "zoo", database.settings), database


def _environment(zoo: Project) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(zoo.folder),
        "DJANGO_SETTINGS_MODULE": "zoo.settings",
        "PYTHONPATH": os.pathsep.join([str(zoo.folder), str(ROOT)]),
    }


def _start(zoo: Project, *arguments: str, django: bool = False) -> subprocess.Popen[str]:
    # Django's own command, in the very same project.
    code = (
        "import sys, django, django.core.management as m\n"
        "django.setup()\n"
        "commands = m.get_commands()\n"
        "assert commands['migrate'] == 'shelter.versioning'\n"
        + ("commands['migrate'] = 'django.core'\n" if django else "")
        + "m.execute_from_command_line(['manage.py', 'migrate', *sys.argv[1:]])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=zoo.folder,
        env=_environment(zoo),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _code_migration(zoo: Project, name: str, parent: str) -> None:
    (zoo.migrations / f"{name}.py").write_text(
        f"from django.db import migrations\n\n{_INSERT.format(name=name)}\n\n"
        "class Migration(migrations.Migration):\n"
        "    atomic = False\n"
        f'    dependencies = [("keepers", "{parent}")]\n'
        "    operations = [migrations.RunPython(work, migrations.RunPython.noop)]\n"
    )


# --- Parts ---------------------------------------------------------------------------------------


def deployers(vendor: str, *, rounds: int = 50, count: int = 8) -> str:
    """Eight deployers at once: each exits 0, each migration runs once, the ledger agrees."""
    seconds = []
    with _zoo(vendor) as (zoo, database):
        parent = "0001_initial"
        for number in range(2, rounds + 2):
            name = f"{number:04}_round"
            _code_migration(zoo, name, parent)
            parent = name
            begun = time.perf_counter()
            running = [_start(zoo) for _ in range(count)]
            answers = [process.communicate() for process in running]
            seconds.append(time.perf_counter() - begun)
            wrong = [a for a, p in zip(answers, running, strict=True) if p.returncode]
            assert not wrong, wrong[0]
            expected = [(f"{n:04}_round",) for n in range(2, number + 1)]
            assert database.rows("SELECT name FROM keepers_keeper ORDER BY id") == expected
            applied = [("0001_initial",), *expected]
            for table in ("django_migrations WHERE app = 'keepers'", "versioning_ledger"):
                assert database.rows(f"SELECT name FROM {table} ORDER BY id") == applied, table
    return f"{rounds} rounds of {count} deployers, {statistics.median(seconds):.1f} s a round"


_FIELDS = 12


def kills(vendor: str, *, count: int = 200) -> str:
    """Kill a deployer at random instants; the next run carries on, no row is lost, no drift."""
    chance = random.Random(1)
    with _zoo(vendor) as (zoo, database):
        assert _start(zoo).wait() == 0
        database.rows(_THREE)
        parent = "0001_initial"
        for number in range(2, _FIELDS + 2):
            name = f"{number:04}_step"
            field = (
                f'migrations.AddField("keeper", "f{number}", '
                "models.IntegerField(null=True, db_index=True)), "
                f'migrations.AddField("keeper", "g{number}", models.TextField(default="x"))'
            )
            zoo.write(name, parent, field)
            parent = name
        begun = time.perf_counter()
        assert _start(zoo).wait() == 0
        whole = time.perf_counter() - begun
        named = interrupted = 0
        for number in range(count):
            if number % 50 == 49:
                # PostgreSQL counts dropped columns too, and has no more than 1600.
                _make_anew(zoo, database)
            assert _start(zoo, "keepers", "0001").wait() == 0
            running = _start(zoo)
            try:
                running.wait(chance.uniform(0.3, 1.05) * whole)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
            running.communicate()
            interrupted += running.returncode == -signal.SIGKILL
            carried_on = _start(zoo)
            _, said = carried_on.communicate()
            if carried_on.returncode:
                # Where each statement is committed by itself; a person finishes it, here all anew.
                assert vendor == "mariadb", said
                assert "versioning.W014" in said, said
                named += 1
                _make_anew(zoo, database)
            rows = database.rows("SELECT name FROM keepers_keeper ORDER BY id")
            assert rows == [("a",), ("b",), ("c",)], rows
            drift = zoo.drift()
            assert drift == [], drift
    return (
        f"{count} runs, {interrupted} of them killed: {interrupted - named} carried on, "
        f"{named} half done and named"
    )


_THREE = "INSERT INTO keepers_keeper (name) VALUES ('a'), ('b'), ('c')"


def _make_anew(zoo: Project, database: Database) -> None:
    for table in ("keepers_keeper", "django_migrations", "versioning_ledger"):
        database.rows(f"DROP TABLE IF EXISTS {table}")
    assert _start(zoo, "keepers", "0001").wait() == 0
    database.rows(_THREE)
    assert _start(zoo).wait() == 0


def readers(vendor: str) -> str:
    """Let a migration wait behind a long reader, and measure how long other readers wait."""
    if vendor == "sqlite":
        return "a reader of SQLite holds nobody back"
    waited = {}
    for django in (True, False):
        with _zoo(vendor) as (zoo, database):
            assert _start(zoo).wait() == 0
            zoo.add_field("photo")
            with closing(database.connect()) as holder:
                cursor = holder.cursor()
                cursor.execute("BEGIN")
                cursor.execute("SELECT * FROM keepers_keeper")
                migrating = _start(zoo, django=django)
                waits, threads = _reads(database, seconds=8)
                cursor.execute("COMMIT")
            for thread in threads:
                thread.join()
            migrating.communicate()
            assert migrating.returncode == 0
        waited[django] = max(waits)
    return (
        f"others waited {waited[False]:.2f} s at most, behind Django's own {waited[True]:.2f} s "
        "(the reader stayed for 8 s)"
    )


def _reads(database: Database, *, seconds: float) -> tuple[list[float], list[threading.Thread]]:
    """Begin a read each tenth of a second; return how long each took, and who is still reading."""
    waits: list[float] = []

    def read() -> None:
        with closing(database.connect()) as connection:
            cursor = connection.cursor()
            begun = time.perf_counter()
            cursor.execute("SELECT count(*) FROM keepers_keeper")
            cursor.fetchall()
        waits.append(time.perf_counter() - begun)

    end = time.monotonic() + seconds
    threads = []
    while time.monotonic() < end:
        threads.append(threading.Thread(target=read))
        threads[-1].start()
        time.sleep(0.1)
    return waits, threads


def backfill(vendor: str, *, rows: int = 1_000_000, stops: int = 10) -> str:
    """Fill a column of a million rows, killed and resumed, while a writer keeps writing."""
    with _zoo(vendor) as (zoo, database):
        assert _start(zoo).wait() == 0
        _many_rows(database, rows)
        zoo.write(
            "0002_age",
            "0001_initial",
            'migrations.AddField("keeper", "age", models.IntegerField(null=True))',
        )
        assert _start(zoo).wait() == 0
        (zoo.migrations / "0003_fill.py").write_text(
            "from django.db import migrations, models\n"
            "from shelter.versioning.operations import BatchedUpdate\n\n\n"
            "class Migration(migrations.Migration):\n"
            "    atomic = False\n"
            '    dependencies = [("keepers", "0002_age")]\n'
            '    operations = [BatchedUpdate("keeper", {"age": models.F("id") % 7}, '
            "models.Q(age__isnull=True))]\n"
        )
        waits: list[float] = []
        stop = threading.Event()
        writer = threading.Thread(target=_write, args=(database, rows, waits, stop))
        writer.start()
        begun = time.perf_counter()
        killed = 0
        try:
            for _ in range(stops):
                running = _start(zoo)
                try:
                    running.wait(0.45 if vendor == "sqlite" else 1.0)
                except subprocess.TimeoutExpired:
                    os.killpg(running.pid, signal.SIGKILL)
                    killed += 1
                running.communicate()
            last = _start(zoo)
            _, said = last.communicate()
            assert last.returncode == 0, said
            seconds = time.perf_counter() - begun
        finally:
            stop.set()
            writer.join()
        # The writer set some rows itself, to 99: those it wrote before they were filled stay so.
        left = database.rows("SELECT count(*) FROM keepers_keeper WHERE age IS NULL")
        wrong = database.rows(
            "SELECT count(*) FROM keepers_keeper WHERE age <> id % 7 AND age <> 99"
        )
        total = database.rows("SELECT count(*) FROM keepers_keeper")
        assert (left, wrong, total) == ([(0,)], [(0,)], [(rows,)]), (left, wrong, total)
    ordered = sorted(waits)
    return (
        f"{rows:,} rows in {seconds:.0f} s, killed {killed} times; {len(waits):,} writes "
        f"meanwhile, longest {ordered[-1] * 1000:.0f} ms, 99.9 % within "
        f"{ordered[int(len(ordered) * 0.999)] * 1000:.0f} ms"
    )


def _many_rows(database: Database, rows: int) -> None:
    digits = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(10))
    tables = ", ".join(f"({digits}) AS d{n}" for n in range(6))
    assert rows == 10**6
    number = " + ".join(f"d{n}.n * {10**n}" for n in range(6))
    database.rows(f"INSERT INTO keepers_keeper (id, name) SELECT {number} + 1, 'x' FROM {tables}")


def _write(database: Database, rows: int, waits: list[float], stop: threading.Event) -> None:
    chance = random.Random(1)
    with closing(database.connect()) as connection:
        cursor = connection.cursor()
        while not stop.is_set():
            begun = time.perf_counter()
            cursor.execute(
                f"UPDATE keepers_keeper SET age = 99 WHERE id = {chance.randint(1, rows)}"
            )
            waits.append(time.perf_counter() - begun)
            time.sleep(0.002)


def repairs(vendor: str, *, count: int = 100) -> str:
    """Kill `rebasemigrations` and `dbsync` at random instants; the next call finishes or undoes."""
    chance = random.Random(1)
    told = []
    for command in ("rebasemigrations", "dbsync"):
        whole = 0.0
        killed = tried = named = 0
        while killed < count:
            with _to_be_repaired(vendor, command) as (zoo, database, names):
                begun = time.perf_counter()
                running = subprocess.Popen(
                    [sys.executable, "-m", "django", command],
                    cwd=zoo.folder,
                    env=_environment(zoo),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
                try:
                    # The first run is left to end, and tells how long the others may take.
                    running.wait(whole * chance.uniform(0.2, 1) if whole else None)
                except subprocess.TimeoutExpired:
                    os.killpg(running.pid, signal.SIGKILL)
                    killed += 1
                running.wait()
                whole = whole or time.perf_counter() - begun
                tried += 1
                again = zoo.manage(command)
                if again.returncode:
                    # Where each statement is committed by itself; a person finishes it.
                    assert vendor == "mariadb", again.stderr
                    assert "is half done in the database" in again.stderr, again.stderr
                    assert "versioning.W014" in zoo.manage("dbstatus").stdout
                    named += 1
                    continue
                assert sorted(path.stem for path in zoo.migrations.glob("0*.py")) == names
                assert not list(zoo.migrations.glob(".*")), "something was left behind"
                rows = database.rows("SELECT name FROM django_migrations WHERE app = 'keepers'")
                assert sorted(name for (name,) in rows) == names
                assert database.rows("SELECT name FROM keepers_keeper") == [("Ana",)]
                assert zoo.manage("migrate", "--check").returncode == 0
                assert zoo.drift() == []
        told.append(f"{command} killed {killed} times in {tried} runs, {named} half done and named")
    return ", ".join(told)


@contextmanager
def _to_be_repaired(vendor: str, command: str) -> Iterator[tuple[Project, Database, list[str]]]:
    """Give a project that `command` has to put right, and the migrations that it has then."""
    field = 'migrations.AddField("keeper", "{}", models.TextField(null=True))'
    with _zoo(vendor) as (zoo, database):
        zoo.git("switch", "-q", "-c", "ana")
        zoo.write("0002_a", "0001_initial", field.format("a"))
        zoo.write("0003_b", "0002_a", field.format("b"))
        zoo.commit()
        assert _start(zoo).wait() == 0
        database.rows("INSERT INTO keepers_keeper (name) VALUES ('Ana')")
        zoo.git("switch", "-q", "main")
        zoo.write("0002_weight", "0001_initial", field.format("weight"))
        zoo.commit("Ben")
        names = ["0001_initial", "0002_weight"]
        if command == "rebasemigrations":
            zoo.git("switch", "-q", "ana")
            zoo.git("merge", "-q", "main", "-m", "Merge")
            names += ["0003_a", "0004_b"]
        yield zoo, database, names


def idle(vendor: str, *, rounds: int = 15) -> str:
    """Measure `migrate` with nothing to do and Django's own, in turns."""
    with _zoo(vendor) as (zoo, _):
        apps = "".join(
            f'"django.contrib.{name}", ' for name in ("auth", "contenttypes", "sessions")
        )
        settings = zoo.folder / "zoo/settings.py"
        settings.write_text(
            settings.read_text().replace("INSTALLED_APPS = [", f"INSTALLED_APPS = [{apps}")
        )
        assert _start(zoo).wait() == 0
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(rounds + 1):
            for django in (True, False):
                begun = time.perf_counter()
                assert _start(zoo, django=django).wait() == 0
                seconds[django].append(time.perf_counter() - begun)
    ratios = [ours / theirs for ours, theirs in zip(seconds[False], seconds[True], strict=True)]
    return (
        f"{statistics.median(seconds[False]):.3f} s, "
        f"Django's own {statistics.median(seconds[True]):.3f} s: "
        f"{statistics.median(ratios[1:]):.2f} times"
    )


PARTS: dict[str, Callable[[str], str]] = {
    part.__name__: part for part in (deployers, kills, readers, backfill, repairs, idle)
}


def main() -> None:
    """Run the parts and print a line for each on each database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--database", choices=("sqlite", *SERVERS), action="append")
    options = parser.parse_args()
    missing = missing_servers()
    for name in options.parts or PARTS:
        for vendor in options.database or ("sqlite", *SERVERS):
            told = f"not here ({missing[vendor]})" if vendor in missing else PARTS[name](vendor)
            print(f"{name:10} {vendor:10} {told}", flush=True)


if __name__ == "__main__":
    main()
