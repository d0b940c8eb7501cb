"""Whether two sides commute: the verdict from text, held to what a real database does."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations_with_replacement

import pytest
from django.db import connection, migrations, models, transaction
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from hypothesis import given, settings
from hypothesis import strategies as st

from shelter.versioning.conflicts.judging import Judgement, judge
from shelter.versioning.conflicts.states import judge_steps
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.packages import read_folders
from shelter.versioning.ledger.schema import Table, read_tables
from shelter.versioning.replay import Step, replay, same
from shelter.versioning.report.findings import Verdict

HEADER = """
from django.conf import settings
from django.db import migrations, models
"""


def source(operations: str, parent: str, before: str = "") -> bytes:
    return (
        f"{HEADER}{before}\n\nclass Migration(migrations.Migration):\n"
        f'    dependencies = [("zoo", "{parent}")]\n    operations = [{operations}]\n'
    ).encode()


def verdict_on(one: str, two: str, before: str = "") -> Judgement:
    """
    0001_initial -- 0002_one
                 \\
                  0002_two
    """
    base = f"{HEADER}\nclass Migration(migrations.Migration):\n    operations = []\n".encode()
    history = read_folders(
        {
            "zoo/migrations": {
                "0001_initial": base,
                "0002_one": source(one, "0001_initial", before),
                "0002_two": source(two, "0001_initial", before),
            }
        }
    )
    graph = build_graph(history.migrations)
    return judge(graph.fork("zoo"), graph, history)


# --- Against a real database ---------------------------------------------------------------------

BASE = [
    migrations.CreateModel(
        "Keeper",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=20)),
            ("age", models.IntegerField(default=0)),
            ("rank", models.IntegerField(default=0)),
            ("code", models.CharField(max_length=9, unique=True)),
        ],
    ),
    migrations.AddIndex("Keeper", models.Index(fields=["rank"], name="keeper_rank")),
    migrations.CreateModel(
        "Cage",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("label", models.CharField(max_length=20)),
            ("keeper", models.ForeignKey("zoo.Keeper", models.CASCADE)),
        ],
    ),
]

OPERATIONS = [
    'migrations.AddField("keeper", "photo", models.TextField(default=""))',
    'migrations.AddField("keeper", "photo", models.TextField(null=True))',
    'migrations.AddField("cage", "photo", models.TextField(default=""))',
    (
        'migrations.AddField("cage", "deputy", models.ForeignKey("zoo.Keeper", models.CASCADE, '
        'null=True, related_name="+"))'
    ),
    'migrations.RemoveField("keeper", "age")',
    'migrations.RemoveField("keeper", "name")',
    'migrations.RemoveField("cage", "keeper")',
    'migrations.AlterField("keeper", "name", models.CharField(max_length=30))',
    'migrations.AlterField("keeper", "name", models.TextField())',
    'migrations.AlterField("keeper", "age", models.BigIntegerField(default=0))',
    'migrations.RenameField("keeper", "name", "title")',
    'migrations.RenameField("keeper", "age", "years")',
    'migrations.RenameModel("Keeper", "Warden")',
    'migrations.DeleteModel("Cage")',
    'migrations.CreateModel("Aviary", [("id", models.BigAutoField(primary_key=True))])',
    (
        'migrations.CreateModel("Aviary", [("id", models.BigAutoField(primary_key=True)), '
        '("keeper", models.ForeignKey("zoo.Keeper", models.CASCADE))])'
    ),
    'migrations.AddIndex("keeper", models.Index(fields=["name"], name="keeper_name"))',
    'migrations.AddIndex("cage", models.Index(fields=["label"], name="keeper_name"))',
    'migrations.RemoveIndex("keeper", "keeper_rank")',
    'migrations.RenameIndex("keeper", new_name="keeper_order", old_name="keeper_rank")',
    'migrations.AddConstraint("keeper", models.UniqueConstraint(fields=["name"], name="one_name"))',
    (
        'migrations.AddConstraint("keeper", models.CheckConstraint(condition=models.Q(age__gte=0), '
        'name="aged"))'
    ),
    'migrations.AlterUniqueTogether("cage", {("label", "keeper")})',
    'migrations.AlterUniqueTogether("cage", set())',
    'migrations.AlterModelOptions("keeper", {"verbose_name": "warden"})',
    'migrations.AlterModelOptions("keeper", {"verbose_name": "guard"})',
    'migrations.AlterModelTable("cage", "cages")',
    'migrations.AlterModelTableComment("cage", "where they live")',
]


# Names that a database has once, and relations that go further than a name.
NAMES = [
    'migrations.AddField("keeper", "nick", models.TextField(null=True, db_column="alias"))',
    'migrations.AddField("keeper", "alias", models.TextField(null=True))',
    'migrations.AlterField("keeper", "age", models.IntegerField(default=0, db_column="alias"))',
    (
        'migrations.AddField("keeper", "cage", models.ForeignKey("zoo.Cage", models.CASCADE, '
        "null=True))"
    ),
    'migrations.AddField("keeper", "cage_id", models.IntegerField(null=True))',
    'migrations.AddField("keeper", "cages", models.ManyToManyField("zoo.Cage"))',
    (
        'migrations.AddField("cage", "boss", models.ForeignKey("zoo.Keeper", models.CASCADE, '
        'to_field="code", null=True, related_name="+"))'
    ),
    'migrations.RemoveField("keeper", "code")',
    'migrations.CreateModel("Staff", [("id", models.BigAutoField(primary_key=True))])',
    (
        'migrations.CreateModel("Crew", [("id", models.BigAutoField(primary_key=True))], '
        'options={"db_table": "zoo_staff"})'
    ),
    (
        'migrations.CreateModel("Post", [("id", models.BigAutoField(primary_key=True))], '
        'options={"db_table": "zoo_keeper_cages"})'
    ),
    (
        'migrations.CreateModel("Shift", [("id", models.BigAutoField(primary_key=True)), '
        '("day", models.DateField())], '
        'options={"indexes": [models.Index(fields=["day"], name="keeper_name")]})'
    ),
    (
        'migrations.CreateModel("Chief", [("keeper_ptr", models.OneToOneField("zoo.Keeper", '
        "models.CASCADE, auto_created=True, parent_link=True, primary_key=True)), "
        '("badge", models.TextField())], bases=("zoo.keeper",))'
    ),
    'migrations.AddField("keeper", "badge", models.TextField(null=True))',
    'migrations.AlterModelTable("cage", "zoo_staff")',
    'migrations.AlterModelTable("keeper", "zoo_warden")',
    'migrations.RemoveIndex("keeper", "keeper_rank")',
    'migrations.AddIndex("keeper", models.Index(fields=["name"], name="keeper_name"))',
    'migrations.RenameModel("Keeper", "Warden")',
    'migrations.RenameField("keeper", "age", "alias")',
]


def made(operation: str) -> Operation:
    found = eval(operation, {"migrations": migrations, "models": models})
    assert isinstance(found, Operation)
    return found


def steps(operations: Iterable[str]) -> list[Step]:
    return [("zoo", made(operation)) for operation in operations]


def by_states(one: Iterable[str], two: Iterable[str]) -> Judgement:
    return judge_steps(replay(ProjectState(), BASE_STEPS), steps(one), steps(two))


BASE_STEPS: list[Step] = [("zoo", operation) for operation in BASE]

Tables = Mapping[str, Table]


def applied(operations: Iterable[Step], state: ProjectState) -> ProjectState:
    """Apply the operations to the database, and return the state after them."""
    state = state.clone()
    # Model classes made for another try know of the models of that one.
    state.__dict__.pop("apps", None)
    with connection.schema_editor() as editor:
        for app, operation in operations:
            before = state.clone()
            operation.state_forwards(app, state)
            operation.database_forwards(app, editor, before, state)
        # What fails when the editor ends would leave its transaction open.
        while editor.deferred_sql:
            editor.execute(editor.deferred_sql.pop(0))
    return state


def outcome(operations: Iterable[Step], base: ProjectState) -> tuple[ProjectState, Tables] | None:
    """Return the state and tables that the operations lead to; None where they cannot run."""
    try:
        with transaction.atomic():
            state = applied(operations, base)
            with connection.cursor() as cursor:
                names = connection.introspection.table_names(cursor)
            tables = read_tables(connection, [name for name in names if name not in KNOWN])
            transaction.set_rollback(True)
    except Exception:  # noqa: BLE001  # whatever it is, it did not run
        return None
    return state, tables


KNOWN = set(connection.introspection.django_table_names()) | {"django_migrations"}


def by_database(one: Iterable[str], two: Iterable[str], base: ProjectState) -> Verdict:
    """Return what a database makes of both orders."""
    both = [
        outcome([*steps(first), *steps(then)], base) for first, then in ((one, two), (two, one))
    ]
    runs = [found for found in both if found is not None]
    if len(runs) < 2:
        return Verdict.CONTRADICTORY
    (state, tables), (other_state, other_tables) = runs
    if same(state, other_state) and shapes(tables) == shapes(other_tables):
        return Verdict.INDEPENDENT
    return Verdict.ORDER_DEPENDENT


def shapes(tables: Tables) -> dict[str, tuple[object, ...]]:
    """Return tables without the names that Django makes up, which go by the order."""
    return {
        name: (table.columns, table.indexes, table.constraints) for name, table in tables.items()
    }


@pytest.fixture
def base(db: None) -> Iterator[ProjectState]:
    """Make the tables that every side begins with, and return their state."""
    with transaction.atomic():
        yield applied(BASE_STEPS, ProjectState())
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    "groups", [("page", "keeper"), [["page", "keeper"]]], ids=["one group", "lists"]
)
@pytest.mark.parametrize(
    ("one", "two"),
    [
        # Fields' indexes come in another order: the states are compared part by part.
        (
            'migrations.AddIndex("box", models.Index(fields=["page"], name="by_page"))',
            'migrations.AddIndex("box", models.Index(fields=["keeper"], name="by_keeper"))',
        ),
        # "page" has these letters; no group has this field.
        (
            'migrations.RemoveField("box", "age")',
            'migrations.AddField("box", "lid", models.TextField(null=True))',
        ),
    ],
    ids=["indexes", "a field"],
)
def test_groups_of_fields_may_be_written_in_any_way_that_django_takes(
    groups: object, one: str, two: str
) -> None:
    box = migrations.CreateModel(
        "Box",
        [(name, models.IntegerField()) for name in ("page", "keeper", "age")],
        options={"unique_together": groups},
    )
    base = replay(ProjectState(), [("zoo", box)])
    assert judge_steps(base, steps([one]), steps([two])) == Judgement(Verdict.INDEPENDENT, "")


only_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite makes a table anew and so adds a field twice"
)


@pytest.mark.django_db
@only_postgresql
@pytest.mark.parametrize("pool", [OPERATIONS, NAMES], ids=["operations", "names"])
def test_a_verdict_is_what_a_database_makes_of_both_orders(
    base: ProjectState, pool: list[str]
) -> None:
    disagreements = []
    for one, two in combinations_with_replacement(pool, 2):
        found = by_database([one], [two], base)
        told = verdict_on(one, two).verdict, by_states([one], [two]).verdict
        if told != (found, found):
            disagreements.append((found.value, told, one, two))
    assert "\n".join(map(str, disagreements)) == ""


chains = st.lists(st.sampled_from(list(dict.fromkeys(OPERATIONS + NAMES))), min_size=1, max_size=4)


def runs_alone(side: list[str]) -> bool:
    return by_states(side, []).verdict is not Verdict.UNKNOWN


@settings(max_examples=400, deadline=None)
@given(chains.filter(runs_alone), chains.filter(runs_alone))
def test_what_text_calls_independent_the_states_do_too(one: list[str], two: list[str]) -> None:
    by_text = verdict_on(", ".join(one), ", ".join(two)).verdict
    exact = by_states(one, two).verdict
    assert exact is not Verdict.UNKNOWN
    if by_text is Verdict.INDEPENDENT:
        assert exact is Verdict.INDEPENDENT


@pytest.mark.django_db
@only_postgresql
def test_the_states_verdict_on_chains_is_what_a_database_makes_of_both_orders(
    base: ProjectState,
) -> None:
    draw = random.Random(5)
    pool = list(dict.fromkeys(OPERATIONS + NAMES))
    counts: Counter[Verdict] = Counter()
    while counts.total() < 300:
        one, two = (draw.sample(pool, draw.randint(2, 4)) for _ in range(2))
        if not runs_alone(one) or not runs_alone(two):
            continue
        exact = by_states(one, two).verdict
        counts[exact] += 1
        assert exact is by_database(one, two, base), (one, two)
    assert set(counts) == {Verdict.INDEPENDENT, Verdict.ORDER_DEPENDENT, Verdict.CONTRADICTORY}


# --- Code ----------------------------------------------------------------------------------------

ADD_PHOTO = 'migrations.AddField("keeper", "photo", models.TextField(default=""))'
ALTER_NAME = 'migrations.AlterField("keeper", "name", models.TextField())'


@pytest.mark.parametrize(
    ("code", "other", "verdict", "reason"),
    [
        # What is got by get_model() is known, in the function and in what it calls.
        (
            'def fill(apps, schema_editor):\n    apps.get_model("zoo", "Cage").objects.all()\n',
            ADD_PHOTO,
            "independent",
            "One changes zoo.cage, the other zoo.keeper. RunPython(fill) was read for it.",
        ),
        (
            (
                'def cages(apps):\n    return apps.get_model("zoo.Cage")\n\n\n'
                "def fill(apps, schema_editor):\n    cages(apps).objects.update(label=1)\n"
            ),
            'migrations.DeleteModel("Cage")',
            "unknown",
            ("RunPython(fill) uses zoo.cage, and the other side does this: Delete model Cage."),
        ),
        (
            (
                "def fill(apps, schema_editor):\n"
                '    for keeper in apps.get_model("zoo", "Keeper").objects.all():\n'
                "        keeper.age = 1\n        keeper.save()\n"
            ),
            ADD_PHOTO,
            "independent",
            (
                "Both change zoo.keeper, but no part of it in different ways. "
                "RunPython(fill) was read for it."
            ),
        ),
        (
            'def fill(apps, editor):\n    apps.get_model("zoo", "Keeper").objects.create()\n',
            ADD_PHOTO,
            "unknown",
            (
                "RunPython(fill) adds rows to zoo.keeper, and the other side does this: "
                "Add field photo to keeper."
            ),
        ),
        (
            'def fill(apps, editor):\n    apps.get_model("zoo", "Keeper").objects.create()\n',
            'migrations.AddField("keeper", "photo", models.TextField(null=True))',
            "independent",
            (
                "Both change zoo.keeper, but no part of it in different ways. "
                "RunPython(fill) was read for it."
            ),
        ),
        # By a relation it may reach what it does not name.
        (
            (
                "def fill(apps, schema_editor):\n"
                '    for cage in apps.get_model("zoo", "Cage").objects.all():\n'
                "        cage.label = cage.keeper.name\n"
            ),
            ALTER_NAME,
            "unknown",
            (
                "RunPython(fill) may reach zoo.keeper, and the other side does this: "
                "Alter field name on keeper."
            ),
        ),
        (
            (
                "def fill(apps, schema_editor):\n"
                '    for cage in apps.get_model("zoo", "Cage").objects.all():\n'
                "        cage.boss.save()\n"
            ),
            ADD_PHOTO,
            "unknown",
            (
                "RunPython(fill) calls boss.save() on what may be any model, so that what it "
                "touches is not known."
            ),
        ),
        # What cannot be told is said, with the name.
        (
            "from zoo.filling import fill\n",
            ADD_PHOTO,
            "unknown",
            (
                "The function of RunPython(fill) is in another file, so that what it touches is "
                "not known."
            ),
        ),
        (
            "def fill(apps, schema_editor):\n    apps.get_model(*NAMES)\n",
            ADD_PHOTO,
            "unknown",
            (
                "RunPython(fill) gets a model by apps.get_model(*NAMES), so that what it touches "
                "is not known."
            ),
        ),
        (
            (
                "from zoo.models import Keeper\n\n\n"
                "def fill(apps, schema_editor):\n    Keeper.objects.all()\n"
            ),
            'migrations.DeleteModel("Cage")',
            "unknown",
            "RunPython(fill) uses Keeper of zoo.models, so that what it touches is not known.",
        ),
        (
            (
                "from django.core.management import call_command\n\n\n"
                'def fill(apps, schema_editor):\n    call_command("fill")\n'
            ),
            ADD_PHOTO,
            "unknown",
            "RunPython(fill) calls call_command(), so that what it touches is not known.",
        ),
        (
            (
                "def fill(apps, schema_editor):\n"
                '    schema_editor.execute("UPDATE %s SET x = 1" % table)\n'
            ),
            ADD_PHOTO,
            "unknown",
            "RunPython(fill) computes the SQL of execute(), so that what it touches is not known.",
        ),
        (
            "fill = migrations.RunPython.noop\n",
            ADD_PHOTO,
            "independent",
            "One side changes nothing that the other could depend on.",
        ),
    ],
)
def test_a_function_is_read_as_far_as_text_tells(
    code: str, other: str, verdict: str, reason: str
) -> None:
    found = verdict_on("migrations.RunPython(fill)", other, before=f"\n\n{code}")
    assert (found.verdict.value, found.reason) == (verdict, reason)
    turned = verdict_on(other, "migrations.RunPython(fill)", before=f"\n\n{code}")
    assert turned.verdict is found.verdict


@pytest.mark.parametrize(
    ("operation", "verdict", "reason"),
    [
        (
            'migrations.RunSQL("UPDATE zoo_cage SET label = 1")',
            "independent",
            "One changes tables by SQL, the other zoo.keeper. RunSQL was read for it.",
        ),
        (
            'migrations.RunSQL(["UPDATE x SET y = 1", ("DELETE FROM zoo_keeper", [])])',
            "unknown",
            (
                "RunSQL may reach zoo.keeper, and the other side does this: "
                "Alter field name on keeper."
            ),
        ),
        (
            'migrations.RunSQL("DROP TABLE x CASCADE")',
            "unknown",
            "An SQL statement says CASCADE, so that what it touches is not known.",
        ),
        (
            'migrations.RunSQL("SELECT " + words())',
            "unknown",
            "The SQL of a RunSQL is computed, so that what it touches is not known.",
        ),
        (
            "migrations.RunSQL(migrations.RunSQL.noop)",
            "independent",
            "One side changes nothing that the other could depend on.",
        ),
        (
            (
                'migrations.RunSQL("SELECT 1", state_operations=[migrations.RemoveField("keeper", '
                '"name")])'
            ),
            "contradictory",
            (
                "One of them cannot run after the other: Remove field name from keeper; "
                "Alter field name on keeper."
            ),
        ),
        (
            "migrations.RunPython(migrations.RunPython.noop)",
            "independent",
            "One side changes nothing that the other could depend on.",
        ),
        (
            "migrations.RunPython(lambda apps, editor: None)",
            "independent",
            "One side changes nothing that the other could depend on.",
        ),
        (
            "TrigramExtension()",
            "independent",
            "One side changes nothing that the other could depend on.",
        ),
        (
            'AddIndexConcurrently("cage", models.Index(fields=["label"], name="cage_label"))',
            "independent",
            "One changes zoo.cage, the other zoo.keeper.",
        ),
        (
            'Audit("keeper")',
            "unknown",
            (
                "Audit is no operation of Django's, and not read, so that what it touches is "
                "not known."
            ),
        ),
        (
            "OPERATION",
            "unknown",
            "OPERATION is not read, so that what it touches is not known.",
        ),
        (
            (
                'migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("keeper",'
                ' "name")])'
            ),
            "contradictory",
            (
                "One of them cannot run after the other: Remove field name from keeper; "
                "Alter field name on keeper."
            ),
        ),
        (
            'BatchedUpdate("cage", {"label": "x"}, where=models.Q(label=""))',
            "independent",
            "One changes zoo.cage, the other zoo.keeper. BatchedUpdate was read for it.",
        ),
        (
            'migrations.RemoveField("keeper", FIELD)',
            "unknown",
            (
                "Remove field FIELD from keeper: a name is computed, so that what it touches "
                "is not known."
            ),
        ),
    ],
)
def test_other_operations_are_read_as_far_as_text_tells(
    operation: str, verdict: str, reason: str
) -> None:
    found = verdict_on(operation, ALTER_NAME)
    assert (found.verdict.value, found.reason) == (verdict, reason)


def test_both_sides_doing_the_same_is_said() -> None:
    assert verdict_on(ADD_PHOTO, ADD_PHOTO) == Judgement(
        Verdict.CONTRADICTORY,
        "Both sides do this, which works once: Add field photo to keeper.",
    )


def test_a_list_that_cannot_be_read_is_unknown() -> None:
    found = verdict_on("", ALTER_NAME)
    assert found.verdict is Verdict.INDEPENDENT
    computed = verdict_on("*operations()", ALTER_NAME)
    assert computed == Judgement(
        Verdict.UNKNOWN,
        "The operations of 0002_one cannot be read without running it, so that what it touches is "
        "not known.",
    )
