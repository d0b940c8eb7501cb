"""The browser that the walks through the admin are made with."""

from __future__ import annotations

import shutil

# Debian's, rather than one that playwright would download: it comes with security updates.
BROWSER = "chromium"


def browser_path() -> str | None:
    """Return where the browser is; None where it is not."""
    return shutil.which(BROWSER)


def missing_browser() -> str | None:
    """Return why there can be no walk in a browser; None where there can."""
    return None if browser_path() else f"{BROWSER} is not on the path"
