"""Migration operations that are safe on a big table that people are using."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from django.db import NotSupportedError, OperationalError, connections, models, transaction
from django.db.migrations.operations import AlterField
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.models.expressions import Combinable
from tqdm import tqdm

from shelter.versioning.ledger.waiting import Patience, Retry, is_lock_timeout

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState


class BatchedUpdate(Operation):
    """Fill columns of the rows that lack a value, a batch of rows a transaction.

    `values` maps field names to values or expressions over the row's own columns; `where` picks the
    rows that still need them, and must not pick a row once it has them: a run that was stopped is
    then carried on by running the migration again. Rows are walked by primary key, so each is
    looked at once, and locked only while its batch of `batch_size` is written; `pause` seconds go
    by between batches. A batch that meets a locked row lets go of its own and is tried again.
    Going backwards changes nothing.

    The migration must say `atomic = False`: in one transaction the rows would stay locked to the
    end. Raises NotSupportedError where it does not.
    """

    category = OperationCategory.PYTHON
    reduces_to_sql = False
    reversible = True
    rerunnable = True
    """`migrate` runs it again after a stop."""

    def __init__(
        self,
        model_name: str,
        values: Mapping[str, Any | Combinable],
        where: models.Q,
        *,
        batch_size: int = 1000,
        pause: float = 0.0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {batch_size}.")
        self.model_name = model_name
        self.values = dict(values)
        self.where = where
        self.batch_size = batch_size
        self.pause = pause

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Return what the migration writer writes."""
        options: dict[str, Any] = {}
        if self.batch_size != 1000:
            options["batch_size"] = self.batch_size
        if self.pause:
            options["pause"] = self.pause
        return type(self).__qualname__, [self.model_name, self.values, self.where], options

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Leave the models as they are: only rows change."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Fill the rows."""
        model = from_state.apps.get_model(app_label, self.model_name)
        alias = schema_editor.connection.alias
        if not self.allow_migrate_model(alias, model):
            return
        if schema_editor.connection.in_atomic_block:
            raise NotSupportedError(
                f"BatchedUpdate of {app_label}.{self.model_name} would hold every row it fills "
                "locked until the migration ends. Say `atomic = False` in the migration's class."
            )
        rows = model._base_manager.using(alias).order_by("pk")
        # Where an earlier run was stopped.
        first = rows.filter(self.where).values_list("pk", flat=True).first()
        if first is None:
            return
        rest = rows.filter(pk__gte=first)
        with self._bar(rest) as bar:
            while rest is not None:
                # The key alone bounds a batch, by its index; a planner that does not know yet how
                # many rows need filling might read the whole table for each batch instead.
                last = list(
                    rest.values_list("pk", flat=True)[self.batch_size - 1 : self.batch_size]
                )
                batch = rest.filter(pk__lte=last[0]) if last else rest
                self._write(batch.filter(self.where).order_by())
                rest = rows.filter(pk__gt=last[0]) if last else None
                bar.update(self.batch_size)
                time.sleep(self.pause)

    def _write(self, batch: models.QuerySet[Any]) -> None:
        retry = Retry(Patience(), tqdm.write)
        while True:
            try:
                with transaction.atomic(using=batch.db):
                    batch.update(**self.values)
            except OperationalError as error:
                if not is_lock_timeout(error, connections[batch.db]) or not retry.wait_after(error):
                    raise
            else:
                return

    def _bar(self, rows: models.QuerySet[Any]) -> tqdm[NoReturn]:
        """Return a progress bar, which shows on a terminal alone."""
        shown = sys.stderr.isatty()
        return tqdm(
            desc=f"  {self.describe()}",
            # Counting reads the whole table, which is for people to watch only.
            total=rows.count() if shown else None,
            unit=" rows",
            unit_scale=True,
            disable=not shown,
            leave=False,
        )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Leave the rows: before the column, or with NULLs allowed, nothing needs undoing."""

    def describe(self) -> str:
        """Return the operation in words."""
        return f"Fill {', '.join(self.values)} on {self.model_name} in batches"


class SetNotNull(AlterField):
    """Make a column NOT NULL without locking readers and writers out while the table is scanned.

    On PostgreSQL, `SET NOT NULL` scans the whole table under an ACCESS EXCLUSIVE lock, unless a
    valid CHECK proves that there is no NULL (PostgreSQL 12 and later; ALTER TABLE's manual page).
    This adds such a CHECK NOT VALID, which scans nothing, validates it under a lock that lets
    readers and writers go on, sets NOT NULL, and drops the CHECK. Elsewhere it is AlterField.

    The migration must say `atomic = False`, or the first lock would be held to the end. Each step
    can be run again after a stop.
    """

    rerunnable = True

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Prove that there is no NULL, then alter the field."""
        connection = schema_editor.connection
        model = to_state.apps.get_model(app_label, self.model_name)
        if connection.vendor != "postgresql":
            # One transaction where the database can: SQLite remakes the table, and a stop between
            # dropping the old one and renaming the new one must not be possible.
            with (
                transaction.atomic(using=connection.alias)
                if connection.features.can_rollback_ddl
                else contextlib.nullcontext()
            ):
                super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        if not self.allow_migrate_model(connection.alias, model):
            return
        if connection.in_atomic_block:
            raise NotSupportedError(
                f"SetNotNull of {app_label}.{self.model_name}.{self.name} would hold its locks "
                "until the migration ends. Say `atomic = False` in the migration's class."
            )
        field = model._meta.get_field(self.name)
        quote = schema_editor.quote_name
        table = quote(model._meta.db_table)
        check = quote(f"{field.column}_set_not_null")
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {check}")
        schema_editor.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {check} "
            f"CHECK ({quote(field.column)} IS NOT NULL) NOT VALID"
        )
        schema_editor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {check}")

    def describe(self) -> str:
        """Return the operation in words."""
        return f"Set {self.name} on {self.model_name} to NOT NULL"
