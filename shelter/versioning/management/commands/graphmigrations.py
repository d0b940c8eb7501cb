"""Draw the migrations."""

import shutil
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from shelter.versioning.drawing import findings_of, picture_of_checkout, picture_of_merge
from shelter.versioning.history.git import GitError
from shelter.versioning.report.formats import DRAWINGS, draw, render
from shelter.versioning.writing import write_whole


class Command(BaseCommand):
    """Draw the migrations."""

    help = (
        "Draws the migrations, or those that a merge would give: what is applied in a database, "
        "what is not, ghosts, leaves, conflicts. Exits 0 whatever there is to be seen, 2 when it "
        "could not run."
    )
    # It must be able to draw what other checks find fault with.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("apps", metavar="app", nargs="*", help="Draw these apps only.")
        parser.add_argument(
            "--against",
            metavar="REF",
            help="Draw what merging REF would give, without a checkout and without running a line "
            "of it: the apps whose migrations it would touch, the two sides apart.",
        )
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            default=DEFAULT_DB_ALIAS,
            help="In which database to look what is applied (default: %(default)s).",
        )
        parser.add_argument(
            "--format",
            choices=(*DRAWINGS, "json"),
            default="text",
            help="How to draw. json has no picture: it is what checkmigrations finds in it.",
        )
        parser.add_argument(
            "--unfold",
            action="store_false",
            dest="fold",
            help="Draw each migration of straight runs too, which else share a row. An svg "
            "unfolds them at a click.",
        )
        parser.add_argument(
            "--output", metavar="F", type=Path, help="Write to this file, all of it or nothing."
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
            text = self._drawn(options)
        except (OSError, GitError, ImproperlyConfigured) as error:
            raise CommandError(str(error), returncode=2) from error
        if options["output"] is None:
            self.stdout.write(text)
            return
        try:
            write_whole(options["output"], f"{text}\n".encode())
        except OSError as error:
            raise CommandError(
                f"{options['output']} cannot be written: {error.strerror}.", returncode=2
            ) from error

    def _drawn(self, options: dict[str, Any]) -> str:
        ref, only, database = options["against"], options["apps"] or None, options["database"]
        if options["format"] == "json":
            text = render(findings_of(ref, only, database), "json")
        else:
            picture = (
                picture_of_checkout(only, database)
                if ref is None
                else picture_of_merge(ref, only, database)
            )
            text = draw(picture, options["format"], fold=options["fold"], **self._here(options))
        # Names of files and people are whatever bytes a repository holds.
        return text.encode(errors="replace").decode()

    def _here(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return how text is drawn where it goes to; a file takes all but colours."""
        if options["output"] is not None:
            return {}
        return {
            "paint": lambda role, text: getattr(self.style, role)(text),
            "width": shutil.get_terminal_size().columns if self.stdout.isatty() else None,
            "encoding": getattr(self.stdout, "encoding", None),
        }
