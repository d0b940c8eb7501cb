"""What an import would change, as a value.

An animal is known by its code, and a stay of it by its dates. Of what is here already only what is
empty is filled and only what is open is ended: what people entered stays, and where the file says
otherwise a remark tells.
"""

from __future__ import annotations

import datetime
import enum
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from animals.importing import facts as facts_of
from animals.importing.parsing import NAMED_BY_STAFF
from animals.importing.records import Facts, IntakeRecord, Kind, OutcomeRecord, Record, Remark, Stay
from animals.models import Status


class Fate(enum.StrEnum):
    """What becomes of a row. Each row has one."""

    NEW_ANIMAL = "new_animals"
    NEW_STAY = "new_stays"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicates"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class KnownStay:
    """An earlier stay that is here."""

    id: int
    stay: Stay
    notes: str


@dataclass(frozen=True, slots=True)
class KnownAnimal:
    """An animal that is here, with its latest stay and its earlier ones."""

    id: int
    facts: Facts
    notes: str
    stay: Stay
    past: tuple[KnownStay, ...] = ()

    @property
    def stays(self) -> tuple[Stay, ...]:
        """All its stays."""
        return self.stay, *(past.stay for past in self.past)


@dataclass(frozen=True, slots=True)
class NewAnimal:
    """An animal to be made, with its latest stay; `past` are the earlier ones and their notes."""

    code: str
    facts: Facts
    stay: Stay
    location: str
    notes: str
    past: tuple[tuple[Stay, str], ...]


@dataclass(frozen=True, slots=True)
class AnimalChange:
    """New values of columns of the animal `id`."""

    id: int
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NewPastStay:
    """An earlier stay to be added to an animal that is here."""

    animal_id: int
    stay: Stay
    notes: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would change, and what becomes of each row.

    `ended_past_stays` are earlier stays, by their ids, whose outcome is now known.
    """

    new_animals: tuple[NewAnimal, ...]
    animal_changes: tuple[AnimalChange, ...]
    new_past_stays: tuple[NewPastStay, ...]
    ended_past_stays: tuple[KnownStay, ...]
    counts: Mapping[Fate, int]
    remarks: tuple[Remark, ...]

    @property
    def writes(self) -> int:
        """How many rows of the database it would write."""
        return (
            len(self.new_animals)
            + sum(len(animal.past) for animal in self.new_animals)
            + len(self.animal_changes)
            + len(self.new_past_stays)
            + len(self.ended_past_stays)
        )


def make_plan(
    records: Iterable[Record],
    known: Mapping[str, KnownAnimal],
    remarks: Iterable[Remark],
    *,
    columns: Mapping[str, str],
    tells_outcomes: bool,
) -> Plan:
    """Return what importing `records` would change, where `known` animals are here, by code.

    `remarks` are those of reading. `columns` are the file's columns by field, for remarks to name;
    `tells_outcomes`: a record without an outcome is of a stay that goes on.
    """
    planner = _Planner(known, columns, tells_outcomes, list(remarks))
    for remark in planner.remarks:
        if remark.rejected:
            planner.fates[remark.line] = Fate.REJECTED
    intakes: dict[str, list[IntakeRecord]] = defaultdict(list)
    outcomes: dict[str, list[OutcomeRecord]] = defaultdict(list)
    for record in records:
        if isinstance(record, IntakeRecord):
            intakes[record.code].append(record)
        else:
            outcomes[record.code].append(record)
    for code, of_animal in intakes.items():
        planner.plan_intakes(code, of_animal)
    for code, ended in outcomes.items():
        planner.plan_outcomes(code, ended)
    counts = Counter(planner.fates.values())
    return Plan(
        tuple(planner.new_animals),
        tuple(planner.animal_changes),
        tuple(planner.new_past_stays),
        tuple(planner.ended_past_stays),
        {fate: counts[fate] for fate in Fate},
        tuple(sorted(planner.remarks, key=lambda remark: (remark.line, remark.kind))),
    )


class _Likeness(enum.Enum):
    """How a stay that is here can be the one a row tells of, the surest first."""

    SAME = enum.auto()
    ENDED_NOW = enum.auto()
    OUTCOME_NOT_TOLD = enum.auto()
    SAME_DAY = enum.auto()
    SAME_END = enum.auto()


_LIKENESSES: Mapping[_Likeness, Callable[[Stay, Stay], bool]] = {
    _Likeness.SAME: lambda here, told: here == told,
    _Likeness.ENDED_NOW: lambda here, told: (
        _same_beginning(here, told) and here.outcome_date is None
    ),
    _Likeness.OUTCOME_NOT_TOLD: lambda here, told: (
        _same_beginning(here, told) and told.outcome_date is None
    ),
    _Likeness.SAME_DAY: lambda here, told: here.intake_date == told.intake_date,
    _Likeness.SAME_END: lambda here, told: (
        told.outcome_date is not None
        and (here.outcome_date, here.status) == (told.outcome_date, told.status)
    ),
}


def _same_beginning(here: Stay, told: Stay) -> bool:
    return (here.intake_date, here.intake_type) == (told.intake_date, told.intake_type)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A stay in the course of an animal's stays; `line` is the file's, None for one here only."""

    stay: Stay
    line: int | None

    @property
    def label(self) -> str:
        return (
            f"the stay of line {self.line}" if self.line else f"the stay here, {_words(self.stay)},"
        )


@dataclass(slots=True)
class _Draft:
    """An animal that is here, with the values and the notes it is to have."""

    here: KnownAnimal
    values: dict[str, object]
    notes: str


# The latest stay of an animal stands under None, an earlier one under its id.
_At = int | None


@dataclass(slots=True)
class _Planner:
    known: Mapping[str, KnownAnimal]
    columns: Mapping[str, str]
    tells_outcomes: bool
    remarks: list[Remark]
    fates: dict[int, Fate] = field(default_factory=dict)
    new_animals: list[NewAnimal] = field(default_factory=list)
    animal_changes: list[AnimalChange] = field(default_factory=list)
    new_past_stays: list[NewPastStay] = field(default_factory=list)
    ended_past_stays: list[KnownStay] = field(default_factory=list)

    # --- Intakes ---------------------------------------------------------------------------------

    def plan_intakes(self, code: str, records: Sequence[IntakeRecord]) -> None:
        here = self.known.get(code)
        records = self._distinct(records, here.stays if here else ())
        if not records:
            return
        told = self._merged(records)
        if here is not None:
            self._plan_known(here, records, told)
            return
        if len(records) > 1:
            told = self._with_possible_birth_date(told, records, [r.stay for r in records])
            self._note_course([_Entry(record.stay, record.line) for record in records])
        *past, latest = records
        self.new_animals.append(
            NewAnimal(
                code,
                told,
                latest.stay,
                latest.location,
                _joined(NAMED_BY_STAFF if told.named_by_staff else "", *latest.notes),
                tuple((record.stay, _joined(*record.notes)) for record in past),
            )
        )
        self.fates[latest.line] = Fate.NEW_ANIMAL
        for record in past:
            self.fates[record.line] = Fate.NEW_STAY

    def _distinct(
        self, records: Sequence[IntakeRecord], here: Sequence[Stay]
    ) -> list[IntakeRecord]:
        """Return the rows of different stays in the order of time, and name the others."""
        first: dict[Stay, IntakeRecord] = {}
        for record in records:
            same = first.setdefault(record.stay, record)
            if same is not record:
                self._duplicate(record, f"is the stay of line {same.line} again", same)
        for record in [record for record in first.values() if record.called_duplicate]:
            if record.stay in here:
                continue
            day = record.stay.intake_date
            other = next(
                (r for r in first.values() if r.stay.intake_date == day and r is not record), None
            )
            if other is not None:
                del first[record.stay]
                self._duplicate(record, f"is a duplicate, of line {other.line}, in its own words")
            elif any(stay.intake_date == day for stay in here):
                del first[record.stay]
                self._duplicate(record, "is a duplicate, of a stay here, in its own words")
            else:
                reason = "is a duplicate in its own words, but of no row here; kept"
                self._remark(Kind.CALLED_DUPLICATE, record, "outcome", "duplicate", reason)
        return sorted(first.values(), key=lambda record: (record.stay.order, record.line))

    def _duplicate(
        self, record: Record, reason: str, same: IntakeRecord | OutcomeRecord | None = None
    ) -> None:
        self.fates[record.line] = Fate.DUPLICATE
        reason += "; counted once"
        if isinstance(record, IntakeRecord) and isinstance(same, IntakeRecord):
            more = [note for note in record.notes if note not in same.notes]
            if more:
                reason += f", without its {'; '.join(more)}"
        self._remark(Kind.DUPLICATE, record, "code", record.code, reason)

    def _merged(self, records: Sequence[Record]) -> Facts:
        """Return what the rows say together of the animal, and name what they differ in."""
        if len(records) == 1:
            return records[0].facts
        told = facts_of.merged([record.facts for record in records])
        for record in records:
            for name in facts_of.differing(record.facts, told):
                value, taken = getattr(record.facts, name), getattr(told, name)
                reason = f"another row of the animal says {taken}, which is taken"
                self._remark(Kind.DIFFERS, record, name, str(value), reason)
        return told

    def _with_possible_birth_date(
        self, told: Facts, records: Sequence[Record], stays: Iterable[Stay]
    ) -> Facts:
        """Return `told` without a date of birth that is after one of the `stays` began."""
        earliest = min(stay.intake_date for stay in stays)
        if told.birth_date is None or told.birth_date <= earliest:
            return told
        for record in records:
            if record.facts.birth_date is not None and record.facts.birth_date > earliest:
                value = record.facts.birth_date.isoformat()
                reason = f"is after an earlier intake date of the animal, {earliest}; left empty"
                name = "age" if "age" in self.columns else "birth_date"
                self._remark(Kind.BIRTH_DATE, record, name, value, reason)
        return replace(told, birth_date=None, birth_date_estimated=False)

    def _plan_known(self, here: KnownAnimal, records: Sequence[IntakeRecord], told: Facts) -> None:
        matched = self._matched(here, records)
        stays: dict[_At, Stay] = {None: here.stay, **{past.id: past.stay for past in here.past}}
        lines: dict[_At, int] = {}
        ended: dict[_At, IntakeRecord] = {}
        for at, (record, likeness) in matched.items():
            lines[at] = record.line
            self.fates[record.line] = Fate.UNCHANGED
            if likeness is _Likeness.ENDED_NOW:
                ended[at] = record
                self.fates[record.line] = Fate.UPDATED
            elif likeness is not _Likeness.SAME and (
                self.tells_outcomes or likeness is not _Likeness.OUTCOME_NOT_TOLD
            ):
                reason = f"says {_words(record.stay)}; here it is {_words(stays[at])}, which stays"
                self._remark_stay(Kind.DIFFERS, record.line, record.stay, reason)
        matched_lines = set(lines.values())
        added = [record for record in records if record.line not in matched_lines]
        for record in added:
            self.fates[record.line] = Fate.NEW_STAY

        told = self._with_possible_birth_date(
            told, records, [*here.stays, *(record.stay for record in records)]
        )
        for record in added:
            if here.facts.birth_date and here.facts.birth_date > record.stay.intake_date:
                reason = f"begins before the date of birth that is here, {here.facts.birth_date}"
                self._remark_stay(Kind.BIRTH_DATE, record.line, record.stay, reason)
        draft = self._filled(here, records, told, news=bool(ended or added))
        self._end_stays(draft, ended)
        stays.update({at: record.stay for at, record in ended.items()})
        self._add_stays(draft, matched.get(None, (None,))[0], stays[None], added)
        self._finish(draft)
        self._note_course(
            [_Entry(stay, lines.get(at)) for at, stay in stays.items()]
            + [_Entry(record.stay, record.line) for record in added]
        )

    @staticmethod
    def _matched(
        here: KnownAnimal, records: Sequence[IntakeRecord]
    ) -> dict[_At, tuple[IntakeRecord, _Likeness]]:
        """Return which row tells of which stay that is here, the surest likeness first."""
        free: dict[_At, Stay] = {None: here.stay, **{past.id: past.stay for past in here.past}}
        rest = list(records)
        matched: dict[_At, tuple[IntakeRecord, _Likeness]] = {}
        for likeness, alike in _LIKENESSES.items():
            unmatched = []
            for record in rest:
                at: _At | bool = next(
                    (at for at, stay in free.items() if alike(stay, record.stay)), False
                )
                if at is False:
                    unmatched.append(record)
                else:
                    matched[at] = (record, likeness)
                    del free[at]
            rest = unmatched
        return matched

    def _filled(
        self, here: KnownAnimal, records: Sequence[Record], told: Facts, *, news: bool
    ) -> _Draft:
        """Return a draft of the animal with what `told` adds to it."""
        latest = records[-1]
        draft = _Draft(here, facts_of.added(told, here.facts, news=news), here.notes)
        for name in facts_of.differing(told, here.facts):
            if name not in draft.values:
                reason = f"here it is {getattr(here.facts, name)}, which stays"
                self._remark(Kind.DIFFERS, latest, name, str(getattr(told, name)), reason)
        if draft.values and self.fates[latest.line] is Fate.UNCHANGED:
            self.fates[latest.line] = Fate.UPDATED
        if "name" in draft.values and told.named_by_staff:
            draft.notes = _joined(draft.notes, NAMED_BY_STAFF)
        return draft

    def _end_stays(self, draft: _Draft, ended: Mapping[_At, IntakeRecord | OutcomeRecord]) -> None:
        for past in draft.here.past:
            if past.id in ended:
                record = ended[past.id]
                notes = _joined(past.notes, *record.outcome_notes)
                stay = _ended(past.stay, record)
                self.ended_past_stays.append(KnownStay(past.id, stay, notes))
        if None in ended:
            stay = _ended(draft.here.stay, ended[None])
            draft.values |= {"status": stay.status, "outcome_date": stay.outcome_date}
            draft.notes = _joined(draft.notes, *ended[None].outcome_notes)

    def _add_stays(
        self,
        draft: _Draft,
        former: IntakeRecord | None,
        current: Stay,
        added: Sequence[IntakeRecord],
    ) -> None:
        """Add stays; `current` is the latest so far, and `former` the row that tells of it."""
        here = draft.here
        later = [record for record in added if record.stay.order > current.order]
        if later:
            latest = later[-1]
            draft.notes, past_notes = _handed_over(draft.notes, former)
            if current not in [past.stay for past in here.past]:
                self.new_past_stays.append(NewPastStay(here.id, current, past_notes))
            if draft.notes not in ("", NAMED_BY_STAFF) and latest.notes:
                draft.notes = _joined(draft.notes, f"Stay from {latest.stay.intake_date}:")
            draft.notes = _joined(draft.notes, *latest.notes)
            draft.values |= {
                "intake_date": latest.stay.intake_date,
                "intake_type": latest.stay.intake_type,
                "status": latest.stay.status,
                "outcome_date": latest.stay.outcome_date,
            }
            if latest.location:
                draft.values["location"] = latest.location
            added = [record for record in added if record is not latest]
        self.new_past_stays += [
            NewPastStay(here.id, record.stay, _joined(*record.notes)) for record in added
        ]

    def _finish(self, draft: _Draft) -> None:
        if draft.notes != draft.here.notes:
            draft.values["notes"] = draft.notes
        if draft.values:
            self.animal_changes.append(AnimalChange(draft.here.id, draft.values))

    def _note_course(self, entries: list[_Entry]) -> None:
        """Name stays that overlap, begin after the animal's death, or have no known end."""
        entries.sort(key=lambda entry: entry.stay.order)
        before = entries[0]
        for entry in entries[1:]:
            if before.stay.outcome_date is None:
                # Where a file tells no outcomes this is how every animal's first stay looks.
                if self.tells_outcomes:
                    self._note_pair(
                        before, entry, f"begins after {before.label} with no outcome; both are kept"
                    )
            elif before.stay.outcome_date > entry.stay.intake_date:
                self._note_pair(before, entry, f"begins before {before.label} ended; both are kept")
            elif before.stay.status in (Status.DIED, Status.EUTHANISED):
                self._note_pair(
                    before, entry, f"begins after {before.label} ended in death; both are kept"
                )
            # A long stay may overlap several later ones.
            if _end(entry.stay) >= _end(before.stay):
                before = entry

    def _note_pair(self, before: _Entry, after: _Entry, reason: str) -> None:
        if after.line is not None:
            self._remark_stay(Kind.STAYS, after.line, after.stay, reason)
        elif before.line is not None:
            reason = f"is followed by {after.label} which {reason}"
            self._remark_stay(Kind.STAYS, before.line, before.stay, reason)

    # --- Outcomes alone --------------------------------------------------------------------------

    def plan_outcomes(self, code: str, records: Sequence[OutcomeRecord]) -> None:
        first: dict[tuple[datetime.date, str], OutcomeRecord] = {}
        for record in records:
            same = first.setdefault((record.outcome_date, record.status), record)
            if same is not record:
                self._duplicate(record, f"is the outcome of line {same.line} again")
        here = self.known.get(code)
        if here is None:
            for record in first.values():
                self._reject(record, "no animal with this code is here; import its intake first")
            return
        free: dict[_At, Stay] = {None: here.stay, **{past.id: past.stay for past in here.past}}
        ended: dict[_At, OutcomeRecord] = {}
        accepted: list[OutcomeRecord] = []
        for record in sorted(first.values(), key=lambda record: record.outcome_date):
            at = _stay_that_ends(free, here.stays, record)
            if at is False:
                self._reject(
                    record, "no stay here can have ended then; import the animal's intakes first"
                )
                continue
            accepted.append(record)
            stay = free.pop(at)
            self.fates[record.line] = Fate.UNCHANGED
            if stay.outcome_date is None:
                ended[at] = record
                self.fates[record.line] = Fate.UPDATED
            elif (stay.outcome_date, stay.status) != (record.outcome_date, record.status):
                reason = f"says {_outcome_words(record)}; here it is {_words(stay)}, which stays"
                self._remark(
                    Kind.DIFFERS, record, "outcome_date", record.outcome_date.isoformat(), reason
                )
        if not accepted:
            return
        told = self._with_possible_birth_date(self._merged(accepted), accepted, here.stays)
        draft = self._filled(here, accepted, told, news=bool(ended))
        self._end_stays(draft, ended)
        self._finish(draft)

    def _reject(self, record: OutcomeRecord, reason: str) -> None:
        self.fates[record.line] = Fate.REJECTED
        self._remark(Kind.NO_STAY, record, "code", record.code, reason)

    # --- Remarks ---------------------------------------------------------------------------------

    def _remark(self, kind: Kind, record: Record, name: str, value: str, reason: str) -> None:
        """Add a remark; `name` is that of the field, which gives the column."""
        column = self.columns["sex" if name == "neutered" else name]
        self.remarks.append(Remark(kind, record.line, column, value, reason))

    def _remark_stay(self, kind: Kind, line: int, stay: Stay, reason: str) -> None:
        column = self.columns["intake_date"]
        self.remarks.append(Remark(kind, line, column, stay.intake_date.isoformat(), reason))


def _stay_that_ends(
    free: Mapping[_At, Stay], stays: Iterable[Stay], record: OutcomeRecord
) -> _At | bool:
    """Return which of the `free` stays the outcome is of, False for none.

    It is the one that has this outcome already, or one that began by then with no other stay
    beginning in between: one that is open, if any is, and else one that ended otherwise.
    """
    outcome = record.outcome_date, record.status
    for at, stay in free.items():
        if (stay.outcome_date, stay.status) == outcome:
            return at
    begun = max(
        (stay.intake_date for stay in stays if stay.intake_date < record.outcome_date),
        default=record.outcome_date,
    )
    possible = {
        at: stay for at, stay in free.items() if begun <= stay.intake_date <= record.outcome_date
    }
    return max(
        possible,
        key=lambda at: (possible[at].outcome_date is None, possible[at].intake_date == begun),
        default=False,
    )


def _ended(stay: Stay, record: IntakeRecord | OutcomeRecord) -> Stay:
    if isinstance(record, IntakeRecord):
        return record.stay
    return replace(stay, outcome_date=record.outcome_date, status=record.status)


def _handed_over(notes: str, former: IntakeRecord | None) -> tuple[str, str]:
    """Return the animal's notes without what the `former` row wrote there, and that.

    Where somebody changed those lines they stay as they are.
    """
    if former is None:
        return notes, ""
    for lines in (former.notes, former.intake_notes):
        before, found, after = f"\n{notes}\n".partition(f"\n{_joined(*lines)}\n")
        if lines and found:
            notes = _joined(before.strip("\n"), after.strip("\n"))
            break
    return notes, _joined(*former.notes)


def _joined(*lines: str) -> str:
    return "\n".join(filter(None, lines))


def _end(stay: Stay) -> datetime.date:
    return stay.outcome_date or stay.intake_date


def _outcome_words(stay: Stay | OutcomeRecord) -> str:
    words = Status(stay.status).label.lower()
    return f"{words} {stay.outcome_date}" if stay.outcome_date else words


def _words(stay: Stay) -> str:
    kind = stay.intake_type.replace("_", " ")
    return f"{kind} {stay.intake_date}, {_outcome_words(stay)}"
