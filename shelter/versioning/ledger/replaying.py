"""Operations applied to a state one by one, and stopped where a database would stop.

Django's own state takes what it is given: it overwrites a model or a field that is there, and
alters one that is not (`ProjectState.add_model`, `add_field`, `alter_field` of Django 5.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import FieldDoesNotExist
from django.db.migrations import Migration
from django.db.migrations.operations import (
    AddField,
    AlterField,
    CreateModel,
    RemoveField,
    RenameField,
    RenameModel,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class CannotReplayError(Exception):
    """An operation cannot run on a state; the message says which, and why."""


def replay(migrations: Iterable[Migration], state: ProjectState) -> None:
    """Apply the operations of `migrations` to `state` itself. Raises CannotReplayError."""
    for migration in migrations:
        for operation in migration.operations:
            problem = _problem(operation, migration.app_label, state)
            if problem is None:
                try:
                    operation.state_forwards(migration.app_label, state)
                except (KeyError, ValueError, FieldDoesNotExist) as error:
                    problem = f"it does not find what it changes ({error})"
            if problem is not None:
                raise CannotReplayError(f"{migration}: {operation.describe()}: {problem}.")


def _problem(operation: Operation, app: str, state: ProjectState) -> str | None:
    """Return what a database would say of an operation that Django's state lets pass."""
    if isinstance(operation, CreateModel):
        return _there(operation.name_lower, app, state)
    if isinstance(operation, RenameModel) and operation.old_name_lower != operation.new_name_lower:
        return _there(operation.new_name_lower, app, state)
    if isinstance(operation, AddField):
        return _field_there(operation.name_lower, operation.model_name_lower, app, state)
    if isinstance(operation, AlterField | RemoveField):
        return _field_missing(operation.name_lower, operation.model_name_lower, app, state)
    if isinstance(operation, RenameField):
        model, old, new = (
            operation.model_name_lower,
            operation.old_name_lower,
            operation.new_name_lower,
        )
        taken = _field_there(new, model, app, state) if old != new else None
        return _field_missing(old, model, app, state) or taken
    return None


def _there(model: str, app: str, state: ProjectState) -> str | None:
    return f"the model {app}.{model} is there already" if (app, model) in state.models else None


def _field_there(field: str, model: str, app: str, state: ProjectState) -> str | None:
    there = field in _fields(model, app, state)
    return f"the field {app}.{model}.{field} is there already" if there else None


def _field_missing(field: str, model: str, app: str, state: ProjectState) -> str | None:
    there = field in _fields(model, app, state)
    return None if there else f"the field {app}.{model}.{field} is not there"


def _fields(model: str, app: str, state: ProjectState) -> set[str]:
    found = state.models.get((app, model))
    return set() if found is None else {name.lower() for name in found.fields}
