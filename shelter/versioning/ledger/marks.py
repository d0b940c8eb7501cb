"""Whether a database is there, and what tells one state of its records from another."""

from __future__ import annotations

from pathlib import Path

from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from shelter.versioning.ledger.entries import LedgerEntry

Mark = tuple[tuple[tuple[object, ...], ...], ...]


def database_is_there(alias: str) -> bool:
    """Return False for a SQLite database whose file is not there: asking it would make the file."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        return True
    name = str(connection.settings_dict["NAME"])
    return name.startswith("file:") or ":memory:" in name or Path(name).exists()


def mark_of(alias: str) -> Mark:
    """Return the rows of applied migrations, and of the ledger's what tells of code and progress.

    Empty for a database that is not there. Raises DatabaseError.
    """
    if not database_is_there(alias):
        return ()
    connection = connections[alias]
    columns = "id, app, name, outcome, git_blob, fingerprint, progress"
    wanted = {
        MigrationRecorder.Migration._meta.db_table: "id, app, name",
        LedgerEntry._meta.db_table: columns,
    }
    with connection.cursor() as cursor:
        there = connection.introspection.table_names(cursor)
        found = []
        for table, names in wanted.items():
            if table in there:
                cursor.execute(f"SELECT {names} FROM {table} ORDER BY id")  # noqa: S608
                found.append(tuple(cursor.fetchall()))
    return tuple(found)
