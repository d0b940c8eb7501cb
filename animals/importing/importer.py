"""An import, from the file to its report."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from django.db import DatabaseError, IntegrityError, router, transaction
from tqdm import tqdm

from animals.importing.applying import carry_out, known_animals
from animals.importing.parsing import RowParser
from animals.importing.planning import Fate, Plan, make_plan
from animals.importing.reading import read_rows
from animals.importing.records import Record, RejectedRowError, Remark, UnusableFileError
from animals.importing.sources import Source, detect_source, normalise_header
from animals.models import Animal


class ImportFailedError(Exception):
    """The database refused; nothing was changed. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. `unread` are its columns that an import does not look at."""

    source: Source
    columns: Mapping[str, str]
    unread: tuple[str, ...]
    rows: int
    records: tuple[Record, ...]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of each row of a file, and whether anything was written.

    `counts` are of rows, each of which is counted once.
    """

    source: Source
    unread: tuple[str, ...]
    rows: int
    counts: Mapping[Fate, int]
    remarks: tuple[Remark, ...]
    dry_run: bool
    written: bool

    @property
    def rejections(self) -> tuple[Remark, ...]:
        """The remarks on rejected rows."""
        return tuple(remark for remark in self.remarks if remark.rejected)


def import_file(
    path: Path,
    *,
    source: str | None = None,
    dry_run: bool = False,
    keep_going: bool = False,
    progress: bool = False,
) -> ImportReport:
    """Import the file at `path`, and return what became of its rows.

    A rejected row stops the import before anything is written, unless `keep_going`. Nothing is
    written in a `dry_run`. With `progress`, a bar is shown on a terminal's standard error.

    Raises UnusableFileError where the file is not to be read, ImportFailedError where the database
    refuses; nothing is changed then.
    """
    with _no_garbage_collection():
        return _import(
            read_file(path, source, progress=progress),
            dry_run=dry_run,
            keep_going=keep_going,
            progress=progress,
        )


def _import(reading: Reading, *, dry_run: bool, keep_going: bool, progress: bool) -> ImportReport:
    using = router.db_for_write(Animal)
    try:
        if dry_run:
            plan, write = _plan(reading, using=using, lock=False), False
        else:
            # The animals are read and written in one transaction, so that nobody comes between.
            with transaction.atomic(using=using):
                plan = _plan(reading, using=using, lock=True)
                write = bool(plan.writes) and (keep_going or not plan.counts[Fate.REJECTED])
                if write:
                    with _bar("Writing", plan.writes, "rows", shown=progress) as bar:
                        carry_out(plan, using=using, advance=bar.update)
    except DatabaseError as error:
        raise ImportFailedError(f"Nothing was changed. {_explained(error)}") from error
    return ImportReport(
        reading.source, reading.unread, reading.rows, plan.counts, plan.remarks, dry_run, write
    )


def read_file(path: Path, source: str | None = None, *, progress: bool = False) -> Reading:
    """Return what the file at `path` says; it is of `source`, or its header tells whose it is.

    Raises UnusableFileError.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            with _bar("Reading", size, "B", shown=progress) as bar:
                return _read(file, source, bar)
    except OSError as error:
        raise UnusableFileError(f"The file cannot be read: {error.strerror}.") from error


def _read(file: BinaryIO, forced: str | None, bar: tqdm[NoReturn]) -> Reading:
    rows = read_rows(file)
    _, cells = next(rows, (0, []))
    if not cells:
        raise UnusableFileError("The file is empty: there is no header on line 1.")
    header = normalise_header(cells)
    source = detect_source(header, forced)
    parser = RowParser(source, header)
    records: list[Record] = []
    remarks: list[Remark] = []
    number = 0
    for number, (line, row) in enumerate(rows, 1):
        try:
            record, noted = parser.parse(line, row)
        except RejectedRowError as error:
            remarks.append(error.at(line))
        else:
            records.append(record)
            remarks += noted
        if number % 1000 == 0:
            bar.update(file.tell() - bar.n)
    if not number:
        raise UnusableFileError("The file has a header on line 1 and no rows below it.")
    unread = tuple(source.unread(header))
    return Reading(source, parser.columns, unread, number, tuple(records), tuple(remarks))


def _plan(reading: Reading, *, using: str, lock: bool) -> Plan:
    codes = {record.code for record in reading.records}
    return make_plan(
        reading.records,
        known_animals(codes, using=using, lock=lock),
        reading.remarks,
        columns=reading.columns,
        tells_outcomes=reading.source.tells_outcomes,
    )


def _explained(error: DatabaseError) -> str:
    """Return what the database said, and what to do about it."""
    said = str(error).strip().partition("\n")[0]
    if isinstance(error, IntegrityError):
        advice = "Somebody else changed the same animals meanwhile; import again."
    elif any(words in said for words in ("no such table", "no such column", "does not exist")):
        advice = "The database is behind the code: type `python manage.py migrate`."
    elif any(words in said for words in ("locked", "lock timeout", "deadlock")):
        advice = "Somebody else is writing; import again when they are done."
    else:
        advice = "See that the database can be reached and written to, and import again."
    return f"The database said: {said}. {advice}"


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector from looking through all rows read so far, again and again.

    They are all needed until the end, and none refers to itself; it took half of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _bar(label: str, total: int, unit: str, *, shown: bool) -> tqdm[NoReturn]:
    """Return a progress bar that shows itself after a second, on a terminal only."""
    return tqdm(
        desc=label,
        total=total,
        unit=unit,
        unit_scale=True,
        delay=1,
        leave=False,
        disable=None if shown else True,
    )
