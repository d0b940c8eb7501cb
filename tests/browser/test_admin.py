"""What staff do at the desk, in a real browser."""

import csv
import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Served, Walk, log_in, walk_in

pytestmark = [pytest.mark.browser, pytest.mark.scenario]

CHIP = "985112003456789"


def test_a_day_at_the_desk(served: Served, browser: Browser) -> None:
    context = browser.new_context(accept_downloads=True)
    walk = walk_in(context, served.address)
    page = walk.page
    log_in(walk, served)

    # An animal is brought in.
    page.locator(".model-animal th a").click()
    expect(page.locator("#changelist .paginator")).to_contain_text("500 animals")
    page.get_by_role("link", name="Add animal").click()
    page.get_by_label("Name:").fill("Biscuit")
    page.get_by_label("Species:").select_option(label="Dog")
    page.get_by_label("Microchip:").fill("985 112-003456789")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("was added successfully")

    # It is found by the scanner, which types the number and presses Enter.
    page.locator("#searchbar").fill(CHIP)
    page.locator("#searchbar").press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.locator("#result_list tbody th a").click()
    expect(page.get_by_label("Microchip:")).to_have_value(CHIP)

    # It is registered to a person, found by the beginning of the address.
    register(walk, served.email, "Foster")
    expect(page.locator(".messagelist")).to_contain_text("was changed successfully")

    # The same again is refused, in words.
    page.locator("#result_list tbody th a").click()
    register(walk, served.email, "Foster")
    expect(page.locator(".errornote")).to_be_visible()
    expect(page.locator("#registrations-group")).to_contain_text(
        f"{served.email} is registered with S000501 Biscuit as foster already."
    )

    # It is adopted, and the list says so.
    walk.goto(f"/admin/animals/animal/?q={CHIP}")
    page.locator("#result_list input.action-select").check()
    page.get_by_label("Action:").select_option(label="Mark as adopted today")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".messagelist")).to_contain_text("1 animal")
    expect(page.locator("#result_list tbody tr .field-status")).to_have_text("Adopted")

    # The list is exported.
    page.locator("#result_list input.action-select").check()
    page.get_by_label("Action:").select_option(label="Export as CSV")
    with page.expect_download() as download:
        page.get_by_role("button", name="Go").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    [exported] = csv.DictReader(io.StringIO(text))
    assert (exported["name"], exported["microchip"], exported["status"]) == (
        "Biscuit",
        CHIP,
        "adopted",
    )

    page.get_by_role("button", name="Log out").click()
    expect(page.locator("#content")).to_contain_text("Logged out")
    assert walk.complaints == []
    context.close()


def register(walk: Walk, email: str, role: str) -> None:
    """Add a registration to the animal whose form is open, and save."""
    page = walk.page
    group = page.locator("#registrations-group")
    group.locator(".add-row a").click()
    row = group.locator("tr.dynamic-registrations:not(.empty-form)").last
    row.locator(".select2-selection").click()
    page.locator(".select2-search__field").fill(email[:5].upper())
    page.locator(".select2-results__option", has_text=email).click()
    row.locator("select[name$=role]").select_option(label=role)
    page.get_by_role("button", name="Save", exact=True).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "width", "height"), [("wide", 1280, 800), ("phone", 390, 844)])
def test_each_page_works_light_and_dark_wide_and_on_a_phone(
    served: Served, browser: Browser, scheme: str, device: str, width: int, height: int
) -> None:
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": height},
    )
    walk = walk_in(context, served.address)
    walk.goto("/admin/")
    walk.shoot(f"login-{device}-{scheme}")
    assert walk.violations() == []
    log_in(walk, served)
    for name, path in {
        "home": "/admin/",
        "app": "/admin/animals/",
        "animals": "/admin/animals/animal/",
        "animal": "/admin/animals/animal/1/change/",
        "new-animal": "/admin/animals/animal/add/",
        "history": "/admin/animals/animal/1/history/",
        "delete": "/admin/animals/animal/1/delete/",
        "users": "/admin/accounts/user/",
        "user": "/admin/accounts/user/1/change/",
        "new-user": "/admin/accounts/user/add/",
        "password": "/admin/password_change/",
        "migrations": "/admin/versioning/ledgerentry/",
        "ledger-entry": "/admin/versioning/ledgerentry/1/change/",
    }.items():
        walk.goto(path)
        expect(walk.page.locator("#content h1, #content-main").first).to_be_visible()
        walk.shoot(f"{name}-{device}-{scheme}")
        violations = walk.violations()
        if name == "user":
            # Django's script, which a superuser's page has for rights, labels an icon.
            violations = [
                found
                for found in violations
                if not found.startswith('aria-prohibited-attr: <span class="help-tooltip')
            ]
        assert violations == [], name
    assert walk.complaints == []
    context.close()
