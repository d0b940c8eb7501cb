"""What all tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import override_settings

from tests.checkout import copy_project
from tests.databases import POSTGRESQL_URL, SERVERS, Database, database_of, missing_servers
from tests.parsers import missing_parsers
from tests.walks import missing_browser


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--database-tests`."""
    parser.addoption(
        "--database-tests",
        action="store_true",
        help="Run the tests alone that use the project's database, to repeat them on another one.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what `--database-tests` does not ask for, and what needs what is not here."""
    if config.getoption("--database-tests"):
        kept = [item for item in items if _uses_the_database(item)]
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept
    for marker, reason in {"browser": missing_browser(), **missing_parsers()}.items():
        for item in items if reason else ():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=f"{marker}: {reason}"))


def _uses_the_database(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    return bool(item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db"})


@pytest.fixture(autouse=True, scope="session")
def fast_passwords() -> Iterator[None]:
    """Hash passwords quickly: the real hasher takes a tenth of a second each by design."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the tests remember out of the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of this project, without a database, a secret key or a `.env`."""
    return copy_project(tmp_path / "shelter")


@pytest.fixture(scope="session")
def postgresql_url() -> str:
    """Return the URL of a PostgreSQL server, a database's name to be added; skip without one."""
    reason = missing_servers().get("postgresql")
    if reason:
        pytest.skip(f"PostgreSQL: {reason}")
    return POSTGRESQL_URL


@pytest.fixture(params=["sqlite", *SERVERS])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Return an empty database, of each kind in turn; skip those whose server is not here."""
    vendor: str = request.param
    reason = missing_servers().get(vendor)
    if reason:
        pytest.skip(f"{vendor}: {reason}")
    with database_of(vendor, tmp_path) as database:
        yield database
