"""The rows of applied migrations, and the ledger's entries, written together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations import Migration
from django.db.migrations.exceptions import MigrationSchemaMissing
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Max
from django.utils.timezone import now

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.entries import LedgerEntry, Outcome
from shelter.versioning.ledger.provenance import Code, Provenance, code_of

TABLE = LedgerEntry._meta.db_table


@dataclass(slots=True)
class Run:
    """A migration that is being carried out: what its entries in the ledger will say."""

    migration: Migration
    outcome: Outcome
    started: datetime = field(default_factory=now)

    @property
    def key(self) -> Key:
        """The migration's app label and name."""
        return self.migration.app_label, self.migration.name

    def code(self, key: Key) -> Code:
        """Return the code behind the row of `key`.

        A squash that runs stands for those it replaces: its file is what ran for them, but is no
        later version of theirs, so that they have no fingerprint.
        """
        code = code_of(self.migration)
        if key == self.key:
            return code
        return Code(code.path, code.blob)


class LedgerRecorder(MigrationRecorder):
    """Django's recorder, which writes the ledger's entry in the transaction of the row.

    Of a database that was migrated before its ledger began, each row gets an entry that says so;
    `began` is called with how many. `unapplied` counts the rows that were taken away.
    """

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        provenance: Callable[[], Provenance],
        began: Callable[[int], object] = lambda _: None,
    ) -> None:
        super().__init__(connection)
        self.run: Run | None = None
        self.unapplied = 0
        self._provenance = provenance
        self._began = began
        self._has_ledger = False

    def ensure_schema(self) -> None:
        """Make both tables where they are missing. Raises MigrationSchemaMissing."""
        super().ensure_schema()
        if self._has_ledger or has_ledger(self.connection):
            self._has_ledger = True
            return
        rows = list(self.migration_qs.order_by("pk").values_list("app", "name", "applied"))
        try:
            with self.connection.schema_editor() as editor:
                editor.create_model(LedgerEntry)
                LedgerEntry.objects.using(self.connection.alias).bulk_create(
                    LedgerEntry(app=app, name=name, outcome=Outcome.UNKNOWN, started=applied)
                    for app, name, applied in rows
                )
        except DatabaseError as error:
            raise MigrationSchemaMissing(f"Unable to create the {TABLE} table ({error})") from error
        self._has_ledger = True
        if rows:
            self._began(len(rows))

    @contextmanager
    def running(self, migration: Migration, outcome: Outcome) -> Iterator[Run]:
        """Say what the rows written meanwhile come from."""
        self.run = Run(migration, outcome)
        try:
            yield self.run
        finally:
            self.run = None

    def record_applied(self, app: str, name: str) -> None:
        """Record that a migration was applied, in a row, if there is none, and in the ledger."""
        self.ensure_schema()
        with transaction.atomic(using=self.connection.alias):
            if not self.migration_qs.filter(app=app, name=name).exists():
                super().record_applied(app, name)
            self._note(app, name, self.run.outcome if self.run else Outcome.FAKED)

    def record_unapplied(self, app: str, name: str) -> None:
        """Take a migration's row away, and note it in the ledger if there was one."""
        self.ensure_schema()
        with transaction.atomic(using=self.connection.alias):
            deleted, _ = self.migration_qs.filter(app=app, name=name).delete()
            if deleted:
                self.unapplied += 1
                self._note(app, name, self.run.outcome if self.run else Outcome.FORGOTTEN)

    def adopt(self, key: Key, migration: Migration | None) -> None:
        """Record that `key` is applied, by whatever made its tables, with its own code.

        `migration` is the one of that name; None where it is in no file.
        """
        with self.running(migration, Outcome.FAKED) if migration else nullcontext():
            self.record_applied(*key)

    def begin(self, run: Run, progress: str) -> LedgerEntry:
        """Return the entry of a run that is more than one transaction, written before it begins."""
        self.ensure_schema()
        return self._write(*run.key, Outcome.STARTED, duration=None, progress=progress)

    def _note(self, app: str, name: str, outcome: Outcome) -> None:
        duration = (now() - self.run.started).total_seconds() if self.run else 0.0
        self._write(app, name, outcome, duration=duration)

    def _write(
        self, app: str, name: str, outcome: Outcome, *, duration: float | None, progress: str = ""
    ) -> LedgerEntry:
        who = self._provenance()
        code = self.run.code((app, name)) if self.run else Code(None)
        facts = {
            "outcome": outcome,
            "started": self.run.started if self.run else now(),
            "duration": duration,
            "git_blob": code.blob,
            "fingerprint": code.fingerprint,
            "git_commit": who.commit,
            "git_branch": who.branch,
            "git_dirty": who.dirty,
            "os_user": who.os_user,
            "host": who.host,
            "django_version": who.django_version,
            "progress": progress,
        }
        # What was begun ends in its own entry.
        entry, _ = LedgerEntry.objects.using(self.connection.alias).update_or_create(
            app=app, name=name, outcome=Outcome.STARTED, defaults=facts
        )
        return entry


def has_ledger(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database has a ledger."""
    with connection.cursor() as cursor:
        return TABLE in connection.introspection.table_names(cursor)


def latest_entries(alias: str) -> dict[Key, LedgerEntry]:
    """Return the latest entry of each migration; none where the database has no ledger."""
    if not has_ledger(connections[alias]):
        return {}
    entries = LedgerEntry.objects.using(alias)
    latest = entries.order_by().values("app", "name").annotate(latest=Max("pk")).values("latest")
    return {(entry.app, entry.name): entry for entry in entries.filter(pk__in=latest)}


def applied_rows(alias: str) -> dict[Key, datetime]:
    """Return what the table `django_migrations` says is applied, and since when."""
    recorder = MigrationRecorder(connections[alias])
    return {key: row.applied for key, row in recorder.applied_migrations().items()}


@dataclass(frozen=True, slots=True)
class Recorded:
    """All that both tables say; `ledger` is None where there is none."""

    rows: tuple[tuple[str, str, datetime], ...] = ()
    ledger: tuple[tuple[object, ...], ...] | None = None

    @property
    def applied(self) -> set[Key]:
        """What is applied."""
        return {(app, name) for app, name, _ in self.rows}


def recorded(alias: str) -> Recorded:
    """Return what was recorded: where it is the same later, nothing was recorded since."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    recorder = MigrationRecorder(connection)
    rows = recorder.migration_qs.order_by("pk").values_list("app", "name", "applied")
    entries = LedgerEntry.objects.using(alias).order_by("pk").values_list()
    return Recorded(
        tuple(rows) if recorder.Migration._meta.db_table in tables else (),
        tuple(entries) if TABLE in tables else None,
    )
