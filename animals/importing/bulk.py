"""Many rows written at once, by one prepared statement.

`bulk_create` and `bulk_update` make long statements of expressions, a value at a time, and that
takes twice as long as the database needs to carry them out (docs/importing.md has the figures).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper


def insert_rows(
    model: type[models.Model], rows: Iterable[Mapping[str, object]], *, using: str
) -> None:
    """Insert `rows`, values by the fields' attribute names; all rows name the same fields.

    A field that they do not name gets its default, the same for all. Values must be in the form
    that is stored: no field's `pre_save` runs.
    """
    rows = list(rows)
    if not rows:
        return
    connection = connections[using]
    fields = [
        field
        for field in model._meta.local_concrete_fields
        if field.attname in rows[0] or not _filled_by_database(field)
    ]
    defaults = {field.attname: field.get_default() for field in fields}
    columns = ", ".join(_column(connection, field) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    _execute(
        connection,
        # Names are the models' own, and quoted.
        f"INSERT INTO {_quoted(connection, model)} ({columns}) VALUES ({places})",  # noqa: S608
        fields,
        [[row.get(name, default) for name, default in defaults.items()] for row in rows],
    )


def update_rows(
    model: type[models.Model], rows: Iterable[tuple[int, Mapping[str, object]]], *, using: str
) -> None:
    """Set the values that `rows` pair with primary keys, by the fields' attribute names.

    Values must be in the form that is stored: no field's `pre_save` runs.
    """
    connection = connections[using]
    key = model._meta.pk
    by_name = {field.attname: field for field in model._meta.local_concrete_fields}
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for pk, values in rows:
        names = tuple(sorted(values))
        groups.setdefault(names, []).append([*(values[name] for name in names), pk])
    for names, group in groups.items():
        fields = [by_name[name] for name in names]
        columns = ", ".join(f"{_column(connection, field)} = %s" for field in fields)
        where = f"{_column(connection, key)} = %s"
        _execute(
            connection,
            f"UPDATE {_quoted(connection, model)} SET {columns} WHERE {where}",  # noqa: S608
            [*fields, key],
            group,
        )


def _filled_by_database(field: models.Field[Any, Any]) -> bool:
    by_default = field.has_db_default() and not field.has_default()
    return field.primary_key or field.generated or by_default


def _quoted(connection: BaseDatabaseWrapper, model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _column(connection: BaseDatabaseWrapper, field: models.Field[Any, Any]) -> str:
    # Concrete fields have a column each.
    return connection.ops.quote_name(cast("str", field.column))


def _execute(
    connection: BaseDatabaseWrapper,
    statement: str,
    fields: Sequence[models.Field[Any, Any]],
    rows: list[list[Any]],
) -> None:
    # Of the types of these models' fields only these two need to be adapted to the database.
    adapters: dict[str, Callable[[Any], object]] = {
        "DateField": connection.ops.adapt_datefield_value,
        "DateTimeField": connection.ops.adapt_datetimefield_value,
    }
    for at, field in enumerate(fields):
        adapt = adapters.get(field.get_internal_type())
        if adapt is not None:
            for row in rows:
                row[at] = adapt(row[at])
    with connection.cursor() as cursor:
        cursor.executemany(statement, rows)
