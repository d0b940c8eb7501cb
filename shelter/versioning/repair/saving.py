"""What a sync takes away, kept in a file, and put back when the migration returns.

A file has a line of JSON a row, written and read by Django's own serializers; the first line says
what it is. Of a column each row has its key and that value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import apps as installed
from django.apps.registry import Apps
from django.core import serializers
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connections, models, transaction
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.history.migration import Key
from shelter.versioning.repair.losses import Loss
from shelter.versioning.repair.sync import CannotSyncError

_VERSION = 1


def save(path: Path, losses: Sequence[Loss], registry: Apps, database: str) -> int:
    """Write the rows of `losses` to a new file, and return how many.

    Raises CannotSyncError where there is such a file already, and OSError; a file that could not be
    written to its end is taken away again.
    """
    count = 0
    try:
        with path.open("x", encoding="utf-8") as file:
            head = {"version": _VERSION, "ghosts": sorted({loss.ghost for loss in losses})}
            file.write(f"{json.dumps(head)}\n")
            try:
                for loss in losses:
                    for row in _rows(loss, registry, database):
                        file.write(f"{json.dumps(row, cls=DjangoJSONEncoder)}\n")
                        count += 1
            except BaseException:
                path.unlink()
                raise
    except FileExistsError as error:
        raise CannotSyncError(
            f"There is a file {path} already, which may hold other data. Nothing was changed: "
            "choose another name."
        ) from error
    return count


def _rows(loss: Loss, registry: Apps, database: str) -> Iterator[dict[str, Any]]:
    model: type[models.Model] = registry.get_model(*loss.model)
    rows = model._base_manager.using(database).order_by("pk")
    if loss.field is not None:
        rows = rows.exclude(**{f"{loss.field}__isnull": True})
    fields = None if loss.field is None else [loss.field]
    python = serializers.get_serializer("python")()
    for row in rows.iterator(chunk_size=1000):
        (written,) = python.serialize([row], fields=fields)
        yield {
            "model": loss.model,
            "field": loss.field,
            **{k: written[k] for k in ("pk", "fields")},
        }


def restore(path: Path, database: str) -> int:
    """Put back what a file keeps, in one transaction, and return how many rows.

    Raises CannotSyncError where the file is none of ours, or a migration that it belongs to is not
    applied, OSError, and what the database raises.
    """
    with path.open(encoding="utf-8") as file, transaction.atomic(using=database):
        ghosts = _ghosts(file.readline())
        if ghosts is None:
            raise CannotSyncError(f"{path} was not written by dbsync --save-to.")
        _refuse_missing(ghosts, database)
        count = 0
        for line in file:
            _put_back(json.loads(line), database)
            count += 1
    return count


def _ghosts(line: str) -> list[Key] | None:
    """Return the migrations that a file belongs to, by its first line; None if it has none."""
    try:
        head = json.loads(line)
        ghosts = [(str(app), str(name)) for app, name in head["ghosts"]]
        return ghosts if head["version"] == _VERSION else None
    except (ValueError, KeyError, TypeError):
        return None


def _refuse_missing(ghosts: Sequence[Key], database: str) -> None:
    loader = MigrationLoader(connections[database])
    missing = [".".join(key) for key in ghosts if key not in loader.applied_migrations]
    if missing:
        raise CannotSyncError(
            f"{', '.join(missing)} must be applied first: the data belongs there. Go to the branch "
            "that has it, and type python manage.py migrate"
        )


def _put_back(row: dict[str, Any], database: str) -> None:
    model: type[models.Model] = installed.get_model(*row["model"])
    if row["field"] is None:
        written = [{"model": model._meta.label_lower, "pk": row["pk"], "fields": row["fields"]}]
        for found in serializers.deserialize("python", written, using=database):
            found.save(using=database)
        return
    field = model._meta.get_field(row["field"])
    assert isinstance(field, models.Field), "only columns are saved"
    value = row["fields"][row["field"]]
    if field.remote_field is None:
        value = field.to_python(value)
    model._base_manager.using(database).filter(pk=row["pk"]).update(**{field.attname: value})
