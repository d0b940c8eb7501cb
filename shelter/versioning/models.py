"""The app's one table, for the admin and for Django's permissions."""

from shelter.versioning.ledger.entries import LedgerEntry

__all__ = ["LedgerEntry"]
