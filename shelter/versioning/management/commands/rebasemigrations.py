"""Put one's own migrations after those of another branch."""

import sys
from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from shelter.versioning.history.git import GitError
from shelter.versioning.ledger.executor import HalfDoneError
from shelter.versioning.ledger.lock import LockError
from shelter.versioning.rebasing import carry_out_rebasing, finish_interrupted, plan_rebasing
from shelter.versioning.repair.rebase import CannotRebaseError
from shelter.versioning.report.findings import Report
from shelter.versioning.report.formats import render


class Command(BaseCommand):
    """Put one's own migrations after those of another branch."""

    help = (
        "Puts your whole side of conflicting leaves after theirs: renames and renumbers your "
        "migrations, changes every reference to them in every app, and moves the rows of the "
        "databases of this project along, data kept. Commits nothing. All of it happens, or none."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "apps", metavar="app", nargs="*", help="These apps; else all with conflicting leaves."
        )
        parser.add_argument(
            "--onto",
            metavar="REF",
            help="Yours, which is what REF does not have, go after REF's. Else: the other side "
            "of a merge or rebase in progress, or the branch that work goes back to.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Show the plan and the changes of files alone."
        )
        parser.add_argument(
            "--accept-unknown",
            action="store_true",
            help="Also where what operations do cannot be told: you have looked.",
        )
        parser.add_argument(
            "--stage", action="store_true", help="Add what was changed to git's index."
        )
        parser.add_argument(
            "--noinput",
            "--no-input",
            action="store_false",
            dest="interactive",
            help="Never ask which side is yours: refuse where that cannot be told.",
        )
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="How to write the report."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        labels = {config.label for config in apps.get_app_configs()}
        unknown = sorted(set(options["apps"]) - labels)
        if unknown:
            raise CommandError(f"There is no app {', '.join(unknown)}.", returncode=2)
        try:
            self._rebase(options)
        except CannotRebaseError as error:
            raise CommandError(f"{error} Nothing was changed.", returncode=1) from error
        except HalfDoneError as error:
            raise CommandError(str(error), returncode=1) from error
        except (GitError, LockError, OSError, DatabaseError, ImproperlyConfigured) as error:
            raise CommandError(" ".join(str(error).split()), returncode=2) from error

    def _rebase(self, options: dict[str, Any]) -> None:
        if not options["dry_run"] and finish_interrupted(self._say, stage=options["stage"]):
            self.stderr.write("A rebase that was interrupted has been finished.", self.style.NOTICE)
        asks = options["interactive"] and sys.stdin.isatty()
        rebasing = plan_rebasing(
            options["apps"] or None,
            options["onto"],
            accept_unknown=options["accept_unknown"],
            ask=self._which if asks else lambda _: None,
        )
        if rebasing is None:
            self._write(Report("rebasemigrations", ()), options)
            return
        if options["dry_run"]:
            self._write(rebasing.report(), options)
            if options["format"] == "text":
                for edit in rebasing.plan.edits:
                    self.stdout.write(edit.diff())
            return
        carry_out_rebasing(rebasing, self._say, stage=options["stage"])
        self._write(rebasing.report(), options)

    def _which(self, branches: Sequence[str]) -> str | None:
        """Return the branch that the person at the terminal chooses; None for none of them."""
        self.stderr.write("Which branch do your migrations go after?")
        for number, branch in enumerate(branches, 1):
            self.stderr.write(f"  {number}  {branch}")
        try:
            answer = input("Its number or name (nothing: none of them): ").strip()
        except (EOFError, KeyboardInterrupt):
            return None
        numbered = dict(enumerate(branches, 1))
        return (numbered.get(int(answer)) if answer.isdecimal() else None) or answer or None

    def _write(self, report: Report, options: dict[str, Any]) -> None:
        text = render(report, options["format"], lambda role, text: getattr(self.style, role)(text))
        self.stdout.write(text.encode(errors="replace").decode())

    def _say(self, line: str) -> None:
        self.stderr.write(line, self.style.NOTICE)
