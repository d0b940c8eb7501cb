"""Django's migrate, serialised, gated, polite to readers, and remembered."""

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandParser
from django.core.management.commands.migrate import Command as DjangoCommand

# `manage.py check` imports this command each time (Django 5.2's checks of commands), so that what
# it needs to run is imported when it runs.
if TYPE_CHECKING:
    from shelter.versioning.report.findings import Report


class Command(DjangoCommand):
    """Django's migrate, with every flag kept."""

    help = (
        f"{DjangoCommand.help} One migrate at a time works on a database: another one waits, and "
        "then finds nothing to do. What would end badly is told, and stops it, before anything is "
        "changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        from shelter.versioning.migrating import (  # noqa: PLC0415
            default_lock_timeout,
            default_patience,
        )

        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout",
            metavar="SECONDS",
            type=_seconds,
            default=default_lock_timeout(),
            help="Wait so long for another migrate (default: %(default)g; "
            "setting VERSIONING_LOCK_TIMEOUT).",
        )
        parser.add_argument(
            "--table-lock-timeout",
            metavar="SECONDS",
            type=_seconds,
            default=default_patience().table_lock,
            help="Wait so long for the lock of a table, then let others pass and try again; 0 "
            "waits as long as it takes (default: %(default)g; "
            "setting VERSIONING_TABLE_LOCK_TIMEOUT).",
        )
        parser.add_argument(
            "--no-gate",
            action="store_false",
            dest="gate",
            help="Migrate although something speaks against it.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from shelter.versioning.ledger.waiting import Patience  # noqa: PLC0415
        from shelter.versioning.migrating import (  # noqa: PLC0415
            Options,
            Says,
            default_patience,
            safely,
        )

        self.verbosity = options["verbosity"]
        usual = default_patience()
        wanted = Options(
            database=options["database"],
            lock_timeout=options["lock_timeout"],
            patience=Patience(options["table_lock_timeout"], usual.in_all),
            gate=options["gate"],
            fake=options["fake"],
            read_only=options["plan"] or options["check_unapplied"],
        )
        self._number, self._begun = 0, 0.0
        with safely(wanted, Says(self._tell, self._say)) as self._making:
            super().handle(*args, **options)

    def migration_progress_callback(
        self,
        action: str,
        migration: Any = None,
        fake: bool = False,
    ) -> None:
        super().migration_progress_callback(action, migration, fake)
        if not self.stdout.isatty() or self.verbosity < 1:
            return
        if action in ("apply_start", "unapply_start"):
            self._begun = time.monotonic()
        elif action in ("apply_success", "unapply_success"):
            self._number += 1
            total = self._making.executor.total if self._making.executor else self._number
            self.stdout.write(
                f"    {self._number} of {total}, {time.monotonic() - self._begun:.1f} s"
            )

    def _tell(self, report: "Report") -> None:
        from shelter.versioning.report.formats import render  # noqa: PLC0415

        self.stderr.write(
            render(report, "text", lambda role, text: getattr(self.style, role)(text)),
            lambda text: text,
        )

    def _say(self, line: str) -> None:
        if self.verbosity >= 1:
            self.stderr.write(line, self.style.NOTICE)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < sys.maxsize / 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds.")
    return seconds
