"""What operations do to the models' state, as strictly as a database would take them.

Django's `ProjectState` overwrites a field that is there already, and lets go in silence of an index
that is not. Here such an operation cannot run. SQL and Python of migrations are not looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.migrations import Migration, operations
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.operations.base import Operation
from django.db.migrations.operations.fields import FieldOperation
from django.db.migrations.operations.models import (
    AlterTogetherOptionOperation,
    IndexOperation,
    ModelOperation,
)
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.utils import resolve_relation
from django.db.models import F, ForeignKey, ForeignObject, ManyToManyField, Q
from django.db.models.constants import LOOKUP_SEP
from django.db.models.options import normalize_together

Step = tuple[str, Operation]
"""An operation, after the label of the app whose migration has it."""

ModelKey = tuple[str, str]
"""An app label and a model's name in lower case."""

_Thing = tuple[str, ...]
"""`(app, model)`, or that with `field`, `index` or `constraint` and a name after it."""


class CannotRunError(Exception):
    """An operation cannot run on the state that it finds: the `step`, and the `reason`."""

    def __init__(self, step: Step, reason: str) -> None:
        super().__init__(f"{step[1].describe()}: {reason}")
        self.step = step
        self.reason = reason


def replay(state: ProjectState, steps: Iterable[Step]) -> ProjectState:
    """Return the state that `steps` lead to from `state`, which stays as it is.

    Raises CannotRunError.
    """
    state = state.clone()
    # Classes that were made of another state's models know those.
    state.__dict__.pop("apps", None)
    names = _Names(state)
    for app, operation in steps:
        for part in _parts(operation):
            reason = _carry_out(app, part, state, names)
            if reason:
                raise CannotRunError((app, operation), reason)
    return state


def steps_of(migrations: Iterable[Migration]) -> Iterator[Step]:
    """Yield the operations of `migrations` as steps."""
    for migration in migrations:
        for operation in migration.operations:
            yield migration.app_label, operation


def same(one: ProjectState, two: ProjectState) -> bool:
    """Return whether two states have the same models, in whatever order their indexes are."""
    if one.models == two.models:
        return True
    detector = MigrationAutodetector(_normalised(one), _normalised(two))
    # What `changes()` calls too; that one needs a whole graph besides.
    return not detector._detect_changes()  # type: ignore[attr-defined]


def is_known(operation: Operation) -> bool:
    """Return whether an operation is one of Django's own, and does what the state says alone."""
    opaque = (operations.RunPython, operations.RunSQL, operations.SeparateDatabaseAndState)
    return not isinstance(operation, opaque) and type(operation).__module__.startswith(
        operations.__name__
    )


def _normalised(state: ProjectState) -> ProjectState:
    """Return a state with the groups of fields as the autodetector expects them of models."""
    state = state.clone()
    for model in state.models.values():
        for option in ("unique_together", "index_together"):
            if option in model.options:
                groups = normalize_together(model.options[option])
                model.options[option] = {tuple(group) for group in groups}
    return state


def _parts(operation: Operation) -> Iterator[Operation]:
    """Yield the operations by which `operation` changes the state."""
    if isinstance(operation, operations.RunSQL | operations.SeparateDatabaseAndState):
        for part in operation.state_operations:
            yield from _parts(part)
    else:
        yield operation


def _carry_out(app: str, operation: Operation, state: ProjectState, names: _Names) -> str:
    """Change `state` by `operation`; return why it cannot run, nothing where it can."""
    reason = _refusal(app, operation, state)
    if reason:
        return reason
    model = _model_of(operation)
    touched = {(app, model)} if model else set(state.models)
    related = set(state.models) if isinstance(operation, _UNRELATING) else touched
    lost = set(_lost_relations(state, related))
    try:
        operation.state_forwards(app, state)
    except Exception as error:  # noqa: BLE001  # whatever anybody's operation raises, it did not run
        return f"{type(error).__name__}: {error}"
    if not model:
        touched |= set(state.models)
    if isinstance(operation, operations.RenameModel):
        touched |= {(app, operation.new_name_lower)}
    for name in names.update(state, touched):
        return f"{name} is there already"
    for owner, target in _lost_relations(state, related | touched):
        if (owner, target) not in lost:
            return f"{_named(owner)} leads to {_named(target)}, which is not there"
    return ""


# What can take a relation's other end away.
_UNRELATING = (
    operations.DeleteModel,
    operations.RenameModel,
    operations.RemoveField,
    operations.RenameField,
)


def _refusal(app: str, operation: Operation, state: ProjectState) -> str:
    """Return what Django's state would not mind, and a database would."""
    for thing in _needed(app, operation):
        if not _is_there(state, thing):
            return f"{_named(thing)} is not there"
    for thing in _made(app, operation):
        if _is_there(state, thing):
            return f"{_named(thing)} is there already"
    if isinstance(operation, operations.RemoveField):
        for user in _users(state.models[app, operation.model_name_lower], operation.name):
            return f"{user} uses it"
    return ""


# --- What an operation goes by -------------------------------------------------------------------


def _needed(app: str, operation: Operation) -> Iterator[_Thing]:
    """Yield what must be there for `operation`."""
    model = _model_of(operation)
    if not model or isinstance(operation, operations.CreateModel):
        return
    yield app, model
    names: Iterable[str] = ()
    match operation:
        case operations.RemoveField() | operations.AlterField():
            names = [operation.name]
        case operations.RenameField():
            names = [operation.old_name]
        case AlterTogetherOptionOperation():
            names = {name for group in operation.option_value or () for name in group}
        case operations.AlterOrderWithRespectTo():
            names = filter(None, [operation.order_with_respect_to])
        case operations.AddIndex():
            names = _fields_of(operation.index)
        case operations.AddConstraint() | operations.AlterConstraint():
            names = _fields_of(operation.constraint)
    for name in names:
        yield app, model, "field", name
    match operation:
        case operations.RemoveIndex():
            yield app, model, "index", operation.name
        case operations.RenameIndex() if operation.old_name:
            yield app, model, "index", operation.old_name
        case operations.RemoveConstraint() | operations.AlterConstraint():
            yield app, model, "constraint", operation.name


def _model_of(operation: Operation) -> str:
    match operation:
        case operations.RenameModel():
            return operation.old_name_lower
        case ModelOperation():
            return operation.name_lower
        case FieldOperation() | IndexOperation():
            return operation.model_name_lower
    return ""


def _made(app: str, operation: Operation) -> Iterator[_Thing]:
    """Yield what must not be there for `operation`: it would be overwritten in silence."""
    match operation:
        case operations.CreateModel():
            yield app, operation.name_lower
        case operations.RenameModel() if operation.old_name_lower != operation.new_name_lower:
            yield app, operation.new_name_lower
        case operations.AddField():
            yield app, operation.model_name_lower, "field", operation.name
        case operations.RenameField() if operation.old_name != operation.new_name:
            yield app, operation.model_name_lower, "field", operation.new_name


def _fields_of(made: Any) -> set[str]:
    """Return the names of the fields that an index or a constraint is made of."""
    found = {*getattr(made, "fields", ()), *getattr(made, "include", ())}
    condition = getattr(made, "condition", None)
    if isinstance(condition, Q):
        found |= condition.referenced_base_fields
    for entry in getattr(made, "expressions", ()):
        # Of an ExclusionConstraint each goes with its operator.
        expression = entry[0] if isinstance(entry, tuple | list) else entry
        if isinstance(expression, str):
            found.add(expression)
        elif hasattr(expression, "flatten"):
            parts: list[Any] = [part for part in expression.flatten() if isinstance(part, F)]
            found |= {part.name.partition(LOOKUP_SEP)[0] for part in parts}
    return {name.removeprefix("-") for name in found}


# --- What a state holds --------------------------------------------------------------------------


def _is_there(state: ProjectState, thing: _Thing) -> bool:
    model = state.models.get((thing[0], thing[1]))
    if model is None or len(thing) == 2:
        return model is not None
    sort, name = thing[2:]
    if sort == "field":
        # Other names of fields: the key, a foreign key's column, `order_with_respect_to`'s.
        return name in model.fields or name.removesuffix("_id") in model.fields or name in _ALIASES
    options = model.options.get("indexes" if sort == "index" else "constraints", ())
    return any(entry.name == name for entry in options)


_ALIASES = frozenset({"pk", "_order"})


def _named(thing: _Thing) -> str:
    model = ".".join(thing[:2])
    return f"{thing[2]} {thing[3]} of {model}" if len(thing) > 2 else f"model {model}"


def _users(model: ModelState, field: str) -> Iterator[str]:
    """Yield what of a model's options is made of a field."""
    for option in ("indexes", "constraints"):
        for entry in model.options.get(option, ()):
            if field in _fields_of(entry):
                yield entry.name
    for option in ("unique_together", "index_together"):
        if any(field in group for group in normalize_together(model.options.get(option) or ())):
            yield option
    if model.options.get("order_with_respect_to") == field:
        yield "order_with_respect_to"


class _Names:
    """The names that a database has once: tables, columns, indexes, constraints.

    Of indexes and constraints they are the whole schema's on PostgreSQL and SQLite. Upper case and
    lower case are one on SQLite and MariaDB.
    """

    def __init__(self, state: ProjectState) -> None:
        self.of_models: dict[ModelKey, Counter[str]] = {}
        self.counts: Counter[str] = Counter()
        self.update(state, state.models)

    def update(self, state: ProjectState, keys: Iterable[ModelKey]) -> list[str]:
        """Follow what became of the models `keys`; return the names that were taken already."""
        taken = []
        for key in keys:
            before = self.of_models.pop(key, Counter())
            after = Counter(_database_names(key, state.models[key]) if key in state.models else ())
            self.counts += after
            self.counts -= before
            self.of_models[key] = after
            taken += [name for name in after if after[name] > before[name]]
        return [name for name in taken if self.counts[name] > 1]


def _database_names(key: ModelKey, model: ModelState) -> Iterator[str]:
    app, model_name = key
    options = model.options
    if options.get("proxy") or not options.get("managed", True):
        return
    table = (options.get("db_table") or f"{app}_{model_name}").lower()
    yield f"table {table}"
    for name, field in model.fields.items():
        own: Any = field
        if isinstance(field, ManyToManyField):
            if not field.remote_field.through:
                yield f"table {own.db_table or f'{table}_{name}'}".lower()
        elif isinstance(field, ForeignKey) or not isinstance(field, ForeignObject):
            suffix = "_id" if isinstance(field, ForeignKey) else ""
            yield f"column {table}.{field.db_column or name + suffix}".lower()
    for entry in (*options.get("indexes", ()), *options.get("constraints", ())):
        yield f"index {entry.name}"


def _lost_relations(
    state: ProjectState, keys: Iterable[ModelKey]
) -> Iterator[tuple[_Thing, _Thing]]:
    """Yield what of the models `keys` leads to what is not there, and what that is."""
    for key in keys:
        for owner, target in _relations(key, state.models[key]) if key in state.models else ():
            if target[0] not in state.real_apps and not _is_there(state, target):
                yield owner, target


def _relations(key: ModelKey, model: ModelState) -> Iterator[tuple[_Thing, _Thing]]:
    for base in model.bases:
        if isinstance(base, str):
            yield key, resolve_relation(base, *key)
    for name, field in model.fields.items():
        if field.remote_field is None or not field.remote_field.model:
            continue
        owner = (*key, "field", name)
        target = resolve_relation(field.remote_field.model, *key)
        yield owner, target
        through = getattr(field.remote_field, "through", None)
        if through:
            yield owner, resolve_relation(through, *key)
        for to_field in getattr(field, "to_fields", None) or ():
            if to_field is not None:
                yield owner, (*target, "field", to_field)
