"""A rebase carried out: files and rows together, all of it or nothing.

What is to be done is written to a journal first. After a failure everything is put back; after a
kill the journal is still there, and the next call finishes from it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shelter.versioning.history.migration import Key
from shelter.versioning.ledger.renaming import rename_rows
from shelter.versioning.repair.rebase import FileEdit, RebasePlan
from shelter.versioning.writing import write_whole


@dataclass(frozen=True, slots=True)
class Steps:
    """All that a rebase changes: files below `root`, and rows by database.

    `before` are, for each database, the rows of old and of new names that it has.
    """

    root: Path
    edits: tuple[FileEdit, ...]
    renames: tuple[tuple[Key, Key], ...]
    dropped: tuple[Key, ...]
    before: Mapping[str, tuple[Key, ...]]

    @property
    def files(self) -> dict[Key, Path]:
        """The migrations whose files were changed or made, and those."""
        return {
            edit.key: self.root / edit.new_path for edit in self.edits if edit.new_path is not None
        }

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that were changed, made or taken away."""
        named = {edit.path for edit in self.edits} | {
            edit.new_path for edit in self.edits if edit.new_path is not None
        }
        return tuple(self.root / path for path in sorted(named))

    def dumps(self) -> str:
        """Return the steps as JSON."""
        return json.dumps(
            {
                "version": 1,
                "root": os.fspath(self.root),
                "edits": [
                    [
                        edit.key,
                        edit.path,
                        edit.new_path,
                        base64.b64encode(edit.before).decode(),
                        base64.b64encode(edit.after).decode(),
                    ]
                    for edit in self.edits
                ],
                "renames": self.renames,
                "dropped": self.dropped,
                "before": self.before,
            }
        )

    @staticmethod
    def loads(text: str) -> Steps:
        """Return what `dumps` wrote."""
        told = json.loads(text)
        return Steps(
            Path(told["root"]),
            tuple(
                FileEdit(_key(key), path, new, base64.b64decode(before), base64.b64decode(after))
                for key, path, new, before, after in told["edits"]
            ),
            tuple((_key(old), _key(new)) for old, new in told["renames"]),
            tuple(_key(key) for key in told["dropped"]),
            {alias: tuple(_key(key) for key in keys) for alias, keys in told["before"].items()},
        )


def _key(pair: list[str]) -> Key:
    return pair[0], pair[1]


def steps_of(plan: RebasePlan, root: Path, applied: Mapping[str, Iterable[Key]]) -> Steps:
    """Return the steps of a plan; `applied` is what each database has applied."""
    names = {key for pair in plan.renames for key in pair} | set(plan.dropped)
    before = {alias: tuple(sorted(names & set(keys))) for alias, keys in applied.items()}
    return Steps(root, plan.edits, plan.renames, plan.dropped, before)


def carry_out(steps: Steps, journal: Path, follow: Callable[[Steps], object]) -> None:
    """Change files and rows; put everything back where that fails, and raise what failed.

    `follow` is called when all is done, and again after a kill in it.
    """
    write_whole(journal, steps.dumps().encode())
    done: list[str] = []
    try:
        _forward(steps.root, steps.edits)
        for alias, before in steps.before.items():
            rename_rows(alias, before, steps.renames, steps.dropped)
            done.append(alias)
    except BaseException:
        _back(steps, done)
        journal.unlink()
        raise
    follow(steps)
    journal.unlink()


def finish(journal: Path, follow: Callable[[Steps], object]) -> bool:
    """Finish what a kill left in the journal; False where there is none."""
    try:
        steps = Steps.loads(journal.read_text())
    except FileNotFoundError:
        return False
    _forward(steps.root, steps.edits)
    for alias, before in steps.before.items():
        rename_rows(alias, before, steps.renames, steps.dropped)
    follow(steps)
    journal.unlink()
    return True


def _forward(root: Path, edits: Iterable[FileEdit]) -> None:
    edits = tuple(edits)
    kept = {edit.new_path for edit in edits}
    for edit in edits:
        if edit.new_path is not None:
            write_whole(root / edit.new_path, edit.after, like=root / edit.path)
    for edit in edits:
        if edit.path not in kept:
            (root / edit.path).unlink(missing_ok=True)


def _back(steps: Steps, done: Iterable[str]) -> None:
    old = {edit.path for edit in steps.edits}
    for edit in steps.edits:
        write_whole(steps.root / edit.path, edit.before)
    for edit in steps.edits:
        if edit.new_path is not None and edit.new_path not in old:
            (steps.root / edit.new_path).unlink(missing_ok=True)
    new_names = dict(steps.renames)
    for alias in done:
        before = [
            new_names.get(key, key) for key in steps.before[alias] if key not in steps.dropped
        ]
        back = tuple((new, previous) for previous, new in reversed(steps.renames))
        rename_rows(alias, before, back)
