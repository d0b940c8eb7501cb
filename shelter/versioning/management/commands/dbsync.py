"""Bring a database to this checkout, whatever happened."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.migrations.exceptions import (
    BadMigrationError,
    CircularDependencyError,
    NodeNotFoundError,
)

from shelter.versioning.ledger.executor import HalfDoneError
from shelter.versioning.ledger.lock import LockError
from shelter.versioning.repair.saving import restore
from shelter.versioning.repair.sync import CannotSyncError, Ghost, SyncPlan
from shelter.versioning.report.commands import MANAGE, option
from shelter.versioning.report.formats import render
from shelter.versioning.report.picture import plain
from shelter.versioning.syncing import carry_out_sync, plan_sync, report_of


class Command(BaseCommand):
    """Bring a database to this checkout."""

    help = (
        "Brings a database to this checkout: takes back what other code applied, with that very "
        "code out of git, adopts what was renamed, and applies what is missing. Shows first what "
        "data would go, and takes none away without --allow-data-loss or a yes. With -v 2 it "
        "shows the code, too."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--database",
            default=DEFAULT_DB_ALIAS,
            choices=tuple(connections),
            help="Which database (default: %(default)s).",
        )
        parser.add_argument("--dry-run", action="store_true", help="Show the plan alone.")
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="Ask nothing. Data is lost with --allow-data-loss alone.",
        )
        parser.add_argument(
            "--allow-data-loss", action="store_true", help="Take away the data that is shown."
        )
        parser.add_argument(
            "--save-to",
            metavar="FILE",
            type=Path,
            help="Write the data that goes to a new file first, and so let it go.",
        )
        parser.add_argument(
            "--restore",
            metavar="FILE",
            type=Path,
            help="Put back what --save-to wrote, when its migrations are applied again.",
        )
        parser.add_argument(
            "--trust-git",
            action="store_true",
            help="Run code that git has by the name, where the ledger does not know the code.",
        )
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="How to write the report."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._sync(options)
        except (CannotSyncError, HalfDoneError) as error:
            raise CommandError(str(error), returncode=1) from error
        except (NodeNotFoundError, CircularDependencyError, BadMigrationError) as error:
            raise CommandError(
                f"{error} Nothing was changed. Look at it: python manage.py checkmigrations",
                returncode=1,
            ) from error
        except (LockError, OSError, DatabaseError, ImproperlyConfigured) as error:
            raise CommandError(" ".join(str(error).split()), returncode=2) from error

    def _sync(self, options: dict[str, Any]) -> None:
        if options["restore"] is not None:
            rows = restore(options["restore"], options["database"])
            self.stdout.write(f"{'1 row was' if rows == 1 else f'{rows:,} rows were'} put back.")
            return
        asks = options["interactive"] and sys.stdin.isatty() and not options["dry_run"]

        def trusted(ghosts: tuple[Ghost, ...]) -> bool:
            names = ", ".join(f"{'.'.join(g.key)} of {plain(g.author)}" for g in ghosts)
            them = "it" if len(ghosts) == 1 else "them"
            return options["trust_git"] or (
                asks and self._asked(f"Run {names} to take {them} back?", shown=ghosts)
            )

        plan = plan_sync(options["database"], trust_git=trusted)
        report = report_of(plan)
        text = render(report, options["format"], lambda role, text: getattr(self.style, role)(text))
        self.stdout.write(text.encode(errors="replace").decode())
        if options["verbosity"] > 1 and options["format"] == "text":
            self.stdout.write(_code(plan.ghosts))
        # What is done is told on the other stream, after it.
        self.stdout.flush()
        if options["dry_run"] or plan.is_empty:
            return
        if not self._may_go_on(plan, options, asks=asks):
            command = f"{MANAGE} dbsync{option(plan.database)}"
            raise CommandError(
                "Data would go, as shown. Nothing was changed. To let it go: "
                f"{command} --allow-data-loss; to keep it in a file: {command} --save-to FILE",
                returncode=1,
            )
        carry_out_sync(
            plan,
            lambda line: self.stderr.write(line, self.style.NOTICE),
            save_to=options["save_to"],
        )

    def _may_go_on(self, plan: SyncPlan, options: dict[str, Any], *, asks: bool) -> bool:
        if not plan.losses or options["allow_data_loss"] or options["save_to"] is not None:
            return True
        return asks and self._asked("Let this data go?")

    def _asked(self, question: str, shown: Sequence[Ghost] = ()) -> bool:
        """Return whether a person says yes; the code of `shown` is shown to who wants to see it."""
        choices = "y/N, s shows the code" if shown else "y/N"
        while True:
            # Not on the stream of the report, which may go to a file.
            self.stderr.write(f"{question} [{choices}] ", ending="")
            self.stderr.flush()
            try:
                answer = input().strip().lower()
            except (EOFError, KeyboardInterrupt):
                self.stderr.write("")
                return False
            if answer != "s" or not shown:
                return answer in ("y", "yes")
            self.stderr.write(_code(shown))


def _code(ghosts: Sequence[Ghost]) -> str:
    """Return the code of ghosts, each with a heading, without what would steer a terminal."""
    lines = []
    for ghost in ghosts:
        source = ghost.source.decode(errors="replace").expandtabs()
        lines += ["", f"The code of {'.'.join(ghost.key)}:", ""]
        lines += [f"    {plain(line)}".rstrip() for line in source.splitlines()]
    return "\n".join(lines)
