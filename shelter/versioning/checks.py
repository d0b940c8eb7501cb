"""System checks: warnings where everybody passes, at `check`, `runserver` and `migrate`.

Warnings, never errors: an error would stop `makemigrations --merge`, the cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.core.checks import CheckMessage

from shelter.versioning import project


@checks.register("versioning")
def check_migrations(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Warn of what `checkmigrations` finds, in short."""
    look = project.look()
    if look.nothing_to_find():
        return []
    # Seldom needed, and its imports take longer than the look that was enough.
    from shelter.versioning.checkout import check_checkout  # noqa: PLC0415
    from shelter.versioning.report.findings import Level  # noqa: PLC0415

    apps = None if app_configs is None else {config.label for config in app_configs}
    warnings: list[CheckMessage] = []
    for finding in check_checkout(apps).findings:
        if not finding.level.reaches(Level.WARNING):
            continue
        fork = f" They fork at {', '.join(finding.fork)}." if finding.fork else ""
        warnings.append(
            checks.Warning(
                finding.message + fork,
                hint="Type `python manage.py checkmigrations` to see both sides and what to do.",
                id=finding.id,
            )
        )
    if apps is None and not warnings:
        look.remember_nothing()
    return warnings
