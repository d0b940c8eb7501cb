"""A plan carried out, and what it is made against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import TypeVar

from django.utils import timezone

from animals.importing.bulk import insert_rows, update_rows
from animals.importing.planning import KnownAnimal, KnownStay, NewAnimal, Plan
from animals.importing.records import Facts, Stay
from animals.models import Animal, PastStay, Status

Item = TypeVar("Item")

# SQLite takes at most 32,766 parameters a statement in common builds.
_BATCH = 5000

_FACTS = tuple(field.name for field in fields(Facts) if field.name != "named_by_staff")
_STAY = tuple(field.name for field in fields(Stay))


def known_animals(codes: Iterable[str], *, using: str, lock: bool) -> dict[str, KnownAnimal]:
    """Return the animals that are here under `codes`; `lock` them where the database can.

    A lock needs a transaction. Rows are locked in the order of their ids, by every import alike.
    """
    found: dict[str, KnownAnimal] = {}
    animals = Animal.objects.using(using).order_by("id")
    if lock:
        animals = animals.select_for_update()
    for batch in _batches(sorted(codes)):
        rows = list(animals.filter(code__in=batch).values("id", "code", "notes", *_FACTS, *_STAY))
        past = _past_stays([row["id"] for row in rows], using)
        for row in rows:
            found[row["code"]] = KnownAnimal(
                id=row["id"],
                facts=Facts(**{name: row[name] for name in _FACTS}),
                notes=row["notes"].replace("\r\n", "\n"),
                stay=Stay(*(row[name] for name in _STAY)),
                past=tuple(past[row["id"]]),
            )
    return found


def _past_stays(animals: list[int], using: str) -> dict[int, list[KnownStay]]:
    found: dict[int, list[KnownStay]] = defaultdict(list)
    stays = PastStay.objects.using(using).filter(animal__in=animals).order_by("id")
    columns = ("id", "animal_id", "intake_date", "intake_type", "outcome_date", "outcome", "notes")
    for key, animal, intake_date, intake_type, outcome_date, outcome, notes in stays.values_list(
        *columns
    ):
        # A past stay without an outcome is one that the source did not say the end of.
        stay = Stay(intake_date, intake_type, outcome_date, outcome or Status.IN_CARE.value)
        found[animal].append(KnownStay(key, stay, notes))
    return found


def carry_out(plan: Plan, *, using: str, advance: Callable[[int], object] = lambda _: None) -> None:
    """Write what `plan` says; `advance` is told how many rows were written.

    Call it in a transaction. Raises IntegrityError where somebody changed the animals since the
    plan was made.
    """
    now = timezone.now()
    for animals in _batches(plan.new_animals):
        insert_rows(
            Animal,
            (_animal(animal) | {"registered_at": now, "updated_at": now} for animal in animals),
            using=using,
        )
        advance(len(animals))
        again = {animal.code: animal.past for animal in animals if animal.past}
        if again:
            ids = Animal.objects.using(using).filter(code__in=again).values_list("code", "id")
            stays = [
                _past_stay(key, stay, notes) for code, key in ids for stay, notes in again[code]
            ]
            insert_rows(PastStay, stays, using=using)
            advance(len(stays))
    for changes in _batches(plan.animal_changes):
        update_rows(
            Animal,
            ((change.id, {**change.values, "updated_at": now}) for change in changes),
            using=using,
        )
        advance(len(changes))
    # Before others are added: what ends is no longer the open stay that there may be one of a day.
    for ended in _batches(plan.ended_past_stays):
        update_rows(
            PastStay,
            ((past.id, _stay_columns(past.stay) | {"notes": past.notes}) for past in ended),
            using=using,
        )
        advance(len(ended))
    for added in _batches(plan.new_past_stays):
        insert_rows(
            PastStay,
            (_past_stay(past.animal_id, past.stay, past.notes) for past in added),
            using=using,
        )
        advance(len(added))


def _animal(animal: NewAnimal) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(animal.facts, name) for name in _FACTS}
    values |= {name: getattr(animal.stay, name) for name in _STAY}
    return values | {"code": animal.code, "location": animal.location, "notes": animal.notes}


def _past_stay(animal: int, stay: Stay, notes: str) -> dict[str, object]:
    return {
        "animal_id": animal,
        "intake_date": stay.intake_date,
        "intake_type": stay.intake_type,
        **_stay_columns(stay),
        "notes": notes,
    }


def _stay_columns(stay: Stay) -> dict[str, object]:
    outcome = "" if stay.outcome_date is None else stay.status
    return {"outcome_date": stay.outcome_date, "outcome": outcome}


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    items = list(items)
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
