"""The files of each city: their columns, and how they are told apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from animals.importing import words
from animals.importing.records import UnusableFileError


@dataclass(frozen=True, slots=True)
class Source:
    """A city's file: for each thing kept here, the column that tells it.

    Columns are named as `normalise_header` gives them. `columns` must be there, `optional` ones
    may. `intake_notes` and `outcome_notes` map a column that has no field here to the words that
    stand before its value in the notes; a value that is the column's in `usual` goes without
    saying. The first of `date_formats`, which are those of `strptime`, is the one errors name.
    """

    name: str
    title: str
    vocabulary: words.Vocabulary
    columns: Mapping[str, str]
    optional: Mapping[str, str]
    intake_notes: Mapping[str, str]
    outcome_notes: Mapping[str, str]
    date_formats: tuple[str, ...]
    usual: Mapping[str, str] = field(default_factory=dict)

    @property
    def tells_intakes(self) -> bool:
        """Whether the file tells when a stay began."""
        return "intake_date" in self.columns

    @property
    def tells_outcomes(self) -> bool:
        """Whether the file tells how a stay ended."""
        return "outcome_date" in self.columns

    def missing(self, header: Iterable[str]) -> list[str]:
        """Return the columns that `header` lacks."""
        there = set(header)
        return [column for column in self.columns.values() if column not in there]

    def unread(self, header: Iterable[str]) -> list[str]:
        """Return the columns of `header` that an import does not look at."""
        read = {
            *self.columns.values(),
            *self.optional.values(),
            *self.intake_notes,
            *self.outcome_notes,
        }
        return [column for column in header if column not in read]


LONG_BEACH = Source(
    name="longbeach",
    title="City of Long Beach",
    vocabulary=words.LONG_BEACH,
    columns={
        "code": "animal_id",
        "species": "animal_type",
        "sex": "sex",
        "birth_date": "dob",
        "intake_date": "intake_date",
        "intake_type": "intake_type",
        "outcome_date": "outcome_date",
        "outcome": "outcome_type",
    },
    optional={"name": "animal_name", "colour": "primary_color", "second_colour": "secondary_color"},
    intake_notes={
        "intake_condition": "Intake condition",
        "intake_subtype": "Intake subtype",
        "reason_for_intake": "Reason for intake",
        "jurisdiction": "Jurisdiction",
        "intake_is_dead": "Alive or dead at intake",
    },
    outcome_notes={"outcome_subtype": "Outcome subtype"},
    date_formats=("%Y-%m-%d",),
    usual={"intake_is_dead": "Alive on Intake"},
)

_AUSTIN_DATES = ("%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S", "%m/%d/%Y", "%Y-%m-%d")

AUSTIN = Source(
    name="austin",
    title="City of Austin, intakes",
    vocabulary=words.AUSTIN,
    columns={
        "code": "animal_id",
        "species": "animal_type",
        "sex": "sex_upon_intake",
        "age": "age_upon_intake",
        "intake_date": "datetime",
        "intake_type": "intake_type",
    },
    optional={"name": "name", "breed": "breed", "colour": "color"},
    intake_notes={"intake_condition": "Intake condition", "found_location": "Found location"},
    outcome_notes={},
    date_formats=_AUSTIN_DATES,
)

AUSTIN_OUTCOMES = Source(
    name="austin-outcomes",
    title="City of Austin, outcomes",
    vocabulary=words.AUSTIN,
    columns={
        "code": "animal_id",
        "species": "animal_type",
        "sex": "sex_upon_outcome",
        "birth_date": "date_of_birth",
        "outcome_date": "datetime",
        "outcome": "outcome_type",
    },
    optional={"name": "name", "breed": "breed", "colour": "color"},
    intake_notes={},
    outcome_notes={"outcome_subtype": "Outcome subtype"},
    date_formats=_AUSTIN_DATES,
)

DALLAS = Source(
    name="dallas",
    title="City of Dallas",
    vocabulary=words.DALLAS,
    columns={
        "code": "animal_id",
        "species": "animal_type",
        "breed": "animal_breed",
        "intake_date": "intake_date",
        "intake_type": "intake_type",
        "outcome_date": "outcome_date",
        "outcome": "outcome_type",
    },
    optional={"location": "kennel_number"},
    intake_notes={
        "intake_condition": "Intake condition",
        "intake_subtype": "Intake subtype",
        "reason": "Reason for intake",
        "hold_request": "Hold request",
        "chip_status": "Chip status",
        "animal_origin": "Origin",
        "additional_information": "Additional information",
    },
    outcome_notes={
        "outcome_subtype": "Outcome subtype",
        "outcome_condition": "Outcome condition",
    },
    date_formats=("%m/%d/%Y", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d"),
)

SOURCES: Mapping[str, Source] = {
    source.name: source for source in (LONG_BEACH, AUSTIN, AUSTIN_OUTCOMES, DALLAS)
}


_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def normalise_header(cells: Iterable[str]) -> list[str]:
    """Return the names of columns in one form: `Animal ID` and `Animal_Id` are `animal_id`.

    Raises UnusableFileError where a name is missing or occurs twice, or where the header is one
    cell with marks in it that separate others' cells.
    """
    cells = list(cells)
    for mark, name in _OTHER_DELIMITERS.items():
        if len(cells) == 1 and mark in cells[0]:
            raise UnusableFileError(
                f"Line 1, the header, has its cells separated by {name}. "
                "Save the file with commas between the cells."
            )
    names = [re.sub(r"[\s_]+", "_", cell.strip().lower()) for cell in cells]
    unnamed = [str(number) for number, name in enumerate(names, 1) if not name]
    if unnamed:
        raise UnusableFileError(
            f"Line 1, the header, has no name for column {', '.join(unnamed)}. "
            "Name it or remove the column."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UnusableFileError(
            f"Line 1, the header, names {', '.join(twice)} twice, so it cannot be told which is "
            "meant. Rename or remove one."
        )
    return names


def detect_source(header: list[str], forced: str | None = None) -> Source:
    """Return the one source whose columns `header` has; with `forced`, that one.

    Raises UnusableFileError with what was expected where columns are missing.
    """
    candidates = [SOURCES[forced]] if forced else list(SOURCES.values())
    fitting = [source for source in candidates if not source.missing(header)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UnusableFileError(
            f"Line 1, the header, fits {' and '.join(source.name for source in fitting)}. "
            "Say which it is with --source."
        )
    expected = "\n".join(
        f"  {source.name} ({source.title}) expects: {', '.join(source.columns.values())}; "
        f"missing: {', '.join(source.missing(header))}"
        for source in candidates
    )
    whose = f"does not fit the source {forced}" if forced else "fits no known source"
    raise UnusableFileError(f"Line 1, the header, {whose}.\n{expected}")
