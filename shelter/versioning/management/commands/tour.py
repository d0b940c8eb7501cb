"""Show what these commands do, on a scratch project."""

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.management.color import supports_color

from shelter.versioning.history.git import GitError
from shelter.versioning.tour import END, SETTING, STORY, Stage, Step, TourError, scratch_folder


class Command(BaseCommand):
    """Show what these commands do, on a scratch project."""

    help = (
        "Plays a story of two teammates in a scratch folder, with real commands: a conflict of "
        "their migrations is predicted, explained and mended, data kept, and a database is brought "
        "to another branch. Touches nothing of this project. On a terminal it waits for Enter "
        "after each step; Ctrl-C ends it."
    )
    # It has nothing to do with this project.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-pause", action="store_false", dest="pause", help="Wait for nobody."
        )
        parser.add_argument(
            "--keep", action="store_true", help="Leave the scratch folder, and say where it is."
        )
        parser.add_argument(
            "--format", choices=("text", "json"), default="text", help="How to write the story."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with scratch_folder(keep=options["keep"]) as folder:
                try:
                    self._tell(folder, options)
                finally:
                    if options["keep"]:
                        self.stderr.write(f"It was played in {folder}", self.style.NOTICE)
        except (KeyboardInterrupt, EOFError):
            self.stderr.write("\nThe tour ends here.", self.style.NOTICE)
        except (GitError, OSError, TourError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _tell(self, folder: Path, options: dict[str, Any]) -> None:
        if options["format"] == "json":
            self._record(Stage(folder))
            return
        coloured = options["force_color"] or (supports_color() and not options["no_color"])
        self._play(Stage(folder, coloured=coloured), pause=options["pause"])

    def _play(self, stage: Stage, *, pause: bool) -> None:
        self.stdout.write(textwrap.fill(SETTING, 78))
        self.stdout.flush()
        stage.set()
        for number, step in enumerate(STORY, 1):
            if pause and self.stdout.isatty() and sys.stdin.isatty():
                input("\n[Enter] ")
            place = f"{number}/{len(STORY)}  "
            says = textwrap.fill(
                step.says, 78, initial_indent=place, subsequent_indent=" " * len(place)
            )
            self.stdout.write(f"\n{self.style.MIGRATE_HEADING(says)}")
            stage.begin(step)
            for typed in step.typed:
                self.stdout.write(f"{typed.by}$ {self.style.MIGRATE_LABEL(typed.line)}")
                self.stdout.flush()
                self.stdout.write(stage.run(typed), ending="")
        self.stdout.write(f"\n{textwrap.fill(END, 78)}")

    def _record(self, stage: Stage) -> None:
        stage.set()
        steps = [
            {"name": step.name, "says": step.says, "typed": _typed(stage, step)} for step in STORY
        ]
        document = {"version": 1, "command": "tour", "says": SETTING, "steps": steps}
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))


def _typed(stage: Stage, step: Step) -> list[dict[str, str | int]]:
    stage.begin(step)
    return [
        {"by": typed.by, "line": typed.line, "output": stage.run(typed), "exit": typed.exit}
        for typed in step.typed
    ]
