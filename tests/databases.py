"""Which databases are here to be tested against."""

from __future__ import annotations

import os
import socket
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql
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


@dataclass(frozen=True)
class Database:
    """A database of its own for one test, on one of the servers or in a file.

    `settings` is its entry in DATABASES; `connect` opens it with its driver, committing each
    statement by itself.
    """

    vendor: str
    settings: Mapping[str, Any]
    connect: Callable[[], Any] = field(repr=False)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, if it has any."""
        with closing(self.connect()) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


@contextmanager
def database_of(vendor: str, folder: Path) -> Iterator[Database]:
    """Give an empty database, and drop it afterwards."""
    name = f"versioning_{uuid.uuid4().hex[:12]}"
    if vendor == "sqlite":
        path = folder / f"{name}.sqlite3"
        engine = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
        options = {
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=wal; PRAGMA synchronous=normal;",
            }
        }
        yield Database(
            vendor,
            {**engine, **options},
            lambda: sqlite3.connect(path, timeout=20, isolation_level=None),
        )
        return
    with _made_on(vendor, name) as (settings, connect):
        yield Database(vendor, {**settings, "NAME": name}, connect)


@contextmanager
def _made_on(vendor: str, name: str) -> Iterator[tuple[Mapping[str, Any], Callable[[], Any]]]:
    if vendor == "postgresql":
        address = urlsplit(POSTGRESQL_URL)
        settings = {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": address.hostname,
            "PORT": address.port or 5432,
            "USER": address.username,
            "PASSWORD": address.password or "",
        }
        with psycopg.connect(f"{POSTGRESQL_URL}/postgres", autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield settings, lambda: psycopg.connect(f"{POSTGRESQL_URL}/{name}", autocommit=True)
        finally:
            drop_postgresql_databases(name)
        return
    host, _, port = MARIADB_ADDRESS.partition(":")
    address_of_server: dict[str, Any] = {
        "host": host,
        "port": int(port),
        "user": "root",
        "autocommit": True,
    }
    settings = {
        "ENGINE": "django.db.backends.mysql",
        "HOST": host,
        "PORT": int(port),
        "USER": "root",
        "PASSWORD": "",
    }
    with closing(pymysql.connect(**address_of_server)) as server:
        server.cursor().execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield settings, lambda: pymysql.connect(**address_of_server, database=name)
        finally:
            server.cursor().execute(f"DROP DATABASE {name}")
