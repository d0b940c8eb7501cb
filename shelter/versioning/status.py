"""Which state a database is in, compared with this checkout."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connections
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.gate import graph_findings, history_findings, plan_findings
from shelter.versioning.ledger.drift import Difference, find_drift
from shelter.versioning.report.findings import Finding, Level, Report

COMMAND = "dbstatus"


def status_of(database: str, *, drift: bool = False) -> Report:
    """Return what is off between the database of that alias and this checkout.

    With `drift`, also whether its tables are what its applied migrations say. Nothing is changed.
    Raises DatabaseError where the database does not answer or no scratch place can be made in it,
    OSError and ImproperlyConfigured where the files cannot be read, NotImplementedError where
    drift cannot be seen.
    """
    findings = list(graph_findings(database))
    try:
        loader = MigrationLoader(connections[database])
    except (NodeNotFoundError, CircularDependencyError, BadMigrationError):
        return Report(COMMAND, tuple(findings))
    findings += history_findings(loader, database)
    findings += plan_findings(loader, (), database)
    if drift:
        findings += drift_findings(database)
    return Report(COMMAND, tuple(findings))


def drift_findings(database: str) -> Iterator[Finding]:
    """Yield a finding for each table that drifted, and one for what is beside the migrations."""
    found = find_drift(database)
    by_table: dict[tuple[str, str], list[Difference]] = {}
    for difference in found.differences:
        by_table.setdefault((difference.app, difference.table), []).append(difference)
    for (app, table), differences in by_table.items():
        yield Finding(
            "versioning.W015",
            Level.WARNING,
            app,
            "",
            f"The table {table} of the database {database!r} is not what the applied migrations "
            f"of {app} say: {'; '.join(map(str, differences))}.",
            reason="It was changed by hand, by another program, or by a migration that was faked "
            "or edited. Change it back; or write the change as a migration, and record that as "
            "applied.",
            next=(
                f"python manage.py makemigrations {app} --empty --name match_{table}",
                f"python manage.py migrate {app} --fake",
            ),
        )
    beside = [str(difference) for difference in found.beside]
    beside += [f"table {table} is in no migration" for table in found.others]
    if beside:
        yield Finding(
            "versioning.I004",
            Level.INFO,
            "",
            "",
            f"Not in the migrations' state, in the database {database!r}: {'; '.join(beside)}.",
            reason="Made by SQL of a migration, or by another program: no drift.",
        )
