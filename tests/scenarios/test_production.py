"""The shelter served as docs/deployment.md says, by gunicorn."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import copy_project, documented_environment
from tests.servers import free_port, wait_until_alive

pytestmark = pytest.mark.scenario


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve a copy of the shelter over a new SQLite database; give its address."""
    copy = copy_project(tmp_path / "shelter")
    environment = (
        {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        | documented_environment()
        | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    )
    for command in (["collectstatic", "--noinput", "-v0"], ["migrate", "-v0"]):
        subprocess.run(
            [sys.executable, "manage.py", *command], cwd=copy, env=environment, check=True
        )
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "shelter.wsgi", "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen(
        command, cwd=copy, env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            wait_until_alive(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def ask(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Return the status, body and headers of an answer; status 0 where there is none."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> None:
            return None

    request = urllib.request.Request(url, headers={"Host": "shelter.example.org"} | headers)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=10) as response:
            return response.status, response.read().decode(), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)
    except OSError:
        return 0, "", {}


def test_it_serves_what_the_proxy_asks_and_nothing_else(address: str) -> None:
    assert ask(f"{address}/healthz")[:2] == (200, '{"status": "ok"}')
    assert ask(f"{address}/readyz")[:2] == (200, '{"status": "ready"}')

    status, _, headers = ask(f"{address}/admin/login/")
    assert (status, headers["Location"]) == (301, "https://shelter.example.org/admin/login/")

    secure = {"X-Forwarded-Proto": "https"}
    status, page, headers = ask(f"{address}/admin/login/", **secure)
    assert status == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert re.search(r"csrftoken=\w+;.*; Secure", headers["Set-Cookie"])

    style = re.search(r'href="(/static/admin/css/base\.[0-9a-f]{12}\.css)"', page)
    assert style
    status, _, headers = ask(f"{address}{style[1]}", **secure)
    assert status == 200
    assert headers["Cache-Control"] == "max-age=315360000, public, immutable"

    assert ask(f"{address}/admin/login/", Host="evil.example", **secure)[0] == 400
