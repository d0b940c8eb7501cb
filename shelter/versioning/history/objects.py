"""What git's objects hold, asked with few imports: what `git.Repository` rests on.

Nothing else runs git.
"""

from __future__ import annotations

import os
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    Pair = tuple[str, str]
    """The ids of a base and of a commit."""

    Changes = tuple[dict[str, str], set[str], set[str]]
    """The regular files that a commit added, with their blobs; what it deleted; other changes."""


class GitError(Exception):
    """Git could not answer; the message says why, and where possible what to do."""


class Objects:
    """The objects of a git repository, by any folder inside it, and how the work tree differs.

    `environment` adds to the one of this process.
    """

    def __init__(
        self, folder: os.PathLike[str] | str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.environment = environment or {}

    def run(self, *arguments: str, text: bytes | None = None) -> str:
        """Return what `git` prints for `arguments`, given `text` to read.

        Raises GitError where git is not there, or refuses.
        """
        return self._output(arguments, text).decode(errors="surrogateescape")

    def _output(self, arguments: Sequence[str], text: bytes | None = None) -> bytes:
        done = self._call(arguments, text)
        if done.returncode:
            raise GitError(_complaint(done))
        return done.stdout

    def _call(
        self, arguments: Sequence[str], text: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        environment = {
            **os.environ,
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **self.environment,
        }
        try:
            return subprocess.run(
                # Replacement objects and a pager are for people.
                ["git", "--no-replace-objects", "-C", os.fspath(self.folder), *arguments],
                capture_output=True,
                check=False,
                env=environment,
                input=text or b"",
            )
        except FileNotFoundError as error:
            raise GitError("git is not installed. On Debian: apt-get install git") from error

    def parting(self, ours: str, theirs: str) -> tuple[str, str, str | None]:
        """Return the commits that two refs name, and their merge base, if it is the only one.

        Raises GitError, which does not say what to do, where there is none.
        """
        if not theirs or ours.startswith("-"):
            raise GitError("A name is missing.")
        other, mine, *bases = self.run("rev-parse", f"{ours}...{theirs}").split()
        return mine, other, bases[0].removeprefix("^") if len(bases) == 1 else None

    def files(self, tree: str, folders: Collection[str] = ()) -> dict[str, str]:
        """Return the regular files of a tree or commit, and the id of each one's blob.

        With `folders`, those below them alone.
        """
        found = {}
        # The top folder has no name to ask for.
        below = () if "" in folders else folders
        listing = self.run("ls-tree", "-r", "-z", "--full-tree", tree, "--", *below)
        for entry in listing.split("\0")[:-1]:
            described, _, path = entry.partition("\t")
            mode, _, blob = described.split(" ")
            # Neither symbolic links, which may lead anywhere, nor submodules.
            if mode.startswith("100"):
                found[path] = blob
        return found

    def blobs(self, ids: Iterable[str], *, largest: int) -> Mapping[str, bytes | int | None]:
        """Return the content of blobs, read by one process.

        A blob of more than `largest` bytes is not read: its size stands for it. None stands for one
        that is not here, as in a partial clone.
        """
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        found: dict[str, bytes | int | None] = {}
        sizes = self.run("cat-file", "--batch-check", text="\n".join(wanted).encode())
        for line in sizes.splitlines():
            blob, *described = line.split(" ")
            size = int(described[1]) if len(described) == 2 else None
            found[blob] = size if size is None or size > largest else b""
        readable = [blob for blob, content in found.items() if content == b""]
        output = memoryview(self._output(["cat-file", "--batch"], "\n".join(readable).encode()))
        at = 0
        while at < len(output):
            # A header is an id, a type and a size, and never longer than this.
            end = at + bytes(output[at : at + 200]).index(b"\n")
            blob, _, size_text = bytes(output[at:end]).decode().split(" ")
            found[blob] = bytes(output[end + 1 : end + 1 + int(size_text)])
            at = end + 2 + int(size_text)
        return found

    def changes(self, pairs: Iterable[Pair]) -> dict[Pair, Changes]:
        """Return what commits did, given as pairs of a base and a commit; told by one process."""
        pairs = dict.fromkeys(pairs)
        lines = "".join(f"{commit} {base}\n" for base, commit in pairs)
        options = ("--stdin", "-r", "-z", "--no-renames", "--raw", "--no-abbrev", "--always")
        listing = self.run("diff-tree", *options, text=lines.encode()) if lines else ""
        found: list[Changes] = []
        fields = iter(listing.split("\0")[:-1])
        for entry in fields:
            if not entry.startswith(":"):
                # The id of the next commit.
                found.append(({}, set(), set()))
                continue
            added, deleted, others = found[-1]
            _, mode, _, blob, status = entry.split(" ")
            path = next(fields)
            if status == "A" and mode.startswith("100"):
                added[path] = blob
            else:
                (deleted if status == "D" else others).add(path)
        return dict(zip(pairs, found, strict=True))

    def uncommitted(self, is_wanted: Callable[[str], bool]) -> list[str]:
        """Return the paths, those that `is_wanted`, of files that are not as in HEAD."""
        status = self.run("status", "--porcelain", "-z", "-uall", "--no-renames")
        return [entry[3:] for entry in status.split("\0") if is_wanted(entry[3:])]


def _complaint(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    return said or f"git exited with {done.returncode}."
