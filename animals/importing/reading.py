"""Bytes to rows of cells."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO

from animals.importing.records import UnusableFileError

# The longest line of a real file has under 1,000 bytes. Neither a line nor a row (whose cells may
# hold line ends, so that one quote too many can make the rest of a file one row) is read further.
MAX_LINE_BYTES = 100_000
MAX_ROW_BYTES = 1_000_000

_UTF_8_MARK = b"\xef\xbb\xbf"
_OTHER_FILES = {
    b"PK\x03\x04": "a spreadsheet (or another ZIP archive). Export it as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet. Export it as CSV (UTF-8)",
    b"\x1f\x8b": "compressed with gzip. Unpack it first",
    b"\x89PNG": "a PNG image. Look for the CSV file",
    b"%PDF": "a PDF document. Look for the CSV file",
    b"\xff\xfe": "text in UTF-16. Save it as CSV (UTF-8)",
    b"\xfe\xff": "text in UTF-16. Save it as CSV (UTF-8)",
}


def read_rows(file: BinaryIO) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of a CSV file, each with the line it begins on, the header first.

    Blank lines are no rows. However large the file, no more than a row of it is held at a time.
    Raises UnusableFileError for what is no CSV file in UTF-8.
    """
    lines = _Lines(file)
    reader = csv.reader(lines, strict=True)
    begin = 1
    try:
        for row in reader:
            if row:
                yield begin, row
            begin = reader.line_num + 1
            lines.row_bytes = 0
    except csv.Error as error:
        raise UnusableFileError(
            f"Line {begin} is not CSV ({error}). Look for a quote that is not closed, "
            "or save the file as CSV again."
        ) from error


class _Lines:
    """The lines of a file as text; `row_bytes` have been read since it was last set to 0."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.number = 0
        self.row_bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.file.readline(MAX_LINE_BYTES + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.row_bytes += len(line)
        skipped = 0
        if self.number == 1:
            self._refuse_other_files(line)
            if line.startswith(_UTF_8_MARK):
                skipped = len(_UTF_8_MARK)
                line = line[skipped:]
        if len(line) > MAX_LINE_BYTES:
            raise UnusableFileError(
                f"Line {self.number} is longer than {MAX_LINE_BYTES:,} bytes. This is no intake "
                "file, or its line ends are lost; save it as CSV again."
            )
        if self.row_bytes > MAX_ROW_BYTES:
            raise UnusableFileError(
                f"The row that ends on line {self.number} or later is longer than "
                f"{MAX_ROW_BYTES:,} bytes. Look for a quote that is not closed."
            )
        if b"\x00" in line:
            raise UnusableFileError(
                f"Line {self.number} holds a NUL byte, at its byte {line.index(0) + skipped + 1}. "
                "This is no text file, or a damaged one; save it as CSV (UTF-8) again."
            )
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise UnusableFileError(
                f"Line {self.number} is not UTF-8 at its byte {error.start + skipped + 1} "
                f"(0x{line[error.start]:02X}). Save the file as CSV (UTF-8)."
            ) from error

    @staticmethod
    def _refuse_other_files(line: bytes) -> None:
        for beginning, what in _OTHER_FILES.items():
            if line.startswith(beginning):
                raise UnusableFileError(f"Line 1 is not CSV: the file is {what}.")
