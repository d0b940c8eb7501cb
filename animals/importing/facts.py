"""What several rows say of one animal, and what that adds to what is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

from animals.importing.records import Facts

UNKNOWN = Facts()

_NOTHING = {field.name: field.default for field in fields(Facts)}

_COMPARED = ("name", "species", "breed", "colour", "sex", "neutered", "birth_date")


def merged(told: Sequence[Facts]) -> Facts:
    """Return what `told`, in the order of time, say together: of each fact the latest known.

    A date of birth beats an estimate, and the first estimate, made when the animal was youngest,
    a later one.
    """
    if len(told) == 1:
        return told[0]
    values: dict[str, object] = {}
    for facts in told:
        for field in _COMPARED:
            if field != "birth_date" and (value := getattr(facts, field)) != _NOTHING[field]:
                values[field] = value
        if facts.name:
            values["named_by_staff"] = facts.named_by_staff
    dates = [facts for facts in told if facts.birth_date]
    if dates:
        exact = [facts for facts in dates if not facts.birth_date_estimated]
        best = exact[-1] if exact else dates[0]
        values["birth_date"] = best.birth_date
        values["birth_date_estimated"] = best.birth_date_estimated
    return replace(UNKNOWN, **values)  # type: ignore[arg-type]


def differing(told: Facts, kept: Facts) -> Iterator[str]:
    """Yield the names of the facts that both know and that differ.

    No difference: an estimate of the date of birth, which every age gives anew; and not neutered
    where it is known to be, since that was done between the two.
    """
    estimated = told.birth_date_estimated or kept.birth_date_estimated
    for field in _COMPARED:
        mine, other = getattr(told, field), getattr(kept, field)
        if mine == other or _NOTHING[field] in (mine, other):
            continue
        if (field == "neutered" and other) or (field == "birth_date" and estimated):
            continue
        yield field


def added(told: Facts, known: Facts, *, news: bool) -> dict[str, object]:
    """Return the facts that `told` adds to what is `known`: those that are empty there.

    Two that are not empty give way all the same: an estimated date of birth to one that is told,
    and, where the row is `news`, not neutered to neutered.
    """
    values: dict[str, object] = {
        field: getattr(told, field)
        for field in _COMPARED
        if getattr(known, field) == _NOTHING[field] != getattr(told, field)
    }
    if news and told.neutered and known.neutered is False:
        values["neutered"] = True
    exact = told.birth_date is not None and not told.birth_date_estimated
    if exact and known.birth_date_estimated:
        values["birth_date"] = told.birth_date
    if "birth_date" in values:
        values["birth_date_estimated"] = told.birth_date_estimated
    return values
