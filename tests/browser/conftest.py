"""The shelter served as `make run` serves it, and a browser to walk through it with."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.checkout import copy_project, run_python
from tests.servers import free_port, wait_until_alive
from tests.walks import browser_path

SCREENSHOTS = os.environ.get("SHELTER_SCREENSHOTS")


@dataclass(frozen=True)
class Served:
    """Where the shelter is served, and how to log in."""

    address: str
    email: str
    password: str


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a copy of the shelter with the sample animals, as `make run` does."""
    copy = copy_project(tmp_path_factory.mktemp("browser") / "shelter")
    environment = {"DATABASE_URL": f"sqlite:///{copy}/db.sqlite3"}
    prepared = run_python(copy, "bin/prepare.py", env=environment)
    assert prepared.returncode == 0, prepared.stderr
    login = re.search(r"Log in as (\S+) with the password (\S+)", prepared.stdout)
    assert login is not None, prepared.stdout
    port = free_port()
    command = [sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}", "--noreload"]
    with subprocess.Popen(
        command,
        cwd=copy,
        env={"PATH": os.environ["PATH"], "HOME": str(copy), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            wait_until_alive(f"http://127.0.0.1:{port}", server)
            yield Served(f"http://127.0.0.1:{port}", login[1], login[2])
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the browser."""
    with sync_playwright() as playwright:
        # Without its sandbox, which root does not get.
        browser = playwright.chromium.launch(
            executable_path=browser_path(), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


@dataclass
class Walk:
    """A page, what it complained of, and how to look at it."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def goto(self, path: str) -> None:
        """Open the page at `path`."""
        self.page.goto(f"{self.address}{path}")

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page: the rules, and where."""
        complaints = list(self.complaints)
        found = Axe().run(self.page).response["violations"]
        # It tries styles on, which a strict policy of the page refuses.
        self.complaints[:] = complaints
        return [
            f"{rule['id']}: {node['html'][:200]} ({node['failureSummary']})"
            for rule in found
            for node in rule["nodes"]
        ]

    def shoot(self, name: str) -> None:
        """Keep a picture of the page, where SHELTER_SCREENSHOTS names a folder for them."""
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def walk_in(context: BrowserContext, address: str) -> Walk:
    """Open a page that notes errors of scripts, failed answers and requests to other hosts."""
    page = context.new_page()
    walk = Walk(page, address)
    here = urlsplit(address).netloc
    page.on("pageerror", lambda error: walk.complaints.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: (
            walk.complaints.append(f"console: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on(
        "request",
        lambda request: (
            None
            if urlsplit(request.url).netloc in (here, "")
            else walk.complaints.append(f"other host: {request.url}")
        ),
    )
    page.on(
        "response",
        lambda response: (
            walk.complaints.append(f"{response.status}: {response.url}")
            if response.status >= 400
            else None
        ),
    )
    return walk


def log_in(walk: Walk, served: Served) -> None:
    """Log in at the form that the admin shows."""
    walk.goto("/admin/")
    walk.page.get_by_label("E-mail address").fill(served.email)
    walk.page.get_by_label("Password").fill(served.password)
    walk.page.get_by_role("button", name="Log in").click()
    walk.page.get_by_role("button", name="Log out").wait_for()
