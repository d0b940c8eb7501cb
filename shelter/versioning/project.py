"""What the history of files needs to know of a Django project."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.history.quick import Look

if TYPE_CHECKING:
    from shelter.versioning.history.migration import Key, Migration, Unreadable


def packages() -> dict[str, Path]:
    """Return the folders of the installed apps' migration packages, by app label.

    The rules are those of Django 5.2's `MigrationLoader.load_disk()`: MIGRATION_MODULES moves a
    package or, with None, takes it away; a module or a folder without `__init__.py` is none. No
    migration is imported. Raises ImproperlyConfigured where MIGRATION_MODULES names a module that
    is not there.
    """
    found = {}
    for config in apps.get_app_configs():
        module, explicit = MigrationLoader.migrations_module(config.label)
        if module is None:
            continue
        folder = _package_folder(module)
        if folder is not None:
            found[config.label] = folder
        elif explicit and not _exists(module):
            raise ImproperlyConfigured(
                f"MIGRATION_MODULES[{config.label!r}] names {module!r}, which is not there."
            )
    return found


def _package_folder(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or not spec.submodule_search_locations:
        return None
    return Path(spec.origin).parent


def _exists(module: str) -> bool:
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def swappable_apps() -> dict[str, str]:
    """Return the swappable settings of the installed models, and the app label each names."""
    found = {}
    for model in apps.get_models(include_swapped=True):
        setting = model._meta.swappable
        if setting:
            found[setting] = str(getattr(settings, setting)).split(".", maxsplit=1)[0]
    return found


def look() -> Look:
    """Return a look at the packages, which tells quickly where there is nothing to find.

    Raises OSError where one cannot be read, and ImproperlyConfigured as `packages()`.
    """
    return Look(
        ((label, str(folder)) for label, folder in packages().items()),
        swappable=swappable_apps(),
        closed=True,
    )


def imported(places: Iterable[Unreadable]) -> dict[Key, Migration]:
    """Return the migrations at `places` as importing them gives them; those that can be imported.

    Only the installed apps' own files are imported, as every command of Django's that looks at
    migrations does.
    """
    # `manage.py check` uses this module each time, and this function hardly ever.
    from shelter.versioning.history.migration import Migration  # noqa: PLC0415

    found = {}
    for place in {(place.app, place.name): place for place in places}.values():
        module, _ = MigrationLoader.migrations_module(place.app)
        try:
            made = importlib.import_module(f"{module}.{place.name}").Migration
            found[place.app, place.name] = Migration(
                place.app,
                place.name,
                place.path,
                place.line,
                dependencies=_keys(made.dependencies),
                run_before=_keys(made.run_before),
                replaces=_keys(made.replaces),
                initial=made.initial,
            )
        except Exception:  # noqa: BLE001, S112  # it runs code: the place stays unreadable, and is named
            continue
    return found


def loader() -> MigrationLoader | None:
    """Return the migrations of the installed apps, imported; None where they cannot be.

    A file with a merge's conflict in it, or a dependency that no file provides, is told elsewhere.
    """
    try:
        return MigrationLoader(None)
    except Exception:  # noqa: BLE001  # it runs code, which may raise anything
        return None


def _keys(entries: Iterable[Sequence[str]]) -> tuple[Key, ...]:
    return tuple((str(app), str(name)) for app, name in entries)


def root() -> Path:
    """Return the folder that paths are shown relative to: where the commands are typed."""
    return Path.cwd()
