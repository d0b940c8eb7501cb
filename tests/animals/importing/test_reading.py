"""Bytes to rows: what is a CSV file, and what the errors of one that is not say."""

import csv
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from animals.importing.importer import read_file
from animals.importing.reading import MAX_LINE_BYTES, MAX_ROW_BYTES, read_rows
from animals.importing.records import UnusableFileError
from tests.animals.importing import LONG_BEACH, header


def test_rows_come_with_the_line_they_begin_on() -> None:
    file = io.BytesIO(b'\xef\xbb\xbfa,b\n\n"1\n2",3\r\n4,5')
    assert list(read_rows(file)) == [(1, ["a", "b"]), (3, ["1\n2", "3"]), (5, ["4", "5"])]


class Endless(io.RawIOBase):
    """A gigabyte of one text again and again, of which only so much is made as is read."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.read_so_far = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(len(buffer), 10**9 - self.read_so_far)
        start = self.read_so_far % len(self.text)
        text = self.text * (size // len(self.text) + 2)
        buffer[:size] = text[start : start + size]
        self.read_so_far += size
        return size


@pytest.mark.parametrize(
    ("start", "text", "message"),
    [
        (b"", b"x", "Line 1 is longer than 100,000 bytes"),
        (b"", b"\x00", "Line 1 is longer than 100,000 bytes"),
        (b'"', b"x\n", r"Line 1 is not CSV \(field larger than field limit"),
        # The first quote opens a cell that each line closes only to open the next.
        (b'"', b'","\n', "The row that ends on line .* or later is longer than 1,000,000 bytes"),
    ],
)
def test_of_a_gigabyte_in_one_row_no_more_is_read_than_it_takes_to_know(
    start: bytes, text: bytes, message: str
) -> None:
    endless = Endless(text)
    file = io.BufferedReader(endless)
    with pytest.raises(UnusableFileError, match=message):
        list(read_rows(_After(start, file)))  # type: ignore[arg-type]
    assert endless.read_so_far < 2 * MAX_ROW_BYTES


class _After:
    """A file with something before it."""

    def __init__(self, start: bytes, file: io.BufferedReader) -> None:
        self.start, self.file = start, file

    def readline(self, size: int) -> bytes:
        start, self.start = self.start, b""
        return start + self.file.readline(size - len(start))


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_clear_error(data: bytes) -> None:
    try:
        rows = list(read_rows(io.BytesIO(data)))
    except UnusableFileError as error:
        assert str(error).startswith("Line ")
    else:
        assert all(row for _, row in rows)


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=2))
)
def test_what_a_csv_writer_writes_is_read(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    assert [row for _, row in read_rows(io.BytesIO(text.getvalue().encode()))] == rows


def test_line_ends_of_old_macs_are_refused() -> None:
    with pytest.raises(
        UnusableFileError, match=r"^Line 1 is not CSV \(.*save the file as CSV again"
    ):
        list(read_rows(io.BytesIO(b"a,b\rc,d\r")))


def xlsx() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


HEADER = header(LONG_BEACH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty: there is no header on line 1."),
        (b"\n\n", "The file is empty: there is no header on line 1."),
        (b"\xef\xbb\xbf", "The file is empty: there is no header on line 1."),
        (f"{HEADER}\n\n".encode(), "The file has a header on line 1 and no rows below it."),
        (
            "animal_id,n\u00e4me\n".encode("latin-1"),
            "Line 1 is not UTF-8 at its byte 12 (0xE4). Save the file as CSV (UTF-8).",
        ),
        (
            b"\xef\xbb\xbfanimal_id,n\xe4me\n",
            "Line 1 is not UTF-8 at its byte 15 (0xE4). Save the file as CSV (UTF-8).",
        ),
        (
            f"{HEADER}\nA1,n\u00e4me\n".encode("latin-1"),
            "Line 2 is not UTF-8 at its byte 5 (0xE4). Save the file as CSV (UTF-8).",
        ),
        (
            f"{HEADER}\nA\x001\n".encode(),
            (
                "Line 2 holds a NUL byte, at its byte 2. This is no text file, or a damaged one; "
                "save it as CSV (UTF-8) again."
            ),
        ),
        (
            HEADER.encode("utf-16"),
            "Line 1 is not CSV: the file is text in UTF-16. Save it as CSV (UTF-8).",
        ),
        (
            HEADER.encode("utf-16-be"),
            (
                "Line 1 holds a NUL byte, at its byte 1. This is no text file, or a damaged one; "
                "save it as CSV (UTF-8) again."
            ),
        ),
        (
            gzip.compress(HEADER.encode()),
            "Line 1 is not CSV: the file is compressed with gzip. Unpack it first.",
        ),
        (
            xlsx(),
            (
                "Line 1 is not CSV: the file is a spreadsheet (or another ZIP archive). "
                "Export it as CSV (UTF-8)."
            ),
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1",
            "Line 1 is not CSV: the file is an old spreadsheet. Export it as CSV (UTF-8).",
        ),
        (
            b"\x89PNG\r\n\x1a\n\x00",
            "Line 1 is not CSV: the file is a PNG image. Look for the CSV file.",
        ),
        (
            b"%PDF-1.7\n",
            "Line 1 is not CSV: the file is a PDF document. Look for the CSV file.",
        ),
        (
            b'a,"b\nc,d\n',
            (
                "Line 1 is not CSV (unexpected end of data). Look for a quote that is not closed, "
                "or save the file as CSV again."
            ),
        ),
        (
            f'{HEADER}\n"A1"x,\n'.encode(),
            (
                "Line 2 is not CSV (',' expected after '\"'). Look for a quote that is not closed, "
                "or save the file as CSV again."
            ),
        ),
        (
            b"a,A ,b,B\n1,2,3,4\n",
            (
                "Line 1, the header, names a, b twice, so it cannot be told which is meant. "
                "Rename or remove one."
            ),
        ),
        (
            b"a,,b,\n1,2,3,4\n",
            "Line 1, the header, has no name for column 2, 4. Name it or remove the column.",
        ),
        (
            b"animal_id;sex\nA1;Male\n",
            (
                "Line 1, the header, has its cells separated by semicolons. "
                "Save the file with commas between the cells."
            ),
        ),
        (
            b"animal_id\tsex\nA1\tMale\n",
            (
                "Line 1, the header, has its cells separated by tabs. "
                "Save the file with commas between the cells."
            ),
        ),
        (
            b"animal_id|sex\nA1|Male\n",
            (
                "Line 1, the header, has its cells separated by vertical bars. "
                "Save the file with commas between the cells."
            ),
        ),
    ],
)
def test_a_broken_file_ends_in_an_error_that_says_what_where_and_what_to_do(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(UnusableFileError) as caught:
        read_file(path)
    assert str(caught.value) == message


def test_a_line_may_be_as_long_as_the_limit() -> None:
    long = b"x" * (MAX_LINE_BYTES - 3)
    assert list(read_rows(io.BytesIO(b"a\n" + long + b",y\n"))) == [
        (1, ["a"]),
        (2, [long.decode(), "y"]),
    ]


def test_a_file_that_is_not_there_or_a_folder_or_closed_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=r"cannot be read: No such file or directory\.$"):
        read_file(tmp_path / "no.csv")
    with pytest.raises(UnusableFileError, match=r"cannot be read: Is a directory\.$"):
        read_file(tmp_path)
    denied = PermissionError(13, "Permission denied")
    with (
        mock.patch.object(Path, "open", side_effect=denied),
        pytest.raises(UnusableFileError, match=r"cannot be read: Permission denied\.$"),
    ):
        read_file(tmp_path / "mine.csv")
