"""One migration file, read as text: what it says, and what it does not say without being run."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.history.describing import describe, kind_of
from shelter.versioning.history.migration import Migration
from shelter.versioning.history.quick import migration_names
from shelter.versioning.history.reading import (
    Read,
    read_migration,
    read_operations,
)
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES

HEAD = "from django.db import migrations\n"


def read(source: str) -> Read:
    return read_migration(textwrap.dedent(source).encode(), "a", "0002_x", "a/0002_x.py")


def migration_in(source: str) -> Migration:
    found = read(source)
    assert found.unreadable == ()
    assert found.migration is not None
    return found.migration


def problems_in(source: str) -> list[tuple[int, str]]:
    return [(place.line, place.reason) for place in read(source).unreadable]


def test_all_that_places_a_migration() -> None:
    migration = migration_in("""
        from django.conf import settings
        from django.db import migrations

        class Migration(migrations.Migration):
            initial = True
            replaces = [("a", "0001_x"), ("a", "0001_y")]
            dependencies = [
                ("b", "__first__"),
                migrations.swappable_dependency(settings.AUTH_USER_MODEL),
                migrations.swappable_dependency("c.Model"),
            ]
            run_before = (["d", "0001"],)
            operations = []
    """)
    assert migration == Migration(
        app="a",
        name="0002_x",
        path="a/0002_x.py",
        line=8,
        dependencies=(("b", "__first__"), ("c", "__first__")),
        run_before=(("d", "0001"),),
        replaces=(("a", "0001_x"), ("a", "0001_y")),
        swappable=("AUTH_USER_MODEL",),
        initial=True,
    )
    assert migration.key == ("a", "0002_x")


def test_nothing_stated_is_nothing() -> None:
    migration = migration_in(HEAD + "class Migration(migrations.Migration):\n    pass\n")
    assert (migration.dependencies, migration.initial, migration.line) == ((), None, 2)


@pytest.mark.parametrize(
    "body",
    [
        'dependencies = [("b", "1")] + [("c", "2")]',
        'dependencies = (("b", "1"),) + (("c", "2"),)',
        'dependencies = [("b", "1")]\n    dependencies += [("c", "2")]',
        'dependencies = [*[("b", "1")], ("c", "2")]',
        'dependencies = [("b", ONE), C]',
        "dependencies = BOTH",
        'dependencies: list[tuple[str, str]] = [("b", "1"), ("c", "2")]',
        'dependencies = [("z", "9")]\n    dependencies = [("b", "1"), ("c", "2")]',
        'dependencies = [("b", "1"), ("c", "" "2")]',
    ],
)
def test_lists_written_in_other_ways(body: str) -> None:
    source = (
        f'{HEAD}ONE = "1"\nC = ("c", "2")\nBOTH = [("b", "1"), C]\n'
        f"class Migration(migrations.Migration):\n    {body}\n"
    )
    assert migration_in(source).dependencies == (("b", "1"), ("c", "2"))


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        ("dependencies = find()", 3, "dependencies is computed: find()"),
        ('dependencies = [("b", name())]', 3, "an entry of dependencies is computed"),
        ('dependencies = [("b", "1") if X else ("c", "2")]', 3, "an entry of dependencies is"),
        ("replaces = [(a, b) for a, b in X]", 3, "replaces is computed"),
        (
            "dependencies = []\n    if X:\n        dependencies.append(Y)",
            5,
            "dependencies is chang",
        ),
        ("initial = X", 3, "initial is computed"),
        ("dependencies = []\nMigration.dependencies.append(X)", 4, "dependencies is changed by"),
        (
            "dependencies = []\n    def __init__(self, *a):\n        self.run_before = a",
            5,
            "run_before is changed by code",
        ),
    ],
)
def test_what_is_computed_is_reported_with_its_line(body: str, line: int, reason: str) -> None:
    [(where, why)] = problems_in(HEAD + f"class Migration(migrations.Migration):\n    {body}\n")
    assert where == line
    assert why.startswith(reason)


def test_what_can_be_read_beside_what_cannot_is_kept() -> None:
    found = read(
        HEAD + "class Migration(migrations.Migration):\n"
        '    dependencies = [("a", "0001"), later()]\n'
    )
    assert found.migration is not None
    assert found.migration.dependencies == (("a", "0001"),)
    assert len(found.unreadable) == 1


def test_lists_of_a_base_class_elsewhere_are_reported() -> None:
    source = "from x import Base\nclass Migration(Base):\n    operations = []\n"
    assert problems_in(source) == [(2, "dependencies may come from Base")]
    assert not problems_in("from x import Base\nclass Migration(Base):\n    dependencies = []\n")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def helper(): pass\n", "There is no class Migration in it."),
        ("from x import Migration\n", "Migration is not a class statement at the top of the file."),
        ("class Migration: pass\nMigration = x(Migration)\n", "Migration is not a class statement"),
        ("if X:\n    class Migration: pass\n", "Migration is not a class statement"),
        ("class Migration(:\n", "This is no Python: "),
        ("x = '\0'\n", "This is no Python: "),
        ("<<<<<<< HEAD\nclass Migration:\n    dependencies = []\n", "This is no Python: "),
        ("(" * 5000 + ")" * 5000, ""),
        ("-" * 100_000 + "1", ""),
    ],
)
def test_files_that_state_no_migration(source: str, reason: str) -> None:
    found = read(source)
    assert found.migration is None
    assert found.unreadable[0].reason.startswith(reason)


def test_bytes_that_are_no_text_and_files_of_any_size_are_reported() -> None:
    assert read_migration(b"\xff\xfe", "a", "x", "p").migration is None
    huge = read_migration(b"#" * (MAX_SOURCE_BYTES + 1), "a", "x", "p")
    assert huge.unreadable[0].reason == "The file has 4,000,001 bytes."


def test_a_file_of_python_2() -> None:
    migration = migration_in("""
        # -*- coding: utf-8 -*-
        from __future__ import unicode_literals
        from django.db import models, migrations

        def forwards(apps, schema_editor):
            try:
                print "dependencies"
            except Exception, e:
                raise

        class Migration(migrations.Migration):

            dependencies = [
                (u'a', '0001_initial'),
                migrations.swappable_dependency(settings.AUTH_USER_MODEL),
            ]

            operations = [
                migrations.RunPython(forwards),
            ]
    """)
    assert migration.dependencies == (("a", "0001_initial"),)
    assert migration.swappable == ("AUTH_USER_MODEL",)
    assert migration.line == 14


def test_a_file_of_python_2_that_computes_is_not_guessed_at() -> None:
    source = (
        'print "x"\nclass Migration(migrations.Migration):\n'
        "    dependencies = []\n    dependencies.append(x)\n"
    )
    assert problems_in(source) == [(4, "dependencies is changed by code: dependencies.append(x)")]
    assert read(source + "Migration.dependencies += x\n").migration is None


def test_reading_runs_nothing(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    source = f"open({str(trap)!r}, 'w')\nclass Migration: dependencies = [open({str(trap)!r}, 'w')]"
    read(source)
    read_operations(source.encode())
    assert not trap.exists()


def test_everything_installed_is_read_as_django_loads_it() -> None:
    loader = MigrationLoader(None)
    for (app, name), loaded in loader.disk_migrations.items():
        path = Path(str(__import__(loaded.__module__, fromlist=["x"]).__file__))
        migration = read_migration(path.read_bytes(), app, name, str(path)).migration
        assert migration is not None
        stated = [key for key in loaded.dependencies if type(key) is tuple]
        assert list(migration.dependencies) == stated
        assert len(migration.swappable) == len(loaded.dependencies) - len(stated)
        assert list(migration.replaces) == list(loaded.replaces)
        assert list(migration.run_before) == list(loaded.run_before)
        operations = read_operations(path.read_bytes())
        assert operations is not None
        of_django = [
            (read.description, loaded.describe())
            for read, loaded in zip(operations, loaded.operations, strict=True)
            if type(loaded).__module__.startswith("django.")
        ]
        assert [mine for mine, _ in of_django] == [djangos for _, djangos in of_django]


OPERATIONS = """
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models
operations = [
    migrations.CreateModel("Dog", [("id", models.BigAutoField(primary_key=True))]),
    migrations.CreateModel(name="Pup", fields=[], options={"proxy": True}, bases=("a.dog",)),
    migrations.DeleteModel("Dog"),
    migrations.RenameModel("Dog", new_name="Hound"),
    migrations.AlterModelTable("dog", "dogs"),
    migrations.AlterModelTable("dog", None),
    migrations.AlterModelTableComment("dog", "all of them"),
    migrations.AlterUniqueTogether("dog", {("a", "b"), ("c", "d")}),
    migrations.AlterUniqueTogether("dog", set()),
    migrations.AlterIndexTogether(name="dog", index_together=set([("a", "b")])),
    migrations.AlterOrderWithRespectTo("dog", "owner"),
    migrations.AlterModelOptions("dog", {}),
    migrations.AlterModelManagers("dog", []),
    migrations.AddIndex("dog", models.Index(fields=["a", "-b"], name="ab")),
    migrations.RemoveIndex("dog", "ab"),
    migrations.RenameIndex("dog", "ba", old_name="ab"),
    migrations.RenameIndex("dog", "ba", old_fields=("a", "b")),
    migrations.AddConstraint("dog", models.UniqueConstraint(fields=["a"], name="once")),
    migrations.RemoveConstraint("dog", "once"),
    migrations.AlterConstraint("dog", "once", models.UniqueConstraint(fields=["a"], name="once")),
    migrations.AddField("dog", "name", models.TextField()),
    migrations.RemoveField(model_name="dog", name="name"),
    migrations.AlterField("dog", "name", models.TextField()),
    migrations.RenameField("dog", "name", "title"),
    migrations.SeparateDatabaseAndState(),
    migrations.RunSQL("SELECT 1"),
    migrations.RunPython(migrations.RunPython.noop),
]
"""


def test_each_operation_is_described_in_djangos_words() -> None:
    namespace: dict[str, list[object]] = {}
    exec(OPERATIONS, namespace)
    indented = OPERATIONS.replace("operations = [", "class Migration:\n    operations = [")
    read = read_operations(indented.encode())
    assert read is not None
    for mine, djangos in zip(read, namespace["operations"], strict=True):
        assert mine.kind == type(djangos).__name__
        assert mine.description == djangos.describe()  # type: ignore[attr-defined]


def test_an_operation_of_another_class_is_described_by_its_call() -> None:
    call = ast.parse('tools.Fill("dog", where=Q(a=1))', mode="eval").body
    assert kind_of(call) == "Fill"
    assert describe(call) == "Fill: (dog, where=Q(a=1))"
    assert describe(ast.parse("make()", mode="eval").body) == "make: ()"
    assert describe(ast.parse("PREPARED", mode="eval").body) == "PREPARED"


def test_operations_that_are_computed_are_not_listed() -> None:
    assert read_operations(b"class Migration:\n    operations = make()\n") is None
    assert read_operations(b"class Migration(:\n") is None
    assert read_operations(b"x = 1\n") is None


def test_names_of_migrations_are_those_django_sees() -> None:
    entries = ["__init__.py", "_x.py", "~x.py", "0002_b.py", "0001_a.py", "a.b.py", "x.pyc", "y"]
    assert migration_names(entries) == ["0001_a", "0002_b"]
