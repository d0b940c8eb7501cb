"""The browser that the walks through the admin are made with."""

from __future__ import annotations

import shutil

# Debian's, rather than one that playwright would download: it comes with security updates.
BROWSER = "chromium"


def missing_browser() -> str | None:
    """Return why there can be no walk in a browser; None where there can."""
    return None if shutil.which(BROWSER) else f"{BROWSER} is not on the path"
