"""Management commands of small projects, each in a process of its own that starts in no time.

Run as a module, this is that process's parent: it has Django imported and no settings, and forks
for each request. The import of Django, most of a small command's time, is paid once.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]

# Models, and what imports them, need settings, which come with each request.
_AHEAD = (
    "django.contrib.contenttypes.management",
    "django.core.management.commands.makemigrations",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.core.cache.backends.locmem",
    "django.middleware.csrf",
    "django.template.defaulttags",
    "django.urls",
    "django.utils.log",
    "django.utils.translation.reloader",
    "django.views.csrf",
    "django.views.generic",
    "logging.config",
    "shelter.versioning.checking",
    "shelter.versioning.checks",
    "shelter.versioning.conflicts.judging",
    "shelter.versioning.history.fingerprint",
    "shelter.versioning.ledger.schema",
    "shelter.versioning.operations",
    "shelter.versioning.project",
    "shelter.versioning.repair.rebase",
    "shelter.versioning.report.text",
)


@dataclass(frozen=True)
class Done:
    """What a command did: its exit code and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


class Zygote:
    """The parent process, which runs commands on request."""

    def __init__(self, requests: IO[str], answers: IO[str]) -> None:
        self._requests = requests
        self._answers = answers

    def run(
        self, folder: Path, environment: Mapping[str, str], *commands: Sequence[str]
    ) -> list[Done]:
        """Run management commands in `folder`, one after the other in one new process."""
        request = {"folder": str(folder), "environment": dict(environment), "commands": commands}
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()
        return [Done(*told) for told in json.loads(self._answers.readline())]


@contextmanager
def zygote() -> Iterator[Zygote]:
    """Start the parent process, and end it afterwards."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.generated.zygote"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": os.environ["XDG_CACHE_HOME"],
            "GIT_CONFIG_GLOBAL": os.devnull,
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Zygote(process.stdin, process.stdout)
        process.stdin.close()


def _serve() -> None:
    _import_ahead()
    gc.freeze()
    for line in sys.stdin:
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            with os.fdopen(write, "w") as answers:
                answers.write(json.dumps(_carry_out(json.loads(line))))
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answers:
            sys.stdout.write(answers.read() + "\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


def _import_ahead() -> None:
    """Import what commands import and needs no settings: most of a small command's time."""
    for name in _AHEAD:
        importlib.import_module(name)


def _carry_out(request: dict[str, Any]) -> list[tuple[int, str, str]]:
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    sys.path[0] = request["folder"]
    sys.path.append(str(ROOT))
    return [_command(arguments) for arguments in request["commands"]]


def _command(arguments: list[str]) -> tuple[int, str, str]:
    from django.core.management import ManagementUtility  # noqa: PLC0415

    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            ManagementUtility(["manage.py", *arguments]).execute()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001  # told to the test, as the interpreter would
            code = 1
            stderr.write(traceback.format_exc())
    return code, stdout.getvalue(), stderr.getvalue()


if __name__ == "__main__":
    _serve()
