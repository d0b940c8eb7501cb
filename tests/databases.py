"""Which databases are here to be tested against."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

import psycopg
from psycopg import sql

POSTGRESQL_URL = os.environ.get("TEST_POSTGRESQL_URL", "postgres://postgres@127.0.0.1:5432")
MARIADB_ADDRESS = os.environ.get("TEST_MARIADB_ADDRESS", "127.0.0.1:3306")


def _ask_postgresql() -> None:
    psycopg.connect(f"{POSTGRESQL_URL}/postgres", connect_timeout=3).close()


def _ask_mariadb() -> None:
    """Read the greeting that a MariaDB or MySQL server begins with."""
    host, _, port = MARIADB_ADDRESS.partition(":")
    with socket.create_connection((host, int(port)), timeout=3) as connection:
        greeting = connection.recv(100)
    # A 4-byte header, then protocol version 10 and the server's version as text.
    if len(greeting) < 5 or greeting[4] != 10:
        raise OSError(f"{MARIADB_ADDRESS} is no MariaDB")


SERVERS: Mapping[str, Callable[[], None]] = {
    "postgresql": _ask_postgresql,
    "mariadb": _ask_mariadb,
}


def missing_servers() -> dict[str, str]:
    """Return the servers that do not answer, and why, in a line each."""
    missing = {}
    for name, ask in SERVERS.items():
        try:
            ask()
        except (OSError, psycopg.OperationalError) as error:
            missing[name] = " ".join(str(error).split())
    return missing


def required_servers() -> set[str]:
    """Return the servers that must be here, as SHELTER_REQUIRE_DATABASES names them.

    Raises SystemExit for a name that is none.
    """
    names = os.environ.get("SHELTER_REQUIRE_DATABASES", "").split(",")
    required = {name.strip() for name in names} - {"", "sqlite"}
    unknown = required - set(SERVERS)
    if unknown:
        raise SystemExit(
            f"SHELTER_REQUIRE_DATABASES names {', '.join(sorted(unknown))}; "
            f"there are: {', '.join(SERVERS)}."
        )
    return required


def drop_postgresql_databases(prefix: str) -> None:
    """Drop the databases whose names begin with `prefix`, whoever is connected to them."""
    with psycopg.connect(f"{POSTGRESQL_URL}/postgres", autocommit=True) as connection:
        found = connection.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix]
        )
        for (name,) in found.fetchall():
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
