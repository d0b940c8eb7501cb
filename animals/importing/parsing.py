"""Rows of cells to records: what a source's row says, with nothing guessed."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

from django.db import models

from animals.importing.records import (
    Facts,
    IntakeRecord,
    Kind,
    OutcomeRecord,
    Record,
    RejectedRowError,
    Remark,
    Stay,
)
from animals.importing.sources import Source
from animals.importing.words import DUPLICATE, PLAIN_WORDS
from animals.models import Animal, Sex, Status
from animals.validators import CODE_PATTERN

Meaning = TypeVar("Meaning")

NAMED_BY_STAFF = "Named by staff"


class RowParser:
    """Turns the rows of one source into records; `header` is in its normal form."""

    def __init__(self, source: Source, header: list[str]) -> None:
        self._source = source
        self._width = len(header)
        position = {name: number for number, name in enumerate(header)}
        self.columns: Mapping[str, str] = {
            field: column
            for field, column in {**source.columns, **source.optional}.items()
            if column in position
        }
        """The column of the file for each field that it tells."""
        self._at = {field: position[column] for field, column in self.columns.items()}
        self._intake_notes, self._outcome_notes = (
            [
                (label, position[column], source.usual.get(column, ""))
                for column, label in notes.items()
                if column in position
            ]
            for notes in (source.intake_notes, source.outcome_notes)
        )
        self._dates: dict[str, datetime.date | None] = {"": None}

    def parse(self, line: int, row: list[str]) -> tuple[Record, list[Remark]]:
        """Return the record of `row`, and remarks on values left out or moved.

        Raises RejectedRowError.
        """
        if len(row) != self._width:
            raise RejectedRowError(
                Kind.CELLS,
                "",
                "",
                f"the row has {len(row)} cells, the header has {self._width}: look for a comma "
                "too many or a quote that is missing",
            )
        cells = [_folded(cell) for cell in row]
        remarks: list[Remark] = []
        if self._source.tells_intakes:
            return self._intake(line, cells, remarks), remarks
        return self._outcome_alone(line, cells, remarks), remarks

    def _intake(self, line: int, cells: list[str], remarks: list[Remark]) -> IntakeRecord:
        code = self._code(cells)
        intake_date = self._needed_date(cells, "intake_date")
        notes: list[str] = []
        facts = self._facts(line, cells, intake_date, notes, remarks)
        intake_type, word = self._word(cells, "intake_type", self._source.vocabulary.intake_types)
        if word.lower() not in PLAIN_WORDS:
            notes.append(f"Intake type: {word}")
        status, outcome_date, word = self._outcome(line, cells, intake_date, remarks)
        outcome_notes = [f"Outcome: {word}"] if word and word.lower() not in PLAIN_WORDS else []
        location = self._cell(cells, "location")
        if location and (outcome_date is not None or len(location) > _LENGTHS["location"]):
            # Where an animal was kept that has left is of its stay, not where it is.
            notes.append(f"Kennel: {location}")
            location = ""
        return IntakeRecord(
            line,
            code,
            facts,
            Stay(intake_date, intake_type.value, outcome_date, status.value),
            location,
            (*notes, *_notes(self._intake_notes, cells)),
            (*outcome_notes, *_notes(self._outcome_notes, cells)),
            word.lower() == DUPLICATE,
        )

    def _outcome_alone(self, line: int, cells: list[str], remarks: list[Remark]) -> OutcomeRecord:
        code = self._code(cells)
        date = self._needed_date(cells, "outcome_date")
        notes: list[str] = []
        facts = self._facts(line, cells, date, notes, remarks)
        status, word = self._outcome_word(line, cells, date, remarks)
        if word and word.lower() not in PLAIN_WORDS:
            notes.append(f"Outcome: {word}")
        return OutcomeRecord(
            line,
            code,
            facts,
            date,
            status.value,
            (*notes, *_notes(self._outcome_notes, cells)),
        )

    def _facts(
        self,
        line: int,
        cells: list[str],
        on: datetime.date,
        notes: list[str],
        remarks: list[Remark],
    ) -> Facts:
        """Return what the row says of the animal as it was `on` a day."""
        name = self._cell(cells, "name")
        named_by_staff = name.startswith("*")
        species, _ = self._word(cells, "species", self._source.vocabulary.species)
        sex: Sex = Sex.UNKNOWN
        neutered: bool | None = None
        if "sex" in self._at:
            (sex, neutered), _ = self._word(cells, "sex", self._source.vocabulary.sexes)
        birth_date, estimated = self._birth_date(line, cells, on, remarks)
        colours = self._cell(cells, "colour"), self._cell(cells, "second_colour")
        values = {
            "name": name.lstrip("* "),
            "breed": self._cell(cells, "breed"),
            "colour": " / ".join(filter(None, colours)),
        }
        for field, value in values.items():
            if len(value) > _LENGTHS[field]:
                notes.append(f"{field.capitalize()}: {value}")
                values[field] = ""
                reason = f"is longer than {_LENGTHS[field]} characters; kept in the notes"
                remarks.append(Remark(Kind.TOO_LONG, line, self.columns[field], value, reason))
        return Facts(
            name=values["name"],
            named_by_staff=named_by_staff and bool(values["name"]),
            species=species.value,
            breed=values["breed"],
            colour=values["colour"],
            sex=sex.value,
            neutered=neutered,
            birth_date=birth_date,
            birth_date_estimated=estimated,
        )

    def _cell(self, cells: list[str], field: str) -> str:
        at = self._at.get(field)
        return "" if at is None else cells[at]

    def _code(self, cells: list[str]) -> str:
        code = cells[self._at["code"]].upper()
        if not code:
            raise RejectedRowError(Kind.CODE, self.columns["code"], "", "there is no code")
        if len(code) > _LENGTHS["code"] or not _CODE.match(code):
            raise RejectedRowError(
                Kind.CODE,
                self.columns["code"],
                cells[self._at["code"]],
                f"is no code: letters, digits and hyphens, {_LENGTHS['code']} at most",
            )
        return code

    def _word(
        self, cells: list[str], field: str, meanings: Mapping[str, Meaning]
    ) -> tuple[Meaning, str]:
        """Return what the word in a column means, and the word."""
        word = cells[self._at[field]]
        meaning = meanings.get(word.lower())
        if meaning is None:
            known = ", ".join(repr(word) if "," in word else word for word in meanings if word)
            raise RejectedRowError(Kind.WORD, self.columns[field], word, f"is none of: {known}")
        return meaning, word

    def _needed_date(self, cells: list[str], field: str) -> datetime.date:
        date = self._date(cells, field)
        if date is None:
            raise RejectedRowError(Kind.DATE, self.columns[field], "", "there is no date")
        return date

    def _date(self, cells: list[str], field: str) -> datetime.date | None:
        """Return the date in a column; None for an empty cell."""
        text = cells[self._at[field]]
        if text not in self._dates:
            self._dates[text] = self._parse_date(field, text)
        return self._dates[text]

    def _parse_date(self, field: str, text: str) -> datetime.date:
        for form in self._source.date_formats:
            try:
                # The time of day is not kept, so neither is a time zone.
                return datetime.datetime.strptime(text, form).date()  # noqa: DTZ007
            except ValueError:
                continue
        example = datetime.datetime(2019, 1, 31, 16, 19).strftime(self._source.date_formats[0])  # noqa: DTZ001
        raise RejectedRowError(
            Kind.DATE, self.columns[field], text, f"is no date as {example} is one"
        )

    def _outcome(
        self, line: int, cells: list[str], intake_date: datetime.date, remarks: list[Remark]
    ) -> tuple[Status, datetime.date | None, str]:
        """Return the stay's status, when it ended, and the file's word for how."""
        if not self._source.tells_outcomes:
            return Status.IN_CARE, None, ""
        date = self._date(cells, "outcome_date")
        if date is None:
            word = cells[self._at["outcome"]]
            if word:
                raise RejectedRowError(
                    Kind.OUTCOME, self.columns["outcome"], word, "is an outcome without a date"
                )
            return Status.IN_CARE, None, ""
        if date < intake_date:
            raise RejectedRowError(
                Kind.OUTCOME,
                self.columns["outcome_date"],
                cells[self._at["outcome_date"]],
                f"is before the intake date {intake_date}",
            )
        status, word = self._outcome_word(line, cells, date, remarks)
        return status, date, word

    def _outcome_word(
        self, line: int, cells: list[str], date: datetime.date, remarks: list[Remark]
    ) -> tuple[Status, str]:
        if cells[self._at["outcome"]]:
            return self._word(cells, "outcome", self._source.vocabulary.outcomes)
        reason = f"the stay ended on {date}, and it is not said how; kept as another outcome"
        remarks.append(Remark(Kind.NO_OUTCOME_TYPE, line, self.columns["outcome"], "", reason))
        return Status.OTHER_OUTCOME, ""

    def _birth_date(
        self, line: int, cells: list[str], on: datetime.date, remarks: list[Remark]
    ) -> tuple[datetime.date | None, bool]:
        """Return the date of birth, and whether it is an estimate made of an age."""
        if "age" in self._at:
            age = cells[self._at["age"]]
            date = estimated_birth_date(age, on)
            if date is None and age.lower() not in ("", "null"):
                reason = "is no age that gives a date of birth; left empty"
                remarks.append(Remark(Kind.BIRTH_DATE, line, self.columns["age"], age, reason))
            return date, date is not None
        if "birth_date" not in self._at:
            return None, False
        try:
            date = self._date(cells, "birth_date")
        except RejectedRowError as error:
            reason = f"{error.reason}; left empty"
            remarks.append(Remark(Kind.BIRTH_DATE, line, error.column, error.value, reason))
            return None, False
        if date is not None and date > on:
            column, text = self.columns["birth_date"], cells[self._at["birth_date"]]
            what = "intake" if self._source.tells_intakes else "outcome"
            reason = f"is after the {what} date {on}; left empty"
            remarks.append(Remark(Kind.BIRTH_DATE, line, column, text, reason))
            return None, False
        return date, False


_CODE = re.compile(CODE_PATTERN)

_LENGTHS: Mapping[str, int] = {
    name: cast("models.CharField[str, str]", Animal._meta.get_field(name)).max_length or 0
    for name in ("code", "name", "breed", "colour", "location")
}


def _folded(cell: str) -> str:
    """Return `cell` with white space folded; NA, R's word for nothing, is empty."""
    folded = " ".join(cell.split())
    return "" if folded == "NA" else folded


def _notes(columns: Iterable[tuple[str, int, str]], cells: list[str]) -> Iterable[str]:
    return (f"{label}: {cells[at]}" for label, at, usual in columns if cells[at] not in ("", usual))


_AGE = re.compile(r"([1-9][0-9]{0,2}) (day|week|month|year)s?")


def estimated_birth_date(age: str, on: datetime.date) -> datetime.date | None:
    """Return the date of birth of an animal that is `age` ("2 years") old `on` a day.

    None for what gives none: an empty cell, a negative number or nought (both occur), more years
    than the calendar has.
    """
    match = _AGE.fullmatch(age.lower())
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    try:
        if unit in ("day", "week"):
            return on - datetime.timedelta(days=number * (7 if unit == "week" else 1))
        months = on.year * 12 + on.month - 1 - number * (12 if unit == "year" else 1)
        first = datetime.date(months // 12, months % 12 + 1, 1)
    except (OverflowError, ValueError):
        return None
    # The 31st a month ago may not exist; the last day of that month does.
    last_day = ((first + datetime.timedelta(days=31)).replace(day=1) - first).days
    return first.replace(day=min(on.day, last_day))
