"""The rows of migrations that were renamed, moved with their files."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import connections, transaction
from django.db.migrations.recorder import MigrationRecorder

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.recording import applied_rows, has_ledger


def rename_rows(
    alias: str,
    before: Collection[Key],
    renames: Sequence[tuple[Key, Key]],
    dropped: Collection[Key] = (),
) -> None:
    """Give rows and ledger entries their new names, and take those of `dropped` away, or nothing.

    `renames` are in the order of application, and `before` are the rows of old and new names that
    were there at first: where there are others by now, it was done already, and nothing is.
    Raises DatabaseError.
    """
    recorder = MigrationRecorder(connections[alias])
    names = {key for pair in renames for key in pair} | set(dropped)
    if not before or set(applied_rows(alias)) & names != set(before):
        return
    entries = LedgerEntry.objects.using(alias) if has_ledger(connections[alias]) else None
    with transaction.atomic(using=alias):
        # From the last on: the new name of one may be the old name of the next.
        for (app, old), (_, new) in reversed(renames):
            recorder.migration_qs.filter(app=app, name=old).update(name=new)
            if entries is not None:
                entries.filter(app=app, name=old).update(name=new)
        for app, name in dropped:
            recorder.migration_qs.filter(app=app, name=name).delete()
