"""Migrations named anew in the text of a file, and nothing else of it changed by a byte."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable

from shelter.versioning.history.reading import Entry, read_entries

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")


class CannotRewriteError(Exception):
    """A name stands in a file in a way that cannot be changed; the message says where."""


def rewrite(source: bytes, rename: Callable[[Entry], str | None]) -> bytes:
    """Return `source` with the names that `rename` gives for its entries, None for as it was.

    Raises CannotRewriteError for a name that is not written out in one literal, or a file that
    cannot be read.
    """
    entries = read_entries(source)
    if entries is None:
        raise CannotRewriteError("it cannot be read without running it")
    changes: dict[tuple[int, int], tuple[Entry, str]] = {}
    for entry in entries:
        name = rename(entry)
        if name is not None and name != entry.key[1]:
            place = entry.literal.lineno, entry.literal.col_offset
            if changes.setdefault(place, (entry, name))[1] != name:
                raise CannotRewriteError(
                    f"line {place[0]}: one literal names two migrations that part now"
                )
    if not changes:
        return source
    # Positions count bytes of UTF-8, without a byte order mark.
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    lines = _LINE.findall(source.decode(encoding).encode())
    for entry, name in sorted(changes.values(), key=lambda change: _place(change[0]), reverse=True):
        line, start = _place(entry)
        end = entry.literal.end_col_offset
        text = lines[line - 1][start:end]
        old = entry.key[1].encode()
        if entry.literal.end_lineno != line or text.count(old) != 1:
            raise CannotRewriteError(f"line {line}: {entry.key[1]} is not written out in one piece")
        lines[line - 1] = (
            lines[line - 1][:start] + text.replace(old, name.encode()) + lines[line - 1][end:]
        )
    return b"".join(lines).decode().encode(encoding)


def _place(entry: Entry) -> tuple[int, int]:
    return entry.literal.lineno, entry.literal.col_offset
