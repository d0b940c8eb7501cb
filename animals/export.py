"""Animals as CSV, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from animals.models import Animal

COLUMNS = (
    "code",
    "name",
    "species",
    "breed",
    "colour",
    "sex",
    "neutered",
    "birth_date",
    "birth_date_estimated",
    "microchip",
    "intake_date",
    "intake_type",
    "status",
    "outcome_date",
    "location",
    "notes",
)


def defused(value: object) -> str:
    """Return `value` as the text of a cell that no spreadsheet takes for a formula.

    The rule is OWASP's for CSV injection: what begins with one of = + - @, a tab or a carriage
    return gets an apostrophe before it.
    """
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_lines(animals: Iterable[Animal]) -> Iterator[str]:
    """Yield the lines of a CSV file, the header first.

    It begins with a byte order mark, by which spreadsheets know UTF-8.
    """
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)
    for animal in animals:
        yield writer.writerow(defused(getattr(animal, name)) for name in COLUMNS)
