"""Operations for big live tables: rows filled in batches, NOT NULL set without a long lock."""

import datetime
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import NotSupportedError, connection, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.writer import OperationWriter

from animals.models import Animal
from shelter.versioning.operations import BatchedUpdate, SetNotNull

EMPTY = models.Q(registered_at__isnull=True)


def old_animals(at: str) -> Any:
    """Return the model as the migration `at` leaves it."""
    state = MigrationExecutor(connection).loader.project_state(("animals", at))
    return state.apps.get_model("animals", "Animal")


def animal(code: str, day: int) -> dict[str, Any]:
    return {"code": code, "species": "dog", "intake_date": datetime.date(2020, 1, day)}


@pytest.mark.django_db(transaction=True)
def test_a_table_with_rows_goes_through_all_migrations_and_back() -> None:
    try:
        call_command("migrate", "animals", "0001", verbosity=0)
        before = old_animals("0001_animal").objects
        before.bulk_create([before.model(**animal(f"A{day}", day)) for day in range(1, 29)])
        call_command("migrate", "animals", "0002", verbosity=0)
        assert not old_animals("0002_animal_registered_at").objects.exclude(EMPTY).exists()
        # The release before this one adds a row and does not know the column.
        before.create(**animal("B1", 1))
        filled = old_animals("0002_animal_registered_at").objects.exclude(EMPTY)
        assert list(filled.values_list("code", flat=True)) == ["B1"]
        call_command("migrate", verbosity=0)
        assert dict(Animal.objects.exclude(code="B1").values_list("code", "registered_at")) == {
            f"A{day}": datetime.datetime(2020, 1, day, tzinfo=datetime.UTC) for day in range(1, 29)
        }
        call_command("migrate", "animals", "0001", verbosity=0)
        assert before.count() == 29
    finally:
        call_command("migrate", "animals", "zero", verbosity=0)
        call_command("migrate", verbosity=0)


def run(operation: BatchedUpdate) -> list[int]:
    """Carry `operation` out on the animals table, and return the size of each batch written."""
    sizes: list[int] = []
    update = models.QuerySet.update

    def counting(self: Any, **values: Any) -> int:
        written = update(self, **values)
        sizes.append(written)
        return written

    state = MigrationExecutor(connection).loader.project_state(
        ("animals", "0002_animal_registered_at")
    )
    with (
        connection.schema_editor(atomic=False) as editor,
        mock.patch.object(models.QuerySet, "update", counting),
    ):
        operation.database_forwards("animals", editor, state, state)
    return sizes


@pytest.fixture
def half_migrated() -> Any:
    """The table with its column empty in ten rows."""
    call_command("migrate", "animals", "0002", verbosity=0)
    rows = old_animals("0002_animal_registered_at").objects
    rows.bulk_create(
        [rows.model(registered_at=None, **animal(f"A{day}", day)) for day in range(1, 11)]
    )
    yield rows
    rows.all().delete()
    call_command("migrate", verbosity=0)


MOMENT = datetime.datetime(2021, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.django_db(transaction=True)
def test_rows_are_filled_batch_by_batch_and_only_where_they_are_empty(half_migrated: Any) -> None:
    half_migrated.filter(code="A5").update(registered_at=MOMENT)
    other = datetime.datetime(2022, 2, 2, tzinfo=datetime.UTC)
    assert run(BatchedUpdate("animal", {"registered_at": other}, EMPTY, batch_size=4)) == [4, 3, 2]
    assert half_migrated.get(code="A5").registered_at == MOMENT
    assert half_migrated.filter(registered_at=other).count() == 9
    assert run(BatchedUpdate("animal", {"registered_at": MOMENT}, EMPTY)) == []


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_stopped_is_carried_on(half_migrated: Any) -> None:
    operation = BatchedUpdate("animal", {"registered_at": MOMENT}, EMPTY, batch_size=3, pause=0.01)
    with (
        mock.patch("shelter.versioning.operations.time.sleep", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        run(operation)
    assert half_migrated.exclude(EMPTY).count() == 3
    assert run(operation) == [3, 3, 1]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "operation",
    [
        BatchedUpdate("animal", {"registered_at": MOMENT}, EMPTY),
        SetNotNull("animal", "registered_at", models.DateTimeField()),
    ],
)
def test_one_transaction_for_all_is_refused(operation: Any) -> None:
    if isinstance(operation, SetNotNull) and connection.vendor != "postgresql":
        pytest.skip("elsewhere it is AlterField")
    state = MigrationExecutor(connection).loader.project_state(("animals", "0006_paststay"))
    with (
        pytest.raises(NotSupportedError, match="Say `atomic = False` in the migration's class"),
        connection.schema_editor() as editor,
    ):
        operation.database_forwards("animals", editor, state, state)


def test_they_are_written_and_described() -> None:
    fill = BatchedUpdate("animal", {"name": "x"}, models.Q(name=""), batch_size=5, pause=0.5)
    assert fill.describe() == "Fill name on animal in batches"
    text, imports = OperationWriter(fill, indentation=0).serialize()
    assert "batch_size=5" in text
    assert "pause=0.5" in text
    assert "import shelter.versioning.operations" in imports
    assert SetNotNull("animal", "name", models.TextField()).describe() == (
        "Set name on animal to NOT NULL"
    )


def test_a_batch_has_rows() -> None:
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        BatchedUpdate("animal", {}, EMPTY, batch_size=0)
