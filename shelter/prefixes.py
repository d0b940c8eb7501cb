"""Finding text by its beginning, through an index, on whatever database."""

from __future__ import annotations

from typing import Any

from django.db.models import CharField, Func, Q, Value
from django.db.models.functions import Lower

# A search that finds more is too wide to be read; its first so many are shown. Of a few thousand
# rows PostgreSQL thinks that they are had quickest by reading the whole table.
SEARCH_LIMIT = 1_000

_LAST_CODE_POINT = "\U0010ffff"


class ByteOrder(Func):
    """Text compared byte by byte, on whatever database.

    Under a language's collation the strings with one beginning need not stand side by side; in
    byte order they do, so that a range of an index finds them.
    """

    template = '(%(expressions)s) COLLATE "C"'
    arity = 1
    output_field = CharField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Return SQLite's name for the byte order."""
        return self.as_sql(
            compiler, connection, template="(%(expressions)s) COLLATE BINARY", **extra
        )


def prefix_key(field: str) -> ByteOrder:
    """Return the expression to index, and to name by `alias()`, for a search by `begins_with`."""
    return ByteOrder(Lower(field))


def begins_with(alias: str, text: str) -> Q:
    """Return the condition that the field behind `alias` begins with `text`, in whatever case."""
    begin, end = (
        Lower(Value(bound, output_field=CharField())) for bound in (text, text + _LAST_CODE_POINT)
    )
    return Q((f"{alias}__gte", begin), (f"{alias}__lt", end))


def searched(text: str) -> str:
    """Return what was typed into a search box without what no stored text holds."""
    return " ".join(text.split()).replace("\x00", "")
