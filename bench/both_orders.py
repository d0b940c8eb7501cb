"""Apply two sides of foreign migrations in both orders to PostgreSQL: `bench.independents` runs it.

A scratch folder has their files, `app/name.py`. Their code runs: give it a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings

Key = tuple[str, str]

_EXCEPT = re.compile(r"except ([\w.]+(?:, *[\w.]+)+):")


def main(folder: Path) -> int:
    """Read what to do from standard input, and print what came of it as JSON."""
    task = json.load(sys.stdin)
    address = urlsplit(task["database"])
    settings.configure(
        INSTALLED_APPS=[
            f"django.contrib.{app}" for app in ("contenttypes", "auth", "sessions", "sites")
        ],
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        SECRET_KEY="x",
        USE_TZ=True,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": address.path.lstrip("/"),
                "HOST": address.hostname,
                "PORT": address.port or 5432,
                "USER": address.username,
                "PASSWORD": address.password or "",
            }
        },
    )
    django.setup()
    # Its model is in no app that is installed.
    settings.AUTH_USER_MODEL = task["user"]
    # After Django's own: they patch it.
    from bench.stand_ins import install

    install()
    print(json.dumps(_Case(folder, task).outcome()))
    return 0


class _Case:
    def __init__(self, folder: Path, task: Mapping[str, Any]) -> None:
        self.folder = folder
        self.base = [(app, name) for app, name in task["base"]]
        self.sides = [[(app, name) for app, name in side] for side in task["sides"]]

    def outcome(self) -> dict[str, str]:
        from django.db.migrations.state import ProjectState

        from shelter.versioning.conflicts.states import judge_steps
        from shelter.versioning.replay import steps_of

        loaded = {key: self._load(key) for key in (*self.base, *self.sides[0], *self.sides[1])}
        start = ProjectState()
        _add_strangers(start, loaded)
        for key in self.base:
            loaded[key].mutate_state(start, preserve=False)
        one, two = (list(steps_of(loaded[key] for key in side)) for side in self.sides)
        states = judge_steps(start, one, two)
        database, problem = _by_database(start, one, two)
        return {"states": str(states.verdict), "database": database, "problem": problem}

    def _load(self, key: Key) -> Any:
        name = f"foreign.{key[0]}.migrations.{key[1]}"
        from django.db import models
        from django.db.migrations.operations import CreateModel

        from bench.stand_ins import is_stand_in

        module = ModuleType(name)
        path = self.folder / key[0] / f"{key[1]}.py"
        # Python 3.14 lets the brackets go; Python 2 means something else, and it is no matter here.
        text = _EXCEPT.sub(r"except (\1):", path.read_text())
        exec(compile(text, path, "exec"), module.__dict__)
        migration = module.Migration(key[1], key[0])
        for operation in _all(migration.operations):
            if isinstance(operation, CreateModel):
                # A mixin that is not here adds no column.
                bases = [base for base in operation.bases or () if not is_stand_in(base)]
                operation.bases = tuple(bases) or (models.Model,)
                # Django had it from 1.10 to 1.11.
                operation.options.pop("manager_inheritance_from_future", None)
        return migration


def _add_strangers(state: Any, loaded: Mapping[Key, Any]) -> None:
    """Add a bare model for each that migrations lead to and none of them makes."""
    from django.db import models
    from django.db.migrations.operations import CreateModel, RenameModel
    from django.db.migrations.state import ModelState
    from django.db.migrations.utils import resolve_relation

    made, wanted = set(), set()
    for (app, _), migration in loaded.items():
        for operation in _all(migration.operations):
            if isinstance(operation, CreateModel):
                made.add((app, operation.name_lower))
                names = [base for base in operation.bases or () if isinstance(base, str)]
                wanted |= {resolve_relation(base, app) for base in names}
            elif isinstance(operation, RenameModel):
                made.add((app, operation.new_name_lower))
            fields: list[Any] = [getattr(operation, "field", None)]
            fields += [field for _, field in getattr(operation, "fields", ())]
            for field in fields:
                if getattr(field, "remote_field", None) and field.remote_field.model:
                    ends = (field.remote_field.model, getattr(field.remote_field, "through", None))
                    model = getattr(operation, "model_name", None) or operation.name
                    wanted |= {resolve_relation(end, app, model.lower()) for end in ends if end}
    for app, name in sorted(wanted - made):
        key: Any = [("id", models.AutoField(primary_key=True))]
        state.add_model(ModelState(app, name, key))


def _all(operations: Iterable[Any]) -> Iterable[Any]:
    for operation in operations:
        yield operation
        yield from _all(getattr(operation, "state_operations", None) or ())


def _by_database(base: Any, one: Sequence[Any], two: Sequence[Any]) -> tuple[str, str]:
    """Return what the database makes of both orders, and what it said where one does not run."""
    from django.db import connection, transaction

    from shelter.versioning.replay import same

    with transaction.atomic():
        with connection.cursor() as cursor:
            schema = f"both_orders_{os.getpid()}"
            cursor.execute(f"CREATE SCHEMA {schema}")
            cursor.execute(f"SET search_path TO {schema}, public")
        try:
            with connection.schema_editor() as editor:
                for model in base.apps.get_models():
                    if model._meta.managed and not model._meta.proxy:
                        editor.create_model(model)
                _flush(editor)
            _rename_indexes(base, schema)
        except Exception as error:  # noqa: BLE001  # whatever it is, nothing can be said
            transaction.set_rollback(True)
            return "to be read", _said(error)
        try:
            (state, tables), (other, other_tables) = (
                _try(base, order) for order in ((*one, *two), (*two, *one))
            )
            alike = same(state, other) and tables == other_tables
            found = ("independent" if alike else "order-dependent"), ""
        except Exception as error:  # noqa: BLE001  # whatever it is, it did not run
            found = "contradictory", _said(error)
            try:
                for side in (one, two):
                    _try(base, side)
            except Exception as alone:  # noqa: BLE001  # nor does a side by itself
                found = "to be read", _said(alone)
        transaction.set_rollback(True)
    return found


def _rename_indexes(base: Any, schema: str) -> None:
    """Give indexes other names where Django made them up.

    In a project they go by the names that tables had when they were made. No new one meets them.
    """
    from django.db import connection

    given = {
        entry.name
        for model in base.models.values()
        for option in ("indexes", "constraints")
        for entry in model.options.get(option, ())
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = %s", [schema])
        names = [name for (name,) in cursor.fetchall() if name not in given]
        for number, name in enumerate(names):
            cursor.execute(f'ALTER INDEX "{name}" RENAME TO at_the_fork_{number}')


def _said(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _try(base: Any, steps: Iterable[Any]) -> tuple[Any, Mapping[str, Any]]:
    """Apply steps, take them back, and return the state and the tables that they led to."""
    from django.db import connection, transaction

    from shelter.versioning.ledger.schema import read_tables

    state = base.clone()
    state.__dict__.pop("apps", None)
    with transaction.atomic():
        with connection.schema_editor() as editor:
            for app, operation in steps:
                before = state.clone()
                operation.state_forwards(app, state)
                operation.database_forwards(app, editor, before, state)
            _flush(editor)
        with connection.cursor() as cursor:
            names = connection.introspection.table_names(cursor)
        tables = {
            name: (table.columns, table.indexes, table.constraints)
            for name, table in read_tables(connection, names).items()
        }
        transaction.set_rollback(True)
    return state, tables


def _flush(editor: Any) -> None:
    # What fails when the editor ends would leave its transaction open.
    while editor.deferred_sql:
        editor.execute(editor.deferred_sql.pop(0))


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
