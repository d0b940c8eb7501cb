"""The page "Migrations" of a foreign project, whose policy allows nothing inline, in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Walk, walk_in
from tests.servers import free_port, wait_until_alive
from tests.versioning.projects import ROOT, Project, make_admin_project

pytestmark = [pytest.mark.browser, pytest.mark.scenario]

PAGE = "/ops/versioning/ledgerentry/"
HOSTILE = "<script>alert(1)</script>"
IN_ORDER = "The database is as this checkout expects."


@contextmanager
def serving(project: Project) -> Iterator[str]:
    """Serve the project; give its address."""
    port = free_port()
    command = [sys.executable, "-m", "django", "runserver", f"127.0.0.1:{port}", "--noreload"]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(project.folder),
        "DJANGO_SETTINGS_MODULE": "zoo.settings",
        "PYTHONPATH": os.pathsep.join([str(project.folder), str(ROOT)]),
    }
    with subprocess.Popen(
        command,
        cwd=project.folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            wait_until_alive(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


def enter(walk: Walk, name: str) -> None:
    """Log in as the person of that name, and go to the page."""
    walk.goto(PAGE)
    walk.page.get_by_label("Username").fill(name)
    walk.page.get_by_label("Password").fill(name)
    walk.page.get_by_role("button", name="Log in").click()
    walk.page.wait_for_url(f"**{PAGE}")


def state(page: Page) -> str:
    return page.get_by_role("status").inner_text()


def in_trouble(folder: Path) -> Project:
    """Return a project with a conflict, a ghost and an edited migration, by hostile people."""
    project = make_admin_project(folder)
    project.git("switch", "-q", "-c", f'"{HOSTILE}')
    project.add_field("photo")
    project.write("0003_size", "0002_keeper_photo", 'migrations.RunSQL("SELECT 1", "SELECT 1")')
    project.commit()
    assert project.manage("migrate", "-v0").returncode == 0
    (project.migrations / "0003_size.py").unlink()
    project.write("0002_keeper_photo", "0001_initial", 'migrations.RunSQL("SELECT 2", "SELECT 2")')
    project.write(f"0003_<b>'{'x' * 80}", "0002_keeper_photo", "")
    project.write("0003_age", "0002_keeper_photo", "")
    project.commit(author=HOSTILE)
    return project


@pytest.mark.parametrize("count", [0, 2, 200, 2000])
def test_the_page_shows_any_number_of_migrations(
    browser: Browser, tmp_path: Path, count: int
) -> None:
    project = make_admin_project(tmp_path)
    if count:
        project.add_chain(count - 1)
    else:
        settings = tmp_path / "zoo/settings.py"
        settings.write_text(settings.read_text().replace('"zoo.keepers",', ""))
    assert project.manage("migrate", "-v0").returncode == 0
    with serving(project) as address:
        walk = walk_in(browser.new_context(), address)
        page = walk.page
        enter(walk, "root")
        assert state(page) == IN_ORDER
        drawing = page.locator("details.versioning-drawing", has_text="keepers")
        expect(drawing).to_have_count(1 if count else 0)
        if count:
            drawing.locator("summary").click()
            expect(drawing.locator("summary")).to_contain_text(f"{count} migrations")
            expect(drawing.get_by_text(f"{count:04}_step", exact=True)).to_be_visible()
        if count > 2:
            unfolded = drawing.get_by_text("0003_step", exact=True)
            expect(unfolded).to_be_hidden()
            drawing.locator("a").first.focus()
            page.keyboard.press("Enter")
            expect(unfolded).to_be_visible()
        expect(page.locator("#changelist .paginator")).to_contain_text("entries")
        walk.shoot(f"migrations-{count}")
        assert walk.violations() == []
        assert walk.complaints == []
        page.context.close()


def test_what_is_wrong_is_marked_and_nothing_that_was_typed_is_run(
    browser: Browser, tmp_path: Path
) -> None:
    project = in_trouble(tmp_path)
    before = project.manage("dbstatus", "--short").stdout
    with serving(project) as address:
        for scheme in ("light", "dark"):
            for device, width, height in (("wide", 1280, 800), ("phone", 390, 844)):
                context = browser.new_context(
                    color_scheme="dark" if scheme == "dark" else "light",
                    viewport={"width": width, "height": height},
                )
                walk = walk_in(context, address)
                page = walk.page
                enter(walk, "ops")
                assert state(page).startswith(
                    "The database default: conflict (keepers); edited (keepers); ghosts"
                ), state(page)
                drawing = page.locator("details.versioning-drawing", has_text="keepers")
                expect(drawing.locator(".ghost .name")).to_have_text("0003_size")
                expect(drawing.locator(".edited .name")).to_have_text("0002_keeper_photo")
                expect(drawing.locator(".conflict .name")).to_have_count(2)
                marks = page.locator("#result_list .versioning-mark")
                expect(marks).to_have_text(["ghost", "edited"])
                expect(page.get_by_text(HOSTILE).first).to_be_attached()
                assert page.locator("script:not([src]), b").count() == 0
                walk.shoot(f"migrations-trouble-{device}-{scheme}")
                assert walk.violations() == []

                # The ledger's table: searched, sorted, filtered; an entry.
                page.locator("#searchbar").fill("keepers photo")
                page.locator("#searchbar").press("Enter")
                expect(page.locator("#result_list tbody tr")).to_have_count(1)
                expect(page.locator("svg.migrations-picture")).to_have_count(0)
                walk.shoot(f"ledger-{device}-{scheme}")
                assert walk.violations() == []
                page.locator("#result_list tbody th a").click()
                expect(page.locator(".fieldBox.field-os_user")).to_be_visible()
                expect(page.locator("input[type=submit]")).to_have_count(0)
                walk.shoot(f"ledger-entry-{device}-{scheme}")
                assert walk.violations() == []
                walk.goto(f"{PAGE}?o=3.-4&outcome__exact=applied")
                expect(page.locator("#result_list tbody tr").first).to_be_visible()
                assert walk.complaints == []
                context.close()
    assert project.manage("dbstatus", "--short").stdout == before


def test_who_may_not_see_it_is_not_shown_it(browser: Browser, tmp_path: Path) -> None:
    with serving(make_admin_project(tmp_path)) as address:
        walk = walk_in(browser.new_context(), address)
        walk.goto(PAGE)
        assert walk.page.url == f"{address}/ops/login/?next={PAGE}"
        assert walk.complaints == []
        enter(walk, "staff")
        assert walk.page.title() == "403 Forbidden"
        assert f"403: {address}{PAGE}" in walk.complaints
        assert len(walk.complaints) == 2, walk.complaints
        walk.page.context.close()
