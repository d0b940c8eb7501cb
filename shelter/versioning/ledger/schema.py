"""What the tables of a database are, read alike from every backend.

Names that a database or Django makes up are left out, so that two databases that came to the same
tables in different ways compare equal: indexes and constraints are told apart by what they do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlparse
from django.db.backends.base.base import BaseDatabaseWrapper
from sqlparse import tokens


@dataclass(frozen=True, slots=True)
class Table:
    """One table: each column's definition by its name; indexes and constraints, as definitions.

    `names` are the names of indexes and constraints, by definition; equal tables may have others.
    """

    columns: Mapping[str, str]
    indexes: Counter[str]
    constraints: Counter[str]
    names: Mapping[str, frozenset[str]] = field(default_factory=dict, compare=False)


def read_tables(connection: BaseDatabaseWrapper, names: Collection[str]) -> dict[str, Table]:
    """Return those of the tables `names` that are there. Raises DatabaseError.

    On PostgreSQL they are found as queries would find them, by the search path; on MySQL and
    MariaDB in the current database. NotImplementedError for another backend.
    """
    readers = {"postgresql": _postgresql, "sqlite": _sqlite, "mysql": _mysql}
    if connection.vendor not in readers:
        raise NotImplementedError(f"Drift cannot be seen on {connection.display_name}.")
    found = {}
    reader = readers[connection.vendor]
    with connection.cursor() as cursor:
        there = {info.name for info in connection.introspection.get_table_list(cursor)}
        for name in sorted(set(names) & there):
            found[name] = reader(connection, cursor, name)
    return found


class _Parts:
    """Collects definitions with their names."""

    def __init__(self) -> None:
        self.columns: dict[str, str] = {}
        self.indexes: Counter[str] = Counter()
        self.constraints: Counter[str] = Counter()
        self.names: dict[str, set[str]] = {}

    def add(self, kind: Counter[str], definition: str, name: str) -> None:
        kind[definition] += 1
        self.names.setdefault(definition, set()).add(name)

    def table(self) -> Table:
        named = {definition: frozenset(names) for definition, names in self.names.items()}
        return Table(self.columns, self.indexes, self.constraints, named)


# --- PostgreSQL ----------------------------------------------------------------------------------

_PG_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
       pg_get_expr(d.adbin, d.adrelid),
       CASE WHEN a.attcollation <> t.typcollation THEN c.collname END
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_collation c ON c.oid = a.attcollation
WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

_PG_INDEXES = """
SELECT i.relname, pg_get_indexdef(i.oid), x.indisvalid
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = %s::regclass
  AND NOT EXISTS (
    SELECT 1 FROM pg_constraint k WHERE k.conindid = i.oid AND k.conrelid = x.indrelid
  )
"""

_PG_CONSTRAINTS = """
SELECT conname, pg_get_constraintdef(oid), convalidated
FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'f', 'p', 'u', 'x')
"""


def _postgresql(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> Table:
    quoted = connection.ops.quote_name(name)
    parts = _Parts()
    cursor.execute(_PG_COLUMNS, [quoted])
    for column, kind, not_null, identity, generated, default, collation in cursor.fetchall():
        # Until Django 4.1 keys were serial columns; to Django they are the same.
        counted = bool(identity) or (default or "").startswith("nextval(")
        parts.columns[column] = _column(
            kind,
            not_null=not_null,
            default=None if counted else default,
            collation=collation,
            more=("numbered by a sequence" if counted else "")
            or ("generated" if generated else ""),
        )
    cursor.execute(_PG_INDEXES, [quoted])
    for index, definition, valid in cursor.fetchall():
        # CREATE [UNIQUE] INDEX name ON [ONLY] [schema.]table USING …
        kind = "UNIQUE INDEX" if definition.startswith("CREATE UNIQUE") else "INDEX"
        what = definition[definition.index(" USING ") + 1 :]
        parts.add(parts.indexes, f"{kind} {what}{'' if valid else ' (invalid)'}", index)
    cursor.execute(_PG_CONSTRAINTS, [quoted])
    for constraint, definition, _ in cursor.fetchall():
        # NOT VALID is part of the definition.
        parts.add(parts.constraints, definition, constraint)
    return parts.table()


def _column(
    kind: str, *, not_null: bool, default: str | None, collation: str | None, more: str = ""
) -> str:
    words = [
        kind,
        "NOT NULL" if not_null else "NULL",
        f"DEFAULT {default}" if default is not None else "",
        f"COLLATE {collation}" if collation else "",
        more,
    ]
    return " ".join(filter(None, words))


# --- SQLite --------------------------------------------------------------------------------------


_CHECK = re.compile(r'(?:CONSTRAINT\s+"?([^"\s]+)"?\s+)?\bCHECK\s*\(', re.IGNORECASE)


def _sqlite(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> Table:
    quoted = connection.ops.quote_name(name)
    parts = _Parts()
    cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = %s", [name])
    sql = cursor.fetchone()[0]
    cursor.execute(f"PRAGMA table_xinfo({quoted})")
    key = []
    definitions = _definitions(sql)
    for _, column, kind, not_null, default, place, hidden in cursor.fetchall():
        if place:
            key.append((place, column))
        words = definitions.get(column.lower(), "")
        collation = re.search(r'\bCOLLATE "?(\w+)"?', words, re.IGNORECASE)
        parts.columns[column] = _column(
            # SQLite keeps both alike, and Django leaves a key's type when its target's grows.
            re.sub(r"^bigint\b", "integer", kind.lower()),
            not_null=bool(not_null),
            default=default,
            collation=collation[1] if collation else None,
            more=_generated(words) if hidden else _numbered(words),
        )
    if key:
        parts.add(parts.constraints, f"PRIMARY KEY {_listed(c for _, c in sorted(key))}", "")
    _sqlite_indexes(cursor, quoted, parts)
    cursor.execute(f"PRAGMA foreign_key_list({quoted})")
    keys: dict[int, list[tuple[str, str | None, str]]] = {}
    for number, _, table, source, target, *actions in cursor.fetchall():
        keys.setdefault(number, []).append((source, target, f"{table} {actions[1]} {actions[0]}"))
    for columns in keys.values():
        sources = _listed(source for source, _, _ in columns)
        targets = _listed(target or "" for _, target, _ in columns)
        parts.add(parts.constraints, f"FOREIGN KEY {sources} {columns[0][2]} {targets}", "")
    for check_name, check in _checks(sql):
        parts.add(parts.constraints, f"CHECK ({check})", check_name)
    return parts.table()


def _sqlite_indexes(cursor: Any, quoted: str, parts: _Parts) -> None:
    cursor.execute(f"PRAGMA index_list({quoted})")
    for _, index, unique, origin, partial in cursor.fetchall():
        if origin == "pk":
            continue
        cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = %s", [index])
        row = cursor.fetchone()
        sql = row[0] if row else None
        cursor.execute("SELECT name, [desc], coll FROM pragma_index_xinfo(%s) WHERE key", [index])
        columns = [
            f"{column}{' DESC' if down else ''}{'' if order == 'BINARY' else f' {order}'}"
            for column, down, order in cursor.fetchall()
        ]
        if sql and (partial or any(column.startswith("None") for column in columns)):
            # Expressions and conditions are in the text alone.
            what = _normal(sql[sql.index("(") :])
        else:
            what = _listed(columns)
        # A unique constraint and a unique index are the same to SQLite.
        kind = "UNIQUE" if unique else "INDEX"
        parts.add(parts.constraints if unique else parts.indexes, f"{kind} {what}", index)


def _listed(names: Any) -> str:
    return f"({', '.join(names)})"


def _normal(sql: str) -> str:
    """Return SQL with one way of spacing, quoting and writing keywords."""
    words = []
    statement: Any = sqlparse.parse(sql)[0]
    for token in statement.flatten():
        if token.is_whitespace:
            continue
        value = token.value
        # A string's case and quotes mean something.
        if token.ttype not in tokens.String.Single:
            value = value.strip('"`[]').lower()
        words.append(value)
    return " ".join(words)


def _definitions(sql: str) -> dict[str, str]:
    """Return what a CREATE TABLE statement says of each column, by its name in lower case."""
    found = {}
    for part in _split(sql[sql.index("(") + 1 : sql.rindex(")")]):
        name, _, words = part.strip().partition(" ")
        found[name.strip('"`[]').lower()] = words
    return found


def _numbered(words: str) -> str:
    return "autoincrement" if re.search(r"\bAUTOINCREMENT\b", words, re.IGNORECASE) else ""


def _generated(words: str) -> str:
    start = re.search(r"\bGENERATED ALWAYS AS\b", words, re.IGNORECASE)
    return _normal(words[start.start() :]) if start else "generated"


def _checks(sql: str) -> list[tuple[str, str]]:
    """Return the CHECKs of a CREATE TABLE statement: each one's name, and its condition."""
    found = []
    for part in _split(sql[sql.index("(") + 1 : sql.rindex(")")]):
        for match in _CHECK.finditer(part):
            condition = _within(part[match.end() :])
            found.append((match[1] or "", _normal(condition)))
    return found


def _split(text: str) -> list[str]:
    """Return the parts of `text` between commas that stand in no brackets and no quotes."""
    parts, depth, start = [], 0, 0
    for at, letter in _outside_quotes(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _within(text: str) -> str:
    """Return `text` up to the bracket that closes one opened before it."""
    depth = 1
    for at, letter in _outside_quotes(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[:at]
    return text


def _outside_quotes(text: str) -> Any:
    quote = ""
    for at, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"`":
            quote = letter
        else:
            yield at, letter


# --- MySQL and MariaDB ---------------------------------------------------------------------------


def _mysql(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> Table:
    parts = _Parts()
    cursor.execute(
        "SELECT column_name, column_type, is_nullable, column_default, extra, collation_name, "
        "generation_expression, (SELECT table_collation FROM information_schema.tables "
        "WHERE table_schema = DATABASE() AND table_name = %s) "
        "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s "
        "ORDER BY ordinal_position",
        [name, name],
    )
    for column, kind, nullable, default, extra, collation, generated, usual in cursor.fetchall():
        parts.columns[column] = _column(
            _text(kind),
            not_null=nullable == "NO",
            # MariaDB writes NULL out where MySQL has none.
            default=None if default in (None, "NULL") else _text(default),
            collation=collation if collation != usual else None,
            more=" ".join(filter(None, (_text(extra).lower(), _text(generated or "")))),
        )
    cursor.execute(
        "SELECT index_name, non_unique, index_type, "
        "GROUP_CONCAT(CONCAT(COALESCE(column_name, '?'), "
        "COALESCE(CONCAT('(', sub_part, ')'), ''), ' ', COALESCE(collation, '')) "
        "ORDER BY seq_in_index SEPARATOR ', ') FROM information_schema.statistics "
        "WHERE table_schema = DATABASE() AND table_name = %s "
        "GROUP BY index_name, non_unique, index_type",
        [name],
    )
    for index, non_unique, kind, columns in cursor.fetchall():
        what = "PRIMARY KEY" if index == "PRIMARY" else "INDEX" if non_unique else "UNIQUE"
        group = parts.indexes if non_unique else parts.constraints
        parts.add(group, f"{what} ({_text(columns)}) {kind}", index)
    cursor.execute(
        "SELECT u.constraint_name, GROUP_CONCAT(u.column_name ORDER BY u.ordinal_position), "
        "u.referenced_table_name, "
        "GROUP_CONCAT(u.referenced_column_name ORDER BY u.ordinal_position), "
        "r.update_rule, r.delete_rule FROM information_schema.key_column_usage AS u "
        "JOIN information_schema.referential_constraints AS r "
        "ON r.constraint_schema = u.constraint_schema AND r.constraint_name = u.constraint_name "
        "AND r.table_name = u.table_name "
        "WHERE u.table_schema = DATABASE() AND u.table_name = %s "
        "AND u.referenced_table_name IS NOT NULL "
        "GROUP BY u.constraint_name, u.referenced_table_name, r.update_rule, r.delete_rule",
        [name],
    )
    for key, sources, table, targets, on_update, on_delete in cursor.fetchall():
        # RESTRICT and NO ACTION are one to InnoDB.
        rules = f"{on_update} {on_delete}".replace("RESTRICT", "NO ACTION")
        what = f"FOREIGN KEY ({_text(sources)}) {table} ({_text(targets)}) {rules}"
        parts.add(parts.constraints, what, key)
    for check_name, clause in _mysql_checks(connection, cursor, name):
        parts.add(parts.constraints, f"CHECK ({clause})", check_name)
    return parts.table()


def _mysql_checks(connection: BaseDatabaseWrapper, cursor: Any, name: str) -> list[tuple[str, str]]:
    if not connection.features.supports_table_check_constraints:
        return []
    if getattr(connection, "mysql_is_mariadb", False):
        sql = (
            "SELECT constraint_name, check_clause FROM information_schema.check_constraints "
            "WHERE constraint_schema = DATABASE() AND table_name = %s"
        )
    else:
        sql = (
            "SELECT c.constraint_name, c.check_clause "
            "FROM information_schema.check_constraints AS c "
            "JOIN information_schema.table_constraints AS t USING (constraint_schema, "
            "constraint_name) WHERE t.table_schema = DATABASE() AND t.table_name = %s"
        )
    cursor.execute(sql, [name])
    return [(check_name, _normal(_text(clause))) for check_name, clause in cursor.fetchall()]


def _text(value: Any) -> str:
    """Return text that some drivers give as bytes."""
    return value.decode() if isinstance(value, bytes) else str(value)
