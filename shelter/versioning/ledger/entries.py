"""The ledger's table: an entry for each time a migration was applied, faked or unapplied."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now


class Outcome(models.TextChoices):
    """How a migration came into, or out of, the table of applied ones."""

    APPLIED = "applied", "applied"
    FAKED = "faked", "recorded without being run"
    UNAPPLIED = "unapplied", "unapplied"
    FORGOTTEN = "forgotten", "taken off the record without being run"
    UNKNOWN = "unknown", "applied before the ledger began"
    STARTED = "started", "begun, and not ended"


class LedgerEntry(models.Model):
    """What happened to one migration in this database, by whom and from which code.

    The latest entry of an app's migration tells how it stands. `git_blob` is git's id of the file
    that ran, `fingerprint` that of `history.fingerprint`; both are empty where the file is not
    known. `git_commit`, `git_branch` and `git_dirty` (whether tracked files were changed) are those
    of the checkout; empty and None outside git. `duration` is in seconds. `progress` says, of a
    migration that is not one transaction and has begun, how far it is (`ledger.journal`).
    """

    app = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    outcome = models.CharField(max_length=10, choices=Outcome)
    started = models.DateTimeField(default=now, db_index=True)
    duration = models.FloatField(null=True)
    git_blob = models.CharField(max_length=64)
    fingerprint = models.CharField(max_length=64)
    git_commit = models.CharField(max_length=64)
    git_branch = models.CharField(max_length=255)
    git_dirty = models.BooleanField(null=True)
    os_user = models.CharField(max_length=255)
    host = models.CharField(max_length=255)
    django_version = models.CharField(max_length=32)
    progress = models.TextField()

    class Meta:
        # As with django_migrations, no migration can make the table that migrations are noted in.
        managed = False
        db_table = "versioning_ledger"
        verbose_name = "ledger entry"
        # The admin's page is named so, which shows more than the entries.
        verbose_name_plural = "migrations"
        # Nobody adds, changes or deletes what was.
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.app}.{self.name} {self.outcome}"
