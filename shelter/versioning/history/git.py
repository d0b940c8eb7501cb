"""What git knows. Nothing else runs git, and nothing here changes a repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class GitError(Exception):
    """Git could not answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its id, its author as `Name <address>`, the author's date in ISO 8601."""

    id: str
    author: str
    date: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository, by any folder inside it."""

    folder: Path

    def run(self, *arguments: str) -> str:
        """Return what `git` prints for `arguments`.

        Raises GitError where git is not there, or refuses.
        """
        environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
        command = ["git", "-C", os.fspath(self.folder), *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, check=True, env=environment, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise GitError("git is not installed.") from error
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip().partition("\n")[0]
            raise GitError(said or f"git exited with {error.returncode}.") from error
        return done.stdout.decode(errors="surrogateescape")

    def added_by(self, paths: Sequence[Path]) -> Mapping[Path, Commit]:
        """Return, for each of `paths` that is committed, the commit that last added it.

        Raises GitError where git is not there, or this is no repository.
        """
        if not paths:
            return {}
        top = Path(self.run("rev-parse", "--show-toplevel").rstrip("\n"))
        wanted = {path.resolve(): path for path in paths}
        listing = self.run(
            "log",
            "--no-renames",
            "--diff-filter=A",
            "--name-only",
            "-z",
            "--format=%x01%H%x02%an <%ae>%x02%aI%x02",
            "--",
            *(os.fspath(path) for path in wanted),
        )
        found: dict[Path, Commit] = {}
        for entry in listing.split("\x01")[1:]:
            identity, author, date, names = entry.split("\x02")
            for name in names.strip("\n\x00").split("\x00"):
                path = wanted.get(top / name)
                if path is not None:
                    found.setdefault(path, Commit(identity, author, date))
        return found
