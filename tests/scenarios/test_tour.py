"""The tour: played whole, by itself and at a terminal; it leaves nothing behind."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shelter.versioning.tour import STORY, Stage, TourError, Typed
from tests.versioning.projects import ROOT, Project, make_project

pytestmark = pytest.mark.scenario

BEFORE = (
    '{"model": "animals.animal","pk": 1,"fields": '
    '{"name": "Bella","species": "dog","weight": "31.40"}}\n'
)
AFTER = BEFORE.replace('"species"', '"photo": "","species"')


@pytest.fixture
def zoo(tmp_path: Path) -> Project:
    """Make a project of somebody else's, its database migrated."""
    zoo = make_project(tmp_path / "zoo")
    assert zoo.manage("migrate", "-v0").returncode == 0
    return zoo


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Make the folder for what is temporary."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def state(zoo: Project) -> tuple[dict[str, bytes], str]:
    """Return all files of the project, git's own and the database among them."""
    files = {
        str(path.relative_to(zoo.folder)): path.read_bytes()
        for path in zoo.folder.rglob("*")
        if path.is_file()
    }
    return files, zoo.git("status", "--porcelain")


def test_the_whole_tour_is_played_without_a_terminal(
    zoo: Project, scratch: Path, tmp_path: Path
) -> None:
    # What somebody has set for git is not to reach the tour: it would sign each commit, run a hook,
    # ignore the migrations, and write into the project's repository.
    home = tmp_path / "home"
    (home / ".config/git").mkdir(parents=True)
    (home / ".config/git/ignore").write_text("migrations/\n")
    (home / "hooks").mkdir()
    (home / "hooks/pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (home / "hooks/pre-commit").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[commit]\ngpgsign = true\n[core]\nhooksPath = {home}/hooks\n"
        "[user]\nuseConfigOnly = true\n"
    )
    before = state(zoo)
    done = zoo.run(
        "env",
        f"TMPDIR={scratch}",
        f"HOME={home}",
        f"GIT_CONFIG_GLOBAL={home}/.gitconfig",
        f"GIT_DIR={zoo.folder}/.git",
        f"GIT_WORK_TREE={zoo.folder}",
        *(sys.executable, "-m", "django", "tour", "--format=json"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["version"], told["command"]) == (1, "tour")
    steps = {step["name"]: step for step in told["steps"]}
    assert [step["says"] for step in told["steps"]] == [step.says for step in STORY]
    outputs = {
        name: {typed["line"]: typed["output"] for typed in step["typed"]}
        for name, step in steps.items()
    }
    silent = [
        (typed["line"], typed["output"])
        for step in told["steps"]
        for typed in step["typed"]
        if typed["line"].startswith("git ") and typed["output"]
    ]
    assert silent == [
        ("git merge -q --no-edit origin/photo", "Auto-merging animals/models.py\n"),
    ]
    seen = "python manage.py dumpdata animals --format jsonl"
    short = "python manage.py dbstatus --short"
    assert outputs["row"][seen] == BEFORE
    predicted = outputs["predicted"]["python manage.py checkmigrations --against origin/photo"]
    assert "  o |  0002_animal_photo\n    |      Ana <ana@example.org>, 2026-11-02, " in predicted
    assert "    o  0002_animal_weight\n           Ben <ben@example.org>, 2026-11-02, " in predicted
    assert "\n  Verdict: independent. " in predicted
    assert predicted.endswith("CommandError: 1 finding.\n")
    drawn = outputs["drawn"]["python manage.py graphmigrations --against origin/photo"]
    assert drawn.startswith(
        "animals\n"
        "  ✓    0002_animal_weight  (conflicting leaf, HEAD)  Ben, 2026-11-02 · "
        "Add field weight to animal\n"
        "  │ ○  0002_animal_photo   (unapplied, conflicting leaf, origin/photo)  Ana, 2026-11-02 · "
    )
    (rebased,) = (text for line, text in outputs["rebased"].items() if "rebasemigrations" in line)
    assert "0002_animal_weight\n  becomes 0003_animal_weight." in rebased
    assert outputs["kept"][seen] == AFTER
    assert outputs["kept"][short] == "default: up to date\n"
    assert outputs["tried"]["python manage.py dbsync"].endswith(
        "\nanimals.0003_animal_weight was applied.\n"
    )
    assert outputs["ahead"]["python manage.py dbstatus"].startswith(
        "WARNING versioning.W010\n  animals.0003_animal_weight is applied in the database "
        "'default', and in no\n  file of this checkout.\n"
    )
    assert outputs["synced"]["python manage.py dbsync --save-to weights.jsonl"].endswith(
        "1 row was saved to weights.jsonl.\nanimals.0003_animal_weight was taken back.\n"
    )
    assert outputs["synced"][short] == "default: up to date\n"
    assert list(scratch.iterdir()) == []
    assert state(zoo) == before


def test_it_is_told_in_words_and_left_where_it_was_played(zoo: Project, scratch: Path) -> None:
    done = zoo.run(*("env", f"TMPDIR={scratch}", sys.executable, "-m", "django", "tour", "--keep"))
    assert done.returncode == 0, done.stderr
    (folder,) = scratch.iterdir()
    assert done.stderr == f"It was played in {folder}\n"
    assert "\033" not in done.stdout
    assert "Enter" not in done.stdout
    places = re.findall(r"^(\d+)/(\d+)  (.*)$", done.stdout, re.MULTILINE)
    assert [(int(at), int(of)) for at, of, _ in places] == [
        (at, len(STORY)) for at in range(1, len(STORY) + 1)
    ]
    typed = re.findall(r"^(ana|ben)\$ (.*)$", done.stdout, re.MULTILINE)
    assert typed == [(typed.by, typed.line) for step in STORY for typed in step.typed]
    assert sorted(path.name for path in folder.iterdir()) == ["ana", "ben", "team.git"]
    assert (folder / "ana/weights.jsonl").is_file()


# --- At a terminal -------------------------------------------------------------------------------


class Terminal:
    """A person at a terminal, in which the tour is played."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.end = end
        self.text = ""

    def read_until(self, wanted: str) -> None:
        """Read until `wanted` comes, or to the end when it is empty."""
        start = len(self.text)
        while not (wanted and wanted in self.text[start:]):
            ready, _, _ = select.select([self.end], [], [], 120)
            assert ready, self.text
            try:
                read = os.read(self.end, 65536)
            except OSError:  # as Linux tells that the other end is closed
                read = b""
            if not read:
                assert not wanted, self.text
                return
            self.text += read.decode()

    def press(self, keys: bytes) -> None:
        """Press keys once the tour waits for them, as slowly as a person does."""
        state = ["ps", "-o", "stat=", "-p", str(self.process.pid)]
        while not subprocess.check_output(state, text=True).startswith("S"):
            time.sleep(0.01)
        os.write(self.end, keys)


@contextmanager
def at_a_terminal(zoo: Project, scratch: Path, *options: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    # The terminal is to be that of the new session, so that Ctrl-C reaches all that runs in it.
    program = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.executable, [sys.executable, '-m', 'django', 'tour', *sys.argv[1:]])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *options],
        cwd=zoo.folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(zoo.folder),
            "TERM": "xterm",
            "TMPDIR": str(scratch),
            "DJANGO_SETTINGS_MODULE": "zoo.settings",
            "PYTHONPATH": os.pathsep.join([str(zoo.folder), str(ROOT)]),
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
        assert list(scratch.iterdir()) == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)


def test_it_waits_for_enter_after_each_step(zoo: Project, scratch: Path) -> None:
    with at_a_terminal(zoo, scratch) as terminal:
        typed = 0
        for step in STORY:
            terminal.read_until("[Enter] ")
            plain = re.sub("\033\\[[0-9;]*m", "", terminal.text)
            assert len(re.findall(r"^(?:ana|ben)\$ ", plain, re.MULTILINE)) == typed
            terminal.press(b"\n")
            typed += len(step.typed)
        terminal.read_until("")
        assert terminal.process.wait() == 0
        assert terminal.text.count("[Enter] ") == len(STORY)
        # The commands print in colour, as they do at a terminal.
        assert re.search("\033\\[[0-9;]+mWARNING versioning.W001", terminal.text)


@pytest.mark.parametrize(
    ("until", "keys"),
    [("[Enter] ", b"\x03"), ("[Enter] ", b"\x04"), ("python manage.py migrate", b"\x03")],
    ids=["ctrl-c at a pause", "ctrl-d at a pause", "ctrl-c in a command"],
)
def test_it_can_be_left(zoo: Project, scratch: Path, until: str, keys: bytes) -> None:
    options = [] if until == "[Enter] " else ["--no-pause"]
    with at_a_terminal(zoo, scratch, *options) as terminal:
        terminal.read_until(until)
        terminal.press(keys)
        terminal.read_until("")
        assert terminal.process.wait() == 0
        assert "The tour ends here." in terminal.text
        assert "Traceback" not in terminal.text


# --- What can go wrong ---------------------------------------------------------------------------


def test_without_git_or_with_an_old_one_it_says_so(
    zoo: Project, scratch: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    env = shutil.which("env")
    assert env is not None

    def run() -> tuple[int, str]:
        done = zoo.run(
            *(env, f"PATH={tools}", f"TMPDIR={scratch}", sys.executable, "-m", "django", "tour")
        )
        assert "$ " not in done.stdout
        return done.returncode, done.stderr

    assert run() == (2, "CommandError: git is not installed. On Debian: apt-get install git\n")
    old = tools / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.2\n")
    old.chmod(0o755)
    assert run() == (
        2,
        "CommandError: git 2.30 is too old to try a merge: 2.38 or later is needed.\n",
    )
    assert list(scratch.iterdir()) == []


def test_a_command_that_does_not_exit_as_told_ends_the_tour(tmp_path: Path) -> None:
    (tmp_path / "ana").mkdir()
    with pytest.raises(TourError) as raised:
        Stage(tmp_path).run(Typed("ana", "git rev-parse --verify no-such"))
    assert str(raised.value) == (
        "ana$ git rev-parse --verify no-such\n"
        "fatal: not a git repository (or any of the parent directories): .git\n"
        "That was to exit with 0, and exited with 128."
    )
