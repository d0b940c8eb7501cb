"""Warn of conflicting leaf migrations, and explain them."""

from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS

from shelter.versioning.checking import add_arguments, contradiction
from shelter.versioning.checkout import check_checkout, check_merges_of_checkout
from shelter.versioning.history.git import GitError
from shelter.versioning.report.findings import Level, Report
from shelter.versioning.report.formats import render


class Command(BaseCommand):
    """Warn of conflicting leaf migrations, and explain them."""

    help = (
        "Warns of conflicting leaf migrations, in this checkout or after a merge: the leaves, "
        "where they fork, each side's migrations with their author, whether the sides commute, "
        "and what to type. Exits 0 when there is nothing to say, 1 with findings, 2 when it could "
        "not run."
    )
    # It must be able to tell of a project that other checks find fault with, and would else say
    # everything twice.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        labels = {config.label for config in apps.get_app_configs()}
        unknown = sorted(set(options["apps"]) - labels)
        if unknown:
            raise CommandError(
                f"There is no app {', '.join(unknown)}. There are: {', '.join(sorted(labels))}.",
                returncode=2,
            )
        wrong = contradiction(
            options["against"], options["all_branches"], pairwise=options["pairwise"]
        )
        if wrong is not None:
            raise CommandError(wrong, returncode=2)
        try:
            report = self._report(options)
        except (OSError, GitError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=2) from error
        text = render(report, options["format"], lambda role, text: getattr(self.style, role)(text))
        # Names of files and people are whatever bytes a repository holds.
        self.stdout.write(text.encode(errors="replace").decode())
        # The report first, wherever both streams go.
        self.stdout.flush()
        if report.reaches(Level(options["fail_level"])):
            count = len(report.findings)
            raise CommandError(f"{count} finding{'s' if count != 1 else ''}.", returncode=1)

    def _report(self, options: dict[str, Any]) -> Report:
        only = options["apps"] or None
        if not options["against"] and options["all_branches"] is None:
            return check_checkout(only, database=DEFAULT_DB_ALIAS, exactly=True)
        return check_merges_of_checkout(
            options["against"] or [],
            options["all_branches"],
            only,
            database=DEFAULT_DB_ALIAS,
            pairwise=options["pairwise"],
            advance=self._advance,
        )

    def _advance(self, done: int, total: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{done + 1} of {total} merges", ending="")
            if done + 1 == total:
                self.stderr.write("\r\033[K", ending="")
