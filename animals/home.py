"""What staff look for first, as numbers: who is in care, who came and left, who waits longest."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.utils import timezone

from animals.models import Animal, Species, Status

# More than this are not counted: nobody reads such a number, and a page must not wait for it.
MOST_COUNTED = 50_000
LONGEST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """A number, its share of the greatest one in percent, and the list of what was counted."""

    label: str
    count: int
    share: int
    query: str


@dataclass(frozen=True, slots=True)
class Month:
    """How many animals came, or left, in a month up to today, and on which day.

    `days` is empty where `is_more` than are counted.
    """

    count: int
    days: tuple[Bar, ...]
    query: str
    is_more: bool = False


@dataclass(frozen=True, slots=True)
class Home:
    """What the home page shows; animals are counted by their latest stay, as the lists do."""

    in_care: int
    is_more: bool
    species: tuple[Bar, ...]
    intakes: Month
    outcomes: Month
    longest: tuple[tuple[Animal, int], ...]
    today: datetime.date


def home() -> Home:
    """Return what the home page shows, in queries whose cost is bounded."""
    today = timezone.localdate()
    in_care = Animal.objects.in_care().order_by()
    count = in_care[: MOST_COUNTED + 1].count()
    species = (
        dict(in_care.values_list("species").annotate(Count("pk"))) if count <= MOST_COUNTED else {}
    )
    most = max(species.values(), default=1)
    waiting = list(Animal.objects.in_care().order_by("intake_date", "id")[:LONGEST_SHOWN])
    longest = max((animal.days_in_care for animal in waiting), default=0)
    return Home(
        min(count, MOST_COUNTED),
        count > MOST_COUNTED,
        tuple(
            Bar(
                Species(kind).label,
                number,
                _share(number, most),
                f"status__exact={Status.IN_CARE}&species__exact={kind}",
            )
            for kind, number in sorted(species.items(), key=lambda item: (-item[1], item[0]))
        ),
        _month("intake_date", today),
        _month("outcome_date", today),
        tuple((animal, _share(animal.days_in_care, longest)) for animal in waiting),
        today,
    )


def _month(field: str, today: datetime.date) -> Month:
    first = today.replace(day=1)
    span = {f"{field}__gte": first, f"{field}__lte": today}
    rows = Animal.objects.filter(**span).order_by()
    count = rows[: MOST_COUNTED + 1].count()
    query = "&".join(f"{lookup}={day}" for lookup, day in span.items())
    if count > MOST_COUNTED:
        return Month(MOST_COUNTED, (), query, is_more=True)
    by_day: dict[datetime.date, int] = dict(rows.values_list(field).annotate(Count("pk")))
    most = max(by_day.values(), default=1)
    return Month(count, tuple(_days(first, field, by_day, most)), query)


def _days(
    first: datetime.date, field: str, by_day: dict[datetime.date, int], most: int
) -> Sequence[Bar]:
    length = calendar.monthrange(first.year, first.month)[1]
    days = [first + datetime.timedelta(days=number) for number in range(length)]
    counts = [by_day.get(day, 0) for day in days]
    return [
        Bar(f"{day.day} {day:%B}", number, _share(number, most), f"{field}__exact={day}")
        for day, number in zip(days, counts, strict=True)
    ]


def _share(number: int, most: int) -> int:
    """Return what is drawn of `number`: at least something where there is one."""
    return max(round(100 * number / most), 2) if number and most else 0
