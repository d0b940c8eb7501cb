"""What git knows.

A repository is changed by `keep_blobs`, `move_refs` and `drop_refs` alone, below refs that nobody
else uses; its index by `stage`.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shelter.versioning.history.objects import GitError as GitError  # noqa: PLC0414  # offered here too
from shelter.versioning.history.objects import Objects

OLDEST_VERSION = (2, 38)
"""The first git whose `merge-tree` can merge without a work tree."""


# Who commits, in a scratch repository, what is not committed.
_NOBODY = "-"

# The fields of a `Commit`, as `git log` prints them.
_COMMIT = "%H%x02%an <%ae>%x02%aI"


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its id, its author as `Name <address>`, the author's date in ISO 8601."""

    id: str
    author: str
    date: str


@dataclass(frozen=True, slots=True)
class Merge:
    """What merging two commits would give.

    `files` are the tree's regular files and their blobs. `conflicted` are the paths that git could
    not join, with the blob of our side and of theirs, None where a side has none. `by_file`: git
    could not merge at all (a partial clone without some big blob), so that each file was taken from
    the side that changed it; renames are not followed then.
    """

    files: Mapping[str, str]
    conflicted: Mapping[str, tuple[str | None, str | None]]
    by_file: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """How two commits' files differ: paths of one alone, of the other alone, of both."""

    ours_only: frozenset[str]
    theirs_only: frozenset[str]
    both: frozenset[str]

    @property
    def paths(self) -> frozenset[str]:
        """All paths."""
        return self.ours_only | self.theirs_only | self.both


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, local or of a remote: its short name, the commit and the tree it points at."""

    name: str
    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class Head:
    """What is checked out: the commit (empty before the first), the branch (empty when detached).

    `dirty` tells whether tracked files were changed since.
    """

    commit: str
    branch: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class MergeBases:
    """Where commits part: `base`, which all rest on, and what they rest on besides.

    `order` are the commits since then, parents first; `masks` give for each the bits, by its place
    in that order, of itself and of those that it rests on.
    """

    base: str | None
    order: tuple[str, ...]
    masks: Mapping[str, int]

    def of(self, one: str, two: str) -> str | None:
        """Return the one merge base of two commits; None where there is none, or several."""
        common = self.masks.get(one, 0) & self.masks.get(two, 0)
        if not common:
            return self.base
        last = self.order[common.bit_length() - 1]
        return last if self.masks[last] == common else None


@dataclass(frozen=True, slots=True)
class InProgress:
    """A merge or a rebase that waits for somebody to go on.

    `ours` and `theirs` are the two commits by name, in git's words: in a rebase git's ours is what
    one's own commits are put on, and theirs are one's own. `kind` is the command's name.
    """

    kind: str
    ours: tuple[str, str]
    theirs: tuple[str, str]

    @property
    def mine_is_ours(self) -> bool:
        """Whether one's own side is what git calls ours."""
        return self.kind != "rebase"


class Repository(Objects):
    """A git repository, by any folder inside it; bare ones too."""

    folder: Path

    def is_there(self) -> bool:
        """Return whether the folder lies in a repository's work tree; no git is asked."""
        folder = self.folder.resolve()
        return any((above / ".git").exists() for above in (folder, *folder.parents))

    # --- Names -------------------------------------------------------------------------------

    def commit_of(self, ref: str) -> str:
        """Return the id of the commit that `ref` names.

        Raises GitError, with what to do, where there is none.
        """
        # A name that begins with a dash would be an option; git allows no such ref.
        if not ref.startswith("-"):
            done = self._call(["rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"])
            if done.returncode == 0:
                return done.stdout.decode().strip()
            if done.returncode > 1 and b"not a git repository" in done.stderr:
                raise GitError(f"{self.folder} is in no git repository.")
        shallow = self.run("rev-parse", "--is-shallow-repository").strip() == "true"
        advice = "This clone is shallow: git fetch --unshallow. " if shallow else ""
        raise GitError(
            f"There is no commit {ref!r} here. {advice}Look at `git branch --all`; a branch of a "
            "remote must be fetched first: git fetch"
        )

    def top(self) -> Path | None:
        """Return the top folder of the work tree; None for a bare repository.

        Raises GitError where this is no repository.
        """
        if self.run("rev-parse", "--is-bare-repository").strip() == "true":
            return None
        return Path(self.run("rev-parse", "--show-toplevel").rstrip("\n"))

    def branches(self, pattern: str = "*") -> list[Branch]:
        """Return the branches, local and remote ones, whose name `pattern` fits, by name.

        Of those that point at one tree only the first is returned, a local one if there is one.
        """
        listing = self.run(
            "for-each-ref",
            "--format=%(refname)%00%(objectname)%00%(tree)%00%(symref)",
            "refs/heads",
            "refs/remotes",
        )
        matches = re.compile(_glob(pattern)).fullmatch
        found: dict[str, Branch] = {}
        for line in listing.splitlines():
            name, commit, tree, symbolic = line.split("\0")
            short = name.removeprefix("refs/heads/").removeprefix("refs/remotes/")
            if not symbolic and matches(short):
                found.setdefault(tree, Branch(short, commit, tree))
        return sorted(found.values(), key=lambda branch: branch.name)

    def head(self) -> Head:
        """Return what is checked out.

        Raises GitError where this is no repository, or a bare one.
        """
        listing = self.run("status", "--porcelain=v2", "--branch", "--untracked-files=no", "-z")
        told: dict[str, str] = {}
        dirty = False
        for entry in listing.split("\0")[:-1]:
            if entry.startswith("# "):
                name, _, value = entry[2:].partition(" ")
                told[name] = value
            else:
                dirty = True
        commit, branch = told.get("branch.oid", ""), told.get("branch.head", "")
        return Head(
            "" if commit == "(initial)" else commit,
            "" if branch == "(detached)" else branch,
            dirty,
        )

    def in_progress(self) -> InProgress | None:
        """Return the merge or rebase that is in progress, None where there is none.

        Raises GitError where this is no repository.
        """
        folder = Path(self.run("rev-parse", "--absolute-git-dir").rstrip("\n"))
        for place in (folder / "rebase-merge", folder / "rebase-apply"):
            try:
                onto, mine, name = (
                    (place / file).read_text().strip()
                    for file in ("onto", "orig-head", "head-name")
                )
            except OSError:
                continue
            branch = name.removeprefix("refs/heads/")
            return InProgress("rebase", (self._name_of(onto), onto), (branch, mine))
        try:
            other = (folder / "MERGE_HEAD").read_text().split()[0]
        except OSError:
            return None
        head = self.commit_of("HEAD")
        return InProgress("merge", ("HEAD", head), (self._name_of(other), other))

    def _name_of(self, commit: str) -> str:
        """Return a branch that points at `commit`, or else the commit."""
        pointing = self.run(
            "for-each-ref",
            "--points-at",
            commit,
            "--format=%(refname:short)",
            "refs/heads",
            "refs/remotes",
        )
        return next(iter(pointing.splitlines()), commit[:10])

    # --- Files -------------------------------------------------------------------------------

    def difference(self, ours: str, theirs: str) -> Difference:
        """Return how the files of two trees or commits differ, renames seen as two paths."""
        listing = self.run("diff-tree", "-r", "-z", "--no-renames", "--name-status", ours, theirs)
        fields = listing.split("\0")
        by_status: dict[str, set[str]] = {"D": set(), "A": set(), "M": set()}
        for status, path in zip(fields[0::2], fields[1::2], strict=False):
            by_status["M" if status == "T" else status].add(path)
        return Difference(*(frozenset(by_status[status]) for status in ("D", "A", "M")))

    # --- Keeping -------------------------------------------------------------------------------

    def refs(self, prefix: str) -> dict[str, str]:
        """Return the refs below `prefix`, and the id each points at."""
        listing = self.run("for-each-ref", "--format=%(objectname) %(refname)", prefix)
        return {
            name: identity
            for identity, _, name in (line.partition(" ") for line in listing.splitlines())
        }

    def keep_blobs(self, files: Mapping[str, Path]) -> None:
        """Store the content of `files`, byte for byte, and point the refs that name them at it.

        Raises GitError where the repository cannot be written to.
        """
        if not files:
            return
        paths = "\n".join(os.fspath(path.resolve()) for path in files.values())
        ids = self.run("hash-object", "-w", "--no-filters", "--stdin-paths", text=paths.encode())
        commands = "".join(
            f"update {ref} {blob}\n" for ref, blob in zip(files, ids.split(), strict=True)
        )
        self._update_refs(commands)

    def move_refs(self, moves: Mapping[str, str]) -> None:
        """Give refs other names, all or none. Raises GitError."""
        at = self.refs("refs")
        new = "".join(f"update {moves[ref]} {at[ref]}\n" for ref in moves if ref in at)
        # A name that is taken again is no longer free to be deleted.
        old = "".join(f"delete {ref}\n" for ref in moves if ref in at and ref not in moves.values())
        self._update_refs(new + old)

    def default_branch(self) -> str | None:
        """Return the branch that work goes back to: the remote's, or the local main or master.

        None where there is none other than the one that is checked out.
        """
        done = self._call(["rev-parse", "--abbrev-ref", "--quiet", "--verify", "origin/HEAD"])
        if done.returncode == 0:
            return done.stdout.decode().strip()
        current = self.head().branch
        local = self.refs("refs/heads")
        return next(
            (n for n in ("main", "master") if f"refs/heads/{n}" in local and n != current), None
        )

    def git_path(self, name: str) -> Path:
        """Return where a file of that name lies in git's own folder of this work tree."""
        return self.folder / self.run("rev-parse", "--git-path", name).rstrip("\n")

    def stage(self, paths: Iterable[Path]) -> None:
        """Add files, and what became of those that are gone, to the index."""
        listed = [os.fspath(path) for path in paths]
        self.run("add", "--all", "--", *listed)

    def drop_refs(self, refs: Iterable[str]) -> None:
        """Delete refs, all or none. Raises GitError where the repository cannot be written to."""
        self._update_refs("".join(f"delete {ref}\n" for ref in refs))

    def _update_refs(self, commands: str) -> None:
        """Carry out commands of `git update-ref --stdin`, all or none. Raises GitError.

        A git that was killed left a lock for each ref. They are taken away: one migrate at a time
        writes the refs of a database, so that nobody holds them.
        """
        removed: set[str] = set()
        while commands:
            try:
                self.run("update-ref", "--stdin", text=commands.encode())
            except GitError as error:
                left = re.search(r"Unable to create '(.+/refs/versioning/.+\.lock)'", str(error))
                if left is None or left[1] in removed:
                    raise
                Path(left[1]).unlink(missing_ok=True)
                removed.add(left[1])
            else:
                return

    # --- Merging ------------------------------------------------------------------------------

    @contextmanager
    def scratch(self) -> Iterator[Repository]:
        """Give this repository with a temporary place for new objects, thrown away afterwards.

        So a merge can be tried in a repository that must not, or cannot, be written to.
        """
        objects = self.run("rev-parse", "--git-path", "objects").rstrip("\n")
        with tempfile.TemporaryDirectory(prefix="versioning-") as folder:
            alternates = [os.fspath(self.folder / objects)]
            if os.environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES"):
                alternates.append(os.environ["GIT_ALTERNATE_OBJECT_DIRECTORIES"])
            environment = {
                "GIT_OBJECT_DIRECTORY": folder,
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.pathsep.join(alternates),
            }
            yield Repository(self.folder, environment)

    def merge(self, ours: str, theirs: str, folders: Collection[str]) -> Merge:
        """Return what merging two commits would give; call it on a `scratch()` repository.

        Of the files only those in `folders` are told.
        Raises GitError where git is too old, or the histories have nothing in common.
        """
        done = self._call(["merge-tree", "--write-tree", "-z", "--no-messages", ours, theirs])
        if done.returncode in (0, 1) and done.stdout:
            tree, *entries = done.stdout.decode(errors="surrogateescape").split("\0")
            sides: dict[str, list[str | None]] = {}
            for entry in filter(None, entries):
                described, _, path = entry.partition("\t")
                _, blob, stage = described.split(" ")
                if stage in "23":
                    sides.setdefault(path, [None, None])[int(stage) - 2] = blob
                else:
                    sides.setdefault(path, [None, None])
            conflicted = {path: (blobs[0], blobs[1]) for path, blobs in sides.items()}
            return Merge(self.files(tree, folders), conflicted)
        self.refuse_old_version()
        said = done.stderr
        if b"unrelated histories" in said:
            shallow = self.run("rev-parse", "--is-shallow-repository").strip() == "true"
            raise GitError(
                "The two have no common ancestor here, so that what a merge gives is not known."
                + (" This clone is shallow: git fetch --unshallow" if shallow else "")
            )
        return self._merge_by_file(ours, theirs)

    def _merge_by_file(self, ours: str, theirs: str) -> Merge:
        base = self.run("merge-base", ours, theirs).strip()
        before, mine, other = (self.files(commit) for commit in (base, ours, theirs))
        files: dict[str, str] = {}
        conflicted: dict[str, tuple[str | None, str | None]] = {}
        for path in before.keys() | mine.keys() | other.keys():
            a, o, b = mine.get(path), before.get(path), other.get(path)
            if a not in (o, b) and b != o:
                conflicted[path] = (a, b)
            taken = b if a == o else a
            if path in conflicted:
                taken = a or b
            if taken is not None:
                files[path] = taken
        return Merge(files, conflicted, by_file=True)

    def refuse_old_version(self) -> None:
        """Raise GitError where git is not there, or too old to try a merge."""
        version = re.search(r"(\d+)\.(\d+)", self.run("version"))
        if version and (int(version[1]), int(version[2])) < OLDEST_VERSION:
            raise GitError(f"git {version[0]} is too old to try a merge: 2.38 or later is needed.")

    def snapshot(self, is_wanted: Callable[[str], bool]) -> str:
        """Return a commit of HEAD with the uncommitted files that `is_wanted`, as they are.

        HEAD itself where there are none. Call it on a `scratch()` repository, of a work tree.
        """
        head = self.commit_of("HEAD")
        changed = self.uncommitted(is_wanted)
        if not changed:
            return head
        top = self.top()
        assert top is not None, "a bare repository has no uncommitted files"
        somebody = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (
                ("NAME", _NOBODY),
                ("EMAIL", _NOBODY),
                ("DATE", "2000-01-01T00:00:00Z"),
            )
        }
        with tempfile.TemporaryDirectory(prefix="versioning-") as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            work = Repository(top, {**self.environment, **somebody, **index})
            work.run("read-tree", "HEAD")
            paths = "\0".join(changed).encode(errors="surrogateescape")
            work.run("update-index", "--add", "--remove", "-z", "--stdin", text=paths)
            tree = work.run("write-tree").strip()
            return work.run("commit-tree", tree, "-p", "HEAD", "-m", "uncommitted").strip()

    def merge_bases(self, commits: Sequence[str]) -> MergeBases:
        """Return where every two of `commits` part, looked up all at once."""
        done = self._call(["merge-base", "--octopus", *commits])
        if done.returncode:
            return MergeBases(None, (), {})
        base = done.stdout.decode().split()[0]
        masks: dict[str, int] = {}
        order = ("--topo-order", "--reverse", "--parents")
        for line in self.run("rev-list", *order, *commits, f"^{base}").splitlines():
            commit, *parents = line.split(" ")
            mask = 1 << len(masks)
            for parent in parents:
                mask |= masks.get(parent, 0)
            masks[commit] = mask
        return MergeBases(base, tuple(masks), masks)

    def versions(self, path: str) -> list[tuple[Commit, str, bytes]]:
        """Return the versions of the files whose paths end with `path`, which may have a `*`.

        Each with the commit that left it so and its path, the latest commit first. Looked for in
        all branches, tags, reflogs and stashes.
        """
        listing = self.run(
            "log",
            "--all",
            "--reflog",
            "-m",
            "--no-renames",
            "--diff-filter=AM",
            "--raw",
            "--no-abbrev",
            "-z",
            f"--format=%x01{_COMMIT}%x02",
            "--",
            f":(top,glob)**/{path}",
        )
        found = []
        for entry in listing.split("\x01")[1:]:
            identity, author, date, files = entry.split("\x02")
            # :mode mode id id status NUL path NUL
            fields = files.strip("\n\0").split("\0")
            for described, name in zip(fields[0::2], fields[1::2], strict=False):
                found.append((Commit(identity, author, date), name, described.split(" ")[3]))
        contents = self.blobs((blob for _, _, blob in found), largest=4_000_000)
        return [
            (commit, name, content)
            for commit, name, blob in found
            if isinstance(content := contents[blob], bytes)
        ]

    def last_with(self, path: str) -> str | None:
        """Return the last commit on the way to HEAD that has a file whose path ends with `path`.

        HEAD where it has the file; else any other commit that has it; None where none has.
        """
        if any(f"/{file}".endswith(f"/{path}") for file in self.files("HEAD")):
            return self.commit_of("HEAD")
        place = f":(top,glob)**/{path}"
        parents = self.run("log", "-1", "--diff-filter=D", "--format=%P", "HEAD", "--", place)
        if parents.strip():
            return parents.split()[0]
        return next((commit.id for commit, _, _ in self.versions(path)), None)

    # --- People --------------------------------------------------------------------------------

    def added_by(self, paths: Iterable[str], revisions: Sequence[str] = ()) -> dict[str, Commit]:
        """Return, for each of `paths` (from the top) that is committed, the commit that added it.

        Looked for in what `revisions` (as of `git log`) reach, HEAD by default; the latest one.
        Raises GitError where git is not there, or this is no repository.
        """
        wanted = list(paths)
        if not wanted:
            return {}
        listing = self.run(
            "log",
            "--no-renames",
            "--diff-filter=A",
            "--name-only",
            "-z",
            f"--format=%x01{_COMMIT}%x02",
            *revisions,
            "--",
            *(f":(top,literal){path}" for path in wanted),
        )
        found: dict[str, Commit] = {}
        for entry in listing.split("\x01")[1:]:
            identity, author, date, names = entry.split("\x02")
            if author == f"{_NOBODY} <{_NOBODY}>":
                continue
            for name in names.strip("\n\x00").split("\x00"):
                if name in wanted:
                    found.setdefault(name, Commit(identity, author, date))
        return found

    def beside_head(self, path: str, revisions: Iterable[str]) -> Commit | None:
        """Return the last commit that changed a file whose path ends with `path`.

        Looked for in what `revisions` reach, those that are not here left out, and HEAD does not.
        Raises GitError where git is not there, or this is no repository.
        """
        said = self.run(
            "log",
            "-1",
            "--ignore-missing",
            f"--format={_COMMIT}",
            "--end-of-options",
            *revisions,
            "^HEAD",
            "--",
            f":(top,glob)**/{path}",
        )
        return Commit(*said.rstrip("\n").split("\x02")) if said else None

    def merged_as(self, commit: str, into: str = "HEAD") -> str | None:
        """Return the branch by whose merge `commit` came into `into`, as the merge's subject says.

        None where it was made there, and where the subject says something else. Raises GitError.
        """
        after = f"{commit}..{into}"
        below = set(self.run("rev-list", "--ancestry-path", after).split())
        mainline = self.run("log", "--first-parent", "--format=%H%x00%P%x00%s", after)
        for line in reversed(mainline.splitlines()):
            identity, parents, subject = line.split("\0")
            if identity in below:
                if parents.split()[0] == commit:
                    return None
                named = _MERGED.match(subject)
                return named[1] if named else None
        return None


# As git itself, GitHub and GitLab name what is merged, if its name is a plain one.
_MERGED = re.compile(
    r"Merge (?:pull request #\d+ from |branch |remote-tracking branch )'?([\w./#+-]+)(?:'|$| )"
)


def _glob(pattern: str) -> str:
    """Return the regular expression of a glob in which `*` crosses slashes."""
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
