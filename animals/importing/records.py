"""What a file says, a row at a time."""

from __future__ import annotations

import datetime
import enum
from dataclasses import dataclass


class UnusableFileError(Exception):
    """The file as a whole cannot be imported; the message says where and why, and what to do."""


class Kind(enum.StrEnum):
    """What a remark is about, under the id that reports give it. E rejects the row, N does not."""

    CELLS = "importing.E001"
    CODE = "importing.E002"
    WORD = "importing.E003"
    DATE = "importing.E004"
    OUTCOME = "importing.E005"
    NO_STAY = "importing.E006"
    BIRTH_DATE = "importing.N001"
    NO_OUTCOME_TYPE = "importing.N002"
    DUPLICATE = "importing.N003"
    CALLED_DUPLICATE = "importing.N004"
    STAYS = "importing.N005"
    DIFFERS = "importing.N006"
    TOO_LONG = "importing.N007"

    @property
    def rejects(self) -> bool:
        """Whether the row is rejected."""
        return self.value.startswith("importing.E")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about one row: why it was rejected, or what of it was left out or is odd."""

    kind: Kind
    line: int
    column: str
    value: str
    reason: str

    @property
    def rejected(self) -> bool:
        """Whether the row was rejected."""
        return self.kind.rejects


class RejectedRowError(Exception):
    """A row cannot be imported, for what stands in one column."""

    def __init__(self, kind: Kind, column: str, value: str, reason: str) -> None:
        super().__init__(kind, column, value, reason)
        self.kind = kind
        self.column = column
        self.value = value
        self.reason = reason

    def at(self, line: int) -> Remark:
        """Return the remark that names the row on `line`."""
        return Remark(self.kind, line, self.column, self.value, self.reason)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a row says of the animal itself. What it does not say is empty, unknown or None."""

    name: str = ""
    named_by_staff: bool = False
    species: str = ""
    breed: str = ""
    colour: str = ""
    sex: str = "unknown"
    neutered: bool | None = None
    birth_date: datetime.date | None = None
    birth_date_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay. `status` is in care where no outcome is told; two equal ones are one stay."""

    intake_date: datetime.date
    intake_type: str
    outcome_date: datetime.date | None
    status: str

    @property
    def order(self) -> tuple[datetime.date, bool, datetime.date]:
        """Stays in the order of time; of those that began on one day, the open one is last."""
        return self.intake_date, self.outcome_date is None, self.outcome_date or self.intake_date


@dataclass(frozen=True, slots=True)
class IntakeRecord:
    """A row of intakes: an animal and one stay of it.

    `line` is where the row begins, counted from 1. The notes are lines of text.
    `called_duplicate`: the shelter's outcome of the stay is that the row is a duplicate.
    """

    line: int
    code: str
    facts: Facts
    stay: Stay
    location: str
    intake_notes: tuple[str, ...]
    outcome_notes: tuple[str, ...]
    called_duplicate: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """All that is noted of the stay."""
        return self.intake_notes + self.outcome_notes


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """A row of outcomes alone: how a stay ended, without saying when it began."""

    line: int
    code: str
    facts: Facts
    outcome_date: datetime.date
    status: str
    outcome_notes: tuple[str, ...]


Record = IntakeRecord | OutcomeRecord
