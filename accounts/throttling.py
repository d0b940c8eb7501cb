"""What a failed login is counted under: a name and an address."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def throttled_name(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str:
    """Return the address a login was tried with, as `LowercaseEmailField` would store it.

    Without this, `ana@…`, `Ana@…` and `ANA@…` would be three names with five tries each.
    """
    name = (credentials or {}).get("username") or (credentials or {}).get("email")
    return str(name or request.POST.get("username", "")).strip().lower()


def client_address(request: HttpRequest) -> str:
    """Return the address a request comes from, as far as our own proxies vouch for it.

    Each proxy adds to X-Forwarded-For whom it was asked by, so that behind `PROXY_COUNT` proxies
    the visitor is that many from the end. Whatever stands before that, the visitor can have
    written, and without proxies all of it.
    """
    forwarded = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies: int = settings.PROXY_COUNT
    if 0 < proxies <= len(forwarded) and forwarded[-proxies]:
        return forwarded[-proxies]
    return str(request.META["REMOTE_ADDR"])
