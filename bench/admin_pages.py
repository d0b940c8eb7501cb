"""How fast each admin page is over a million animals, on SQLite and on PostgreSQL.

And the page "Migrations" of a project with 2,000 of them. A page is asked for through Django's
whole stack (middleware, views, templates), without a network, by a member of the group Staff, or
by one who may see the migrations. Shown per page: the median and the slowest of the rounds after a
first one, which is shown too. Databases and projects are made for it and dropped again.
"""

from __future__ import annotations

import argparse
import datetime
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.models import Model
    from django.test import Client

ROOT = Path(__file__).resolve().parent.parent
GOAL = 0.150
GOAL_OF_MIGRATIONS = 0.300
POSTGRESQL = os.environ.get("TEST_POSTGRESQL_URL", "postgres://postgres@127.0.0.1:5432")
NAMES = ("Max", "Bella", "Charlie", "Luna", "Rocky", "Daisy", "Milo", "Coco", "Duke", "")
_BATCH = 20_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on each database, print, and return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--animals", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--migrations", type=int, default=2000)
    parser.add_argument("--in-process", choices=("animals", "migrations"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.in_process == "animals":
        return measure(options.animals, options.rounds)
    if options.in_process == "migrations":
        return measure_migrations(options.rounds)
    code = _measure_migrations_of_project(options.migrations, options.rounds)
    for database in filter(None, options.databases.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            name = f"shelter_bench_{os.getpid()}"
            url = f"sqlite:///{folder}/bench.sqlite3"
            if database == "postgresql":
                url = f"{POSTGRESQL}/{name}"
                _psql(f'CREATE DATABASE "{name}"')
            try:
                code |= _measure_on(url, options.animals, options.rounds)
            finally:
                if database == "postgresql":
                    _psql(f'DROP DATABASE "{name}" WITH (FORCE)')
    return code


def _psql(statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{POSTGRESQL}/postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def _measure_on(url: str, animals: int, rounds: int) -> int:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "shelter.settings",
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True
    )
    command = [sys.executable, "-m", "bench.admin_pages", "--in-process=animals"]
    return subprocess.run(
        [*command, f"--animals={animals}", f"--rounds={rounds}"],
        cwd=ROOT,
        env=environment,
        check=False,
    ).returncode


def measure(animals: int, rounds: int) -> int:
    """Fill the configured database, ask for each page, print, return 1 where one is too slow."""
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test import Client

    from accounts.models import User

    settings.DEBUG = False
    begin = time.perf_counter()
    fill(animals)
    with connection.cursor() as cursor:
        # What PostgreSQL's autovacuum does by itself after so many rows.
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "SELECT 1")
    print(f"{connection.vendor}: {animals:,} animals in {time.perf_counter() - begin:.0f} s")
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(email="staff@example.org"))
    return _ask(client, pages(animals), rounds, GOAL)


def _measure_migrations_of_project(count: int, rounds: int) -> int:
    from tests.versioning.projects import make_admin_project

    with tempfile.TemporaryDirectory() as folder:
        project = make_admin_project(Path(folder))
        project.add_chain(count - 1)
        project.commit()
        done = project.manage("migrate", "-v0")
        if done.returncode:
            sys.stderr.write(done.stderr)
            return 2
        print(f"{count:,} migrations, all applied")
        command = [sys.executable, "-m", "bench.admin_pages", "--in-process=migrations"]
        done = project.run(*command, f"--rounds={rounds}")
        print(done.stdout + done.stderr, end="")
        return done.returncode


def measure_migrations(rounds: int) -> int:
    """Ask for the page "Migrations" of the configured project, print, return 1 if too slow."""
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import Client

    settings.DEBUG = False
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(get_user_model().objects.get_by_natural_key("ops"))
    return _ask(
        client, [("migrations", "/ops/versioning/ledgerentry/")], rounds, GOAL_OF_MIGRATIONS
    )


def _ask(client: Client, asked: Iterable[tuple[str, str]], rounds: int, goal: float) -> int:
    """Ask for each page, print the figures, return 1 where one is slower than `goal`."""
    slow = 0
    for name, path in asked:
        times = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            response = client.get(path)
            times.append(time.perf_counter() - begin)
            if response.status_code != 200:
                sys.stderr.write(f"{path} answered {response.status_code}\n")
                return 2
        first, *rest = times
        median = statistics.median(rest)
        slow += median > goal
        figures = " ".join(f"{1000 * seconds:6.0f}" for seconds in (median, max(rest), first))
        print(f"{figures} ms  {name}{'  TOO SLOW' if median > goal else ''}", flush=True)
    print(
        f"median, slowest, first; goal {1000 * goal:.0f} ms: {f'{slow} MISSED' if slow else 'ok'}"
    )
    return 1 if slow else 0


def pages(animals: int) -> Iterator[tuple[str, str]]:
    """Yield each page's name and path."""
    from accounts.models import User
    from animals.models import Animal
    from shelter.paginator import COUNTED_ROWS

    animal = Animal.objects.get(code=f"B{animals // 2}")
    user = User.objects.get(email=f"user{animals // 8}@example.org")
    home = "/admin/"
    animal_list = f"{home}animals/animal/"
    user_list = f"{home}accounts/user/"
    yield "home", home
    yield "animals", animal_list
    yield "animals, last page", f"{animal_list}?p={min(COUNTED_ROWS, animals) // 50}"
    yield "animals, oldest first", f"{animal_list}?o=7"
    for condition in (
        "status__exact=in_care",
        "status__exact=missing",
        "species__exact=cat",
        "species__exact=amphibian",
        "sex__exact=unknown",
        "intake_type__exact=born_here",
        "status__exact=in_care&species__exact=rabbit&sex__exact=female",
    ):
        yield f"animals, {condition}", f"{animal_list}?{condition}"
    yield "search a code", f"{animal_list}?q=b{animals - 7}"
    yield "search a microchip", f"{animal_list}?q={animal.microchip}"
    yield "search a name", f"{animal_list}?q=charlie+7"
    yield "search a letter", f"{animal_list}?q=m"
    yield "search, nothing found", f"{animal_list}?q=zzz"
    yield "search a letter, in care", f"{animal_list}?q=b&status__exact=in_care"
    yield "an animal", f"{animal_list}{animal.pk}/change/"
    yield "an animal's history", f"{animal_list}{animal.pk}/history/"
    yield "a new animal", f"{animal_list}add/"
    yield "users", user_list
    yield "users, last page", f"{user_list}?p={min(COUNTED_ROWS, animals // 4) // 100}"
    yield "users, staff", f"{user_list}?is_staff__exact=1"
    yield "users, inactive", f"{user_list}?is_active__exact=0"
    yield "search a user", f"{user_list}?q=user7"
    yield "search a user's names", f"{user_list}?q=ana+q"
    yield "a user", f"{user_list}{user.pk}/change/"
    yield "a new user", f"{user_list}add/"
    for model, field, term in (("registration", "user", "user9"), ("registration", "animal", "be")):
        yield (
            f"autocomplete {field}",
            (
                f"{home}autocomplete/?term={term}&app_label=animals&model_name={model}"
                f"&field_name={field}"
            ),
        )


def fill(animals: int) -> None:
    """Put in so many animals, a user for every fourth, registrations, earlier stays, history."""
    from django.contrib.admin.models import LogEntry
    from django.contrib.auth.models import Group
    from django.contrib.contenttypes.models import ContentType
    from django.db import transaction
    from django.utils import timezone

    from accounts.models import User
    from animals.importing.bulk import insert_rows
    from animals.models import (
        Animal,
        IntakeType,
        PastStay,
        Registration,
        Sex,
        Species,
        Status,
    )

    now = timezone.now()
    today = now.date()
    species, sexes, intakes = list(Species.values), list(Sex.values), list(IntakeType.values)
    outcomes = [status for status in Status.values if status != Status.IN_CARE]

    def animal(number: int) -> dict[str, object]:
        intake = today - datetime.timedelta(days=number % 5000)
        # One in fifty is in care still.
        status = Status.IN_CARE.value if number % 50 == 0 else outcomes[number % len(outcomes)]
        return {
            "code": f"B{number}",
            "name": f"{NAMES[number % 10]} {number % 997}".strip() if number % 10 != 9 else "",
            "species": species[number % 7 % 2] if number % 100 else species[number // 100 % 10],
            "sex": sexes[number % 3],
            "intake_type": intakes[number % len(intakes)],
            "microchip": f"{985_000_000_000_000 + number}" if number % 2 == 0 else None,
            "intake_date": intake,
            "status": status,
            "outcome_date": None if status == Status.IN_CARE.value else today,
            "location": f"K{number % 300}" if status == Status.IN_CARE.value else "",
            "registered_at": now,
            "updated_at": now,
        }

    def user(number: int) -> dict[str, object]:
        return {
            "email": f"user{number}@example.org",
            "password": "!",
            "first_name": ("Ana", "Ben", "Cleo", "Dan")[number % 4],
            "last_name": f"Q{number % 5003}",
            "is_active": number % 100 != 0,
        }

    def insert(model: type[Model], count: int, row: Callable[[int], Mapping[str, object]]) -> None:
        for start in range(1, count + 1, _BATCH):
            numbers = range(start, min(start + _BATCH, count + 1))
            with transaction.atomic():
                insert_rows(model, map(row, numbers), using="default")

    staff = User.objects.create_user("staff@example.org", is_staff=True)
    staff.groups.add(Group.objects.get(name="Staff"))
    insert(Animal, animals, animal)
    insert(User, animals // 4, user)
    first_animal = Animal.objects.order_by("pk").values_list("pk", flat=True)[0]
    first_user = User.objects.filter(email="user1@example.org").values_list("pk", flat=True)[0]
    insert(
        Registration,
        animals // 2,
        lambda number: {
            "animal_id": first_animal + 2 * number - 1,
            "user_id": first_user + (number - 1) % (animals // 4),
            "role": "adopter",
            "registered_at": now,
        },
    )
    insert(
        PastStay,
        animals // 10,
        lambda number: {
            "animal_id": first_animal + number - 1,
            "intake_date": today - datetime.timedelta(days=6000),
            "intake_type": "stray",
            "outcome_date": today - datetime.timedelta(days=5900),
            "outcome": "adopted",
            "notes": "",
        },
    )
    kind = ContentType.objects.get_for_model(Animal).pk
    insert(
        LogEntry,
        animals // 10,
        lambda number: {
            "action_time": now,
            "user_id": staff.pk,
            "content_type_id": kind,
            "object_id": str(first_animal + number * 10 - 1),
            "object_repr": f"B{number}",
            "action_flag": 2,
            "change_message": "[]",
        },
    )


if __name__ == "__main__":
    raise SystemExit(main())
