"""The system check, held to Django's own detection of conflicts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db.migrations.loader import MigrationLoader
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shelter.versioning import project
from shelter.versioning.checkout import check_checkout
from shelter.versioning.checks import check_migrations
from shelter.versioning.ledger.rows import applied_migrations

SOURCE = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {dependencies}
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to put migration packages in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("generated_")]:
        del sys.modules[name]


def write(folder: Path, history: dict[str, list[str]]) -> None:
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, parents in history.items():
        keys = [("versioning", parent) for parent in parents]
        (folder / f"{name}.py").write_text(SOURCE.format(dependencies=keys))


def short(messages: list[checks.CheckMessage]) -> list[tuple[str, str | None]]:
    return [(str(message.msg), message.id) for message in messages]


def test_this_project_is_clean() -> None:
    assert check_checkout().findings == ()
    assert MigrationLoader(None).detect_conflicts() == {}


def test_it_names_leaves_and_fork(packages: Path) -> None:
    write(packages / "generated_fork", {"0001": [], "0002_a": ["0001"], "0002_b": ["0001"]})
    with override_settings(MIGRATION_MODULES={"versioning": "generated_fork"}):
        told = check_migrations(None)
        assert short(told) == [
            (
                "versioning has conflicting leaf migrations: 0002_a, 0002_b. They fork at 0001.",
                "versioning.W001",
            )
        ]
        assert told[0].level == checks.WARNING
        assert check_migrations([apps.get_app_config("animals")]) == []
        assert len(check_migrations([apps.get_app_config("versioning")])) == 1
        assert short(checks.run_checks(tags=["versioning"])) == short(told)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_conflicts_are_those_django_detects(packages: Path, data: st.DataObject) -> None:
    names = [f"{number:04d}_x" for number in range(data.draw(st.integers(1, 6)))]
    history = {
        name: data.draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=2))
        if at
        else []
        for at, name in enumerate(names)
    }
    module = f"generated_{len(list(packages.iterdir()))}"
    write(packages / module, history)
    with override_settings(MIGRATION_MODULES={"versioning": module}):
        detected = MigrationLoader(None).detect_conflicts()
        found = {finding.app: list(finding.leaves) for finding in check_checkout().findings}
    assert found == detected


def test_an_app_without_migrations_by_setting_has_none() -> None:
    with override_settings(MIGRATION_MODULES={"animals": None}):
        assert "animals" not in project.packages()


def test_a_module_that_is_not_there_is_told() -> None:
    with (
        override_settings(MIGRATION_MODULES={"animals": "nowhere.migrations"}),
        pytest.raises(
            ImproperlyConfigured, match=r"names 'nowhere.migrations', which is not there"
        ),
    ):
        project.packages()


def test_a_folder_that_is_no_package_has_no_migrations(packages: Path) -> None:
    write(packages / "generated_namespace", {"0001": []})
    (packages / "generated_namespace/__init__.py").unlink()
    with override_settings(MIGRATION_MODULES={"versioning": "generated_namespace"}):
        assert "versioning" not in project.packages()
        assert "versioning" in MigrationLoader(None).unmigrated_apps


def test_swappable_settings_are_resolved() -> None:
    assert project.swappable_apps() == {"AUTH_USER_MODEL": "accounts"}


@pytest.mark.django_db
def test_what_a_database_has_applied() -> None:
    assert ("animals", "0001_animal") in (applied_migrations("default") or set())
