"""Warn of conflicting leaf migrations, and explain them."""

from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS

from shelter.versioning.checkout import check_checkout
from shelter.versioning.report.findings import Level
from shelter.versioning.report.json import render_json
from shelter.versioning.report.text import render_text


class Command(BaseCommand):
    """Warn of conflicting leaf migrations, and explain them."""

    help = (
        "Warns of conflicting leaf migrations in this checkout: the leaves, where they fork, each "
        "side's migrations with their author, and what to type. Exits 0 when there is nothing to "
        "say, 1 with findings, 2 when it could not run."
    )
    # It must be able to tell of a project that other checks find fault with, and would else say
    # everything twice.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("apps", metavar="app", nargs="*", help="Look at these apps only.")
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="How to write the report."
        )
        parser.add_argument(
            "--fail-level",
            choices=[level.value for level in Level],
            default=Level.WARNING.value,
            help="Exit 1 from this level on (default: warning).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        labels = {config.label for config in apps.get_app_configs()}
        unknown = sorted(set(options["apps"]) - labels)
        if unknown:
            raise CommandError(
                f"There is no app {', '.join(unknown)}. There are: {', '.join(sorted(labels))}.",
                returncode=2,
            )
        try:
            report = check_checkout(options["apps"] or None, database=DEFAULT_DB_ALIAS)
        except (OSError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["format"] == "json":
            self.stdout.write(render_json(report))
        else:
            self.stdout.write(
                render_text(report, lambda role, text: getattr(self.style, role)(text))
            )
        # The report first, wherever both streams go.
        self.stdout.flush()
        if report.reaches(Level(options["fail_level"])):
            count = len(report.findings)
            raise CommandError(f"{count} finding{'s' if count != 1 else ''}.", returncode=1)
