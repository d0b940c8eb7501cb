"""What a command found, as values: the shape behind every format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RULES = {
    "versioning.W001": "An app has conflicting leaf migrations.",
    "versioning.W002": "A migration depends on one that no file provides.",
    "versioning.W003": "Migrations depend on one another in a circle.",
    "versioning.W004": "A migration cannot be read without running it.",
    "versioning.W005": "git cannot merge a file of migrations.",
    "versioning.W006": "A branch cannot be compared with.",
    "versioning.W007": "A merge migration may leave model changes unmigrated.",
    "versioning.W010": "A database has applied what no file of this checkout has.",
    "versioning.W011": "Such a migration made a column without which no row can be added.",
    "versioning.W012": "A migration was edited after it was applied.",
    "versioning.W013": "A migration is applied, and one that it depends on is not.",
    "versioning.W014": "A migration was stopped half way.",
    "versioning.W015": "The tables are not what the applied migrations say.",
    "versioning.W016": "A database lacks migrations of this checkout.",
    "versioning.W017": "Models have changes that no migration has.",
    "versioning.W018": "A migration was renamed after it was applied.",
    "versioning.W019": "A squash came or went, or is applied in part.",
    "versioning.I001": "An app has a number twice, without a conflict.",
    "versioning.I002": "A merge or a rebase is in progress.",
    "versioning.I003": "A migration that was stopped is carried on where it ended.",
    "versioning.I005": "Migrations were rebased.",
    "versioning.I006": "A step that brings a database to this checkout.",
    "versioning.I004": "A database has more than its migrations' state.",
}
"""The findings by id, in short."""


class Level(StrEnum):
    """How grave a finding is, in growing order."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    def reaches(self, other: Level) -> bool:
        """Return whether this level is at least as grave as `other`."""
        order = list(Level)
        return order.index(self) >= order.index(other)


class Verdict(StrEnum):
    """Whether the sides of a fork may be applied in either order."""

    INDEPENDENT = "independent"
    ORDER_DEPENDENT = "order-dependent"
    CONTRADICTORY = "contradictory"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BranchMigration:
    """A migration of a branch side, with what is known of its origin.

    `date` is ISO 8601. `author`, `commit` and `date` are None for a file that is not committed or
    in no git repository. `applied` is None where no database was asked.
    """

    name: str
    path: str
    line: int
    author: str | None
    commit: str | None
    date: str | None
    operations: tuple[str, ...]
    applied: bool | None


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch side: its leaf, the ref it comes from (None for this checkout), its migrations."""

    leaf: str
    ref: str | None
    migrations: tuple[BranchMigration, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a person should know of, and the commands to type next, best first.

    `line` is counted from 1. `leaves`, `fork`, `branches` and `verdict` are set where several
    leaves were found.
    """

    id: str
    level: Level
    app: str
    path: str
    message: str
    line: int | None = None
    ref: str | None = None
    leaves: tuple[str, ...] = ()
    fork: tuple[str, ...] = ()
    branches: tuple[Branch, ...] = ()
    verdict: Verdict | None = None
    reason: str = ""
    next: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What merging `ref` into `head` would give."""

    head: str
    ref: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The findings of one run of `command`; of many merges tried, also each one's own."""

    command: str
    findings: tuple[Finding, ...]
    comparisons: tuple[Comparison, ...] | None = None

    def reaches(self, level: Level) -> bool:
        """Return whether any finding is at least as grave as `level`."""
        return any(finding.level.reaches(level) for finding in self.findings)
