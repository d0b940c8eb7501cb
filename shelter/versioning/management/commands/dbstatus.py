"""Say which state a database is in."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connections

from shelter.versioning.glance import Glance
from shelter.versioning.report.findings import Level, Report
from shelter.versioning.report.formats import render
from shelter.versioning.report.short import in_short


class Command(BaseCommand):
    """Say which state a database is in."""

    help = (
        "Says what is off between the databases and this checkout, and what to type: what is not "
        "applied, ghosts, migrations edited, renamed or half done, conflicting leaves, model "
        "changes without a migration; with --drift, tables that are not what the applied "
        "migrations say. Changes nothing."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            help="Which database to look at (default: all of them).",
        )
        parser.add_argument(
            "--drift",
            action="store_true",
            help="Compare the tables with what the applied migrations say. They are made anew for "
            "it in a scratch place of the same database server, which is thrown away.",
        )
        parser.add_argument(
            "--check", action="store_true", help="Exit 1 when anything is off, else 0."
        )
        parser.add_argument(
            "--short", action="store_true", help="One line, for a prompt or a hook."
        )
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="How to write the report."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        databases = (options["database"],) if options["database"] else tuple(connections)
        try:
            report = self._report(databases, options)
        except (OSError, DatabaseError, ImproperlyConfigured, NotImplementedError) as error:
            raise CommandError(" ".join(str(error).split()), returncode=2) from error
        text = (
            in_short(report, databases)
            if options["short"]
            else render(
                report, options["format"], lambda role, text: getattr(self.style, role)(text)
            )
        )
        self.stdout.write(text.encode(errors="replace").decode())
        self.stdout.flush()
        if options["check"] and report.reaches(Level.WARNING):
            count = len(report.findings)
            raise CommandError(f"{count} finding{'s' if count != 1 else ''}.", returncode=1)

    def _report(self, databases: tuple[str, ...], options: dict[str, Any]) -> Report:
        glance = Glance(databases) if options["short"] and not options["drift"] else None
        if glance is not None and glance.nothing_is_off():
            return Report("dbstatus", ())
        # A glance is mostly enough, and takes less time than these imports.
        from shelter.versioning.status import status_of  # noqa: PLC0415

        report = status_of(databases, drift=options["drift"])
        if glance is not None and not report.findings:
            glance.remember()
        return report
