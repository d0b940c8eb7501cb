"""What a migration's operations touch, told from the text of its file.

An operation of Django's, or of its `contrib.postgres`, touches models and their parts. What runs
code of its own (RunPython, RunSQL) is read as far as text can tell: the models that a function gets
by `apps.get_model()`, in itself and in what it calls in the same file; the words of an SQL
statement. Where it might do more than was read, the footprint says so: it is never guessed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from shelter.versioning.history.describing import arguments_of, describe, kind_of
from shelter.versioning.history.reading import Listed

Model = tuple[str, str]
"""An app label and a model's name, in lower case."""


class Effect(Enum):
    """What an operation does to a thing. NEED: it must be there, and stays as it is."""

    MAKE = "makes"
    DROP = "removes"
    SET = "sets"
    NEED = "needs"


@dataclass(frozen=True, slots=True)
class Touch:
    """An operation's effect on a model (`part` is empty) or on a part of one.

    A part is `field x`, `index x` (constraints too) or `option x`, or a name in the database:
    `column x`; of the model `_ANY`, `index x` and `table x`. `value` tells what is set, or whose
    the name is, so that two who do the same are no matter. `harmless`: of a made field, that rows
    can be inserted without naming it.
    """

    effect: Effect
    model: Model
    part: str
    operation: str
    value: str = ""
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """An operation that runs code: what of it could be read.

    `models` are those it gets hold of, None where it cannot be told, for the `reason`. `words` are
    all the names and strings in it, in lower case; `tables` those of SQL statements. `inserts` and
    `saves`: whether it adds rows, or writes whole rows.
    """

    operation: str
    models: frozenset[Model] | None
    words: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    inserts: bool = False
    saves: bool = False
    reason: str = ""


@dataclass(slots=True)
class Footprint:
    """All that the operations of a branch side touch."""

    touches: list[Touch] = field(default_factory=list)
    code: list[Code] = field(default_factory=list)

    def add(self, app: str, listed: Listed) -> None:
        """Add what the operations of one file of `app` touch."""
        for node in listed.operations:
            self._add_operation(app.lower(), node, listed)

    def _add_operation(self, app: str, node: ast.expr, listed: Listed) -> None:
        kind = kind_of(node)
        if not isinstance(node, ast.Call):
            self.code.append(Code(kind, None, reason=f"{describe(node)} is not read"))
            return
        if kind in _NO_MATTER:
            return
        kind = _SAME_AS.get(kind, kind)
        arguments = arguments_of(ast.Call(ast.Name(kind), node.args, node.keywords))
        if kind == "SeparateDatabaseAndState":
            self._add_separate(app, arguments, listed)
        elif kind == "RunPython":
            self.code.append(_python(arguments.get("code"), listed))
        elif kind == "RunSQL":
            self.code.append(_sql(arguments.get("sql"), listed))
            self._add_list(app, arguments.get("state_operations"), listed)
        elif kind == "BatchedUpdate":
            self.code.append(_batched_update(app, arguments, node))
        elif kind in _READERS:
            touches = _touches(app, kind, arguments, describe(node))
            if touches is None:
                self.code.append(Code(kind, None, reason=f"{describe(node)}: a name is computed"))
            else:
                self.touches += touches
        else:
            self.code.append(
                Code(kind, None, reason=f"{kind} is no operation of Django's, and not read")
            )

    def _add_separate(self, app: str, arguments: Mapping[str, ast.expr], listed: Listed) -> None:
        for name in ("database_operations", "state_operations"):
            self._add_list(app, arguments.get(name), listed)

    def _add_list(self, app: str, node: ast.expr | None, listed: Listed) -> None:
        if isinstance(node, ast.Name):
            node = listed.constants.get(node.id, node)
        if isinstance(node, ast.List | ast.Tuple):
            for element in node.elts:
                self._add_operation(app, element, listed)
        elif node is not None and not (isinstance(node, ast.Constant) and node.value is None):
            self.code.append(Code("operations", None, reason="a list of operations is computed"))


# --- Operations of Django's ----------------------------------------------------------------------

# They make nothing that an app's models are made of.
_NO_MATTER = frozenset(
    {
        "BloomExtension",
        "BtreeGinExtension",
        "BtreeGistExtension",
        "CITextExtension",
        "CreateExtension",
        "CryptoExtension",
        "HStoreExtension",
        "TrigramExtension",
        "UnaccentExtension",
    }
)

_SAME_AS: Mapping[str, str] = {
    "AddIndexConcurrently": "AddIndex",
    "RemoveIndexConcurrently": "RemoveIndex",
    "AddConstraintNotValid": "AddConstraint",
    "SetNotNull": "AlterField",
}


class _ComputedError(Exception):
    """A name in an operation is not written out."""


def _name(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.lower()
    raise _ComputedError


def _touches(
    app: str, kind: str, arguments: Mapping[str, ast.expr], said: str
) -> list[Touch] | None:
    """Return what an operation of Django's touches; None where a name is computed."""
    try:
        named = next(
            (arguments[name] for name in ("model_name", "old_name", "name") if name in arguments),
            None,
        )
        model = app, _name(named)
        found = [
            Touch(effect, owner or model, part, said, value, harmless)
            for effect, owner, part, value, harmless in _READERS[kind](app, arguments)
        ]
    except _ComputedError:
        return None
    if kind not in ("CreateModel", "DeleteModel", "RenameModel"):
        found.append(Touch(Effect.NEED, model, "", said))
    return found


_Found = tuple[Effect, Model | None, str, str, bool]
_Reader = Callable[[str, Mapping[str, ast.expr]], Iterator[_Found]]


def _of(effect: Effect, part: str, value: str = "", *, harmless: bool = False) -> _Found:
    return effect, None, part, value, harmless


_ANY: Model = ("*", "*")
"""Stands for the schema, which has each name of a table or an index once."""


def _in_schema(effect: Effect, part: str, owner: str) -> _Found:
    return effect, _ANY, part, owner, False


def _create_model(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    name = _name(arguments.get("name"))
    yield _of(Effect.MAKE, "")
    fields = arguments.get("fields")
    if fields is not None:
        yield from _targets(app, fields)
    bases = arguments.get("bases")
    if bases is not None:
        yield from _targets(app, bases)
        # A model must not have what it inherits.
        for field in _first_names(fields):
            for base in _bases_of(app, bases):
                yield Effect.NEED, base, f"field {field}", "", False
    options = arguments.get("options")
    given = _keyword(options, "db_table")
    table = f"{app}_{name}" if given is None else _name(given)
    yield _in_schema(Effect.MAKE, f"table {table}", f"{app}.{name}")
    for call in ast.walk(options) if options is not None else ():
        # Indexes and constraints that a squash moved here.
        if isinstance(call, ast.Call) and _keyword(call, "name") is not None:
            made = _name(_keyword(call, "name"))
            yield _in_schema(Effect.MAKE, f"index {made}", f"{app}.{name}.{made}")


def _first_names(node: ast.expr | None) -> Iterator[str]:
    """Yield the names in a list of named fields."""
    for element in node.elts if isinstance(node, ast.List | ast.Tuple) else ():
        if isinstance(element, ast.Tuple | ast.List) and element.elts:
            yield _name(element.elts[0])


def _bases_of(app: str, node: ast.expr) -> Iterator[Model]:
    for element in node.elts if isinstance(node, ast.List | ast.Tuple) else ():
        model = _model_named(app, element)
        if model is not None and "." in str(getattr(element, "value", "")):
            yield model


def _keyword(node: ast.expr | None, name: str) -> ast.expr | None:
    """Return what a call or a dictionary gives for `name`."""
    if isinstance(node, ast.Call):
        return next((keyword.value for keyword in node.keywords if keyword.arg == name), None)
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                return value
    return None


def _rename_model(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    old, new = _name(arguments.get("old_name")), _name(arguments.get("new_name"))
    yield Effect.DROP, (app, old), "", "", False
    yield Effect.MAKE, (app, new), "", "", False
    yield _in_schema(Effect.DROP, f"table {app}_{old}", f"{app}.{old}")
    yield _in_schema(Effect.MAKE, f"table {app}_{new}", f"{app}.{new}")


def _alter_table(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    table = arguments.get("table")
    yield _of(Effect.SET, "option table", ast.dump(table) if table is not None else "")
    if isinstance(table, ast.Constant) and table.value is None:
        return
    owner = f"{app}.{_name(arguments.get('name'))}"
    yield _in_schema(Effect.MAKE, f"table {_name(table)}", owner)


def _add_field(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    name, value = _name(arguments.get("name")), arguments.get("field")
    yield _of(Effect.MAKE, f"field {name}", harmless=_may_be_left_out(value))
    if value is not None:
        yield from _targets(app, value)
        yield _of(Effect.MAKE, f"column {_column(name, value)}", name)
        if kind_of(value).endswith("ManyToManyField") and _keyword(value, "through") is None:
            model = _name(arguments.get("model_name"))
            given = _keyword(value, "db_table")
            table = f"{app}_{model}_{name}" if given is None else _name(given)
            yield _in_schema(Effect.MAKE, f"table {table}", f"{app}.{model}.{name}")


def _column(name: str, value: ast.expr) -> str:
    given = _keyword(value, "db_column")
    if given is not None and not (isinstance(given, ast.Constant) and given.value is None):
        return _name(given)
    is_key = kind_of(value).endswith(("ForeignKey", "OneToOneField"))
    return f"{name}_id" if is_key else name


def _alter_field(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    name, value = _name(arguments.get("name")), arguments.get("field")
    shown = ast.dump(value) if value is not None else ""
    yield _of(Effect.SET, f"field {name}", shown)
    if value is not None:
        yield from _targets(app, value)
        yield _of(Effect.MAKE, f"column {_column(name, value)}", name)


def _rename_field(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    old, new = _name(arguments.get("old_name")), _name(arguments.get("new_name"))
    for effect, name in ((Effect.DROP, old), (Effect.MAKE, new)):
        yield _of(effect, f"field {name}")
        for column in (name, f"{name}_id"):
            yield _of(effect, f"column {column}", name)


def _remove_field(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    name = _name(arguments.get("name"))
    yield _of(Effect.DROP, f"field {name}")
    for column in (name, f"{name}_id"):
        yield _of(Effect.DROP, f"column {column}", name)


def _add_index(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    value = arguments.get("index", arguments.get("constraint"))
    name = next(
        (
            keyword.value
            for keyword in (value.keywords if isinstance(value, ast.Call) else ())
            if keyword.arg == "name"
        ),
        None,
    )
    part = f"index {_name(name)}"
    yield _of(Effect.MAKE, part)
    # Names of indexes and constraints are of the whole schema on PostgreSQL and SQLite.
    owner = f"{app}.{_name(arguments.get('model_name'))}.{_name(name)}"
    yield _in_schema(Effect.MAKE, part, owner)
    assert isinstance(value, ast.Call)
    said = [keyword.value for keyword in value.keywords if keyword.arg not in ("name", "opclasses")]
    for word in {word for part in (*value.args, *said) for word in _words(part)}:
        yield _of(Effect.NEED, f"field {word}")


def _rename_index(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    model = _name(arguments.get("model_name"))
    for effect, key in ((Effect.DROP, "old_name"), (Effect.MAKE, "new_name")):
        if key in arguments:
            name = _name(arguments[key])
            yield _of(effect, f"index {name}")
            yield _in_schema(effect, f"index {name}", f"{app}.{model}.{name}")


def _remove_index(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    model, name = _name(arguments.get("model_name")), _name(arguments.get("name"))
    yield _of(Effect.DROP, f"index {name}")
    yield _in_schema(Effect.DROP, f"index {name}", f"{app}.{model}.{name}")


def _together(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    for option in ("unique_together", "index_together"):
        if option in arguments:
            yield _of(Effect.SET, f"option {option}", ast.dump(arguments[option]))
            for word in _words(arguments[option]):
                yield _of(Effect.NEED, f"field {word}")


def _setter(option: str) -> _Reader:
    def read(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
        value = ", ".join(ast.dump(arguments[name]) for name in sorted(arguments) if name != "name")
        yield _of(Effect.SET, f"option {option}", value)

    return read


def _single(effect: Effect, sort: str) -> _Reader:
    def read(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
        value = "" if effect is Effect.DROP else ast.dump(arguments.get("constraint", ast.Pass()))
        yield _of(effect, f"{sort} {_name(arguments.get('name'))}", value)

    return read


def _delete_model(app: str, arguments: Mapping[str, ast.expr]) -> Iterator[_Found]:
    name = _name(arguments.get("name"))
    yield _of(Effect.DROP, "")
    yield _in_schema(Effect.DROP, f"table {app}_{name}", f"{app}.{name}")


_READERS: Mapping[str, _Reader] = {
    "CreateModel": _create_model,
    "DeleteModel": _delete_model,
    "RenameModel": _rename_model,
    "AlterModelTable": _alter_table,
    "AlterModelTableComment": _setter("comment"),
    "AlterUniqueTogether": _together,
    "AlterIndexTogether": _together,
    "AlterOrderWithRespectTo": _setter("order"),
    "AlterModelOptions": _setter("options"),
    "AlterModelManagers": _setter("managers"),
    "AddIndex": _add_index,
    "RemoveIndex": _remove_index,
    "RenameIndex": _rename_index,
    "AddConstraint": _add_index,
    "RemoveConstraint": _remove_index,
    "ValidateConstraint": _single(Effect.NEED, "index"),
    "AlterConstraint": _single(Effect.SET, "index"),
    "AddField": _add_field,
    "RemoveField": _remove_field,
    "AlterField": _alter_field,
    "RenameField": _rename_field,
}


def _targets(app: str, node: ast.expr) -> Iterator[_Found]:
    """Yield the models that fields, or bases, refer to."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and _is_relation(call):
            named = [keyword.value for keyword in call.keywords if keyword.arg in ("to", "through")]
            to_field = _keyword(call, "to_field")
            for value in (*call.args[:1], *named):
                target = _model_named(app, value)
                if target is not None:
                    yield Effect.NEED, target, "", "", False
                    if to_field is not None:
                        yield Effect.NEED, target, f"field {_name(to_field)}", "", False
    for target in _bases_of(app, node):
        yield Effect.NEED, target, "", "", False


def _is_relation(call: ast.Call) -> bool:
    return kind_of(call).endswith(
        ("ForeignKey", "OneToOneField", "ManyToManyField", "Field", "Key")
    )


def _model_named(app: str, node: ast.expr) -> Model | None:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return None
    if not re.fullmatch(r"(\w+\.)?[A-Za-z_]\w*", node.value) or node.value == "self":
        return None
    label, _, name = node.value.rpartition(".")
    return (label or app).lower(), name.lower()


def _may_be_left_out(node: ast.expr | None) -> bool:
    """Return whether a row can be inserted that does not name the field."""
    if not isinstance(node, ast.Call):
        return False
    if kind_of(node).endswith(("ManyToManyField", "TaggableManager")):
        return True
    for keyword in node.keywords:
        if keyword.arg == "null" and isinstance(keyword.value, ast.Constant):
            return bool(keyword.value.value)
        if keyword.arg == "db_default":
            return True
    return False


def _words(node: ast.AST) -> set[str]:
    """Return the words of all strings and names in `node`, in lower case."""
    found: set[str] = set()
    for part in ast.walk(node):
        texts: tuple[object, ...] = ()
        if isinstance(part, ast.Constant):
            texts = (part.value,)
        elif isinstance(part, ast.Name):
            texts = (part.id,)
        elif isinstance(part, ast.Attribute):
            texts = (part.attr,)
        elif isinstance(part, ast.keyword):
            texts = (part.arg,)
        for text in texts:
            if isinstance(text, str):
                found.update(re.findall(r"[a-z0-9]+(?:_[a-z0-9]+)*", text.lower()))
                found.update(text.lower().split("__"))
    return found


# --- Code ----------------------------------------------------------------------------------------

_INSERTS = frozenset({"create", "get_or_create", "update_or_create", "bulk_create"})
_SAVES = frozenset({"save", "bulk_update"})
_WRITES = _INSERTS | _SAVES | {"add", "set", "update", "delete", "remove", "clear"}
_MANAGERS = frozenset({"objects", "_default_manager", "_base_manager", "all_objects"})
_SQL_CALLS = frozenset({"execute", "executemany", "executescript", "raw", "extra", "RawSQL"})
_ESCAPES = frozenset(
    {"call_command", "get_models", "get_app_config", "get_app_configs", "getattr", "exec", "eval"}
    | {"import_module", "import_string", "__import__", "setattr", "globals", "create_permissions"}
)
# Modules that reach no database by themselves.
_SAFE_MODULES = frozenset(
    {"django", "__future__", "collections", "contextlib", "copy", "datetime", "decimal", "enum"}
    | {"functools", "hashlib", "itertools", "json", "logging", "math", "operator", "os", "pathlib"}
    | {"random", "re", "secrets", "six", "string", "sys", "textwrap", "time", "typing", "tqdm"}
    | {"unicodedata", "urllib", "uuid", "warnings", "structlog", "pytz", "zoneinfo", "dateutil"}
    | {"base64", "statistics", "types", "dataclasses", "html", "ast", "struct", "zlib"}
)


def _python(node: ast.expr | None, listed: Listed) -> Code:
    if isinstance(node, ast.Name):
        node = listed.constants.get(node.id, node)
    if node is None or (isinstance(node, ast.Attribute) and node.attr == "noop"):
        return Code("RunPython", frozenset())
    if isinstance(node, ast.Lambda):
        return _Function("a lambda", listed).read(node)
    if isinstance(node, ast.Name):
        definition = _functions(listed).get(node.id)
        if definition is None:
            where = "in another file" if listed.is_whole else "written for another Python"
            said = f"RunPython({node.id})"
            return Code(said, None, reason=f"the function of {said} is {where}")
        return _Function(node.id, listed).read(definition)
    said = f"RunPython({ast.unparse(node)})"
    return Code(said, None, reason=f"the function of {said} is not in the file")


def _functions(listed: Listed) -> dict[str, ast.AST]:
    return {
        statement.name: statement
        for statement in listed.module.body
        if isinstance(statement, ast.FunctionDef)
    }


class _Function:
    """A function, with what it calls in its file, as far as text tells what it does."""

    def __init__(self, name: str, listed: Listed) -> None:
        self.name = name
        self.listed = listed
        self.functions = _functions(listed)
        self.models: set[Model] = set()
        self.words: set[str] = set()
        self.problem = ""
        self.inserts = self.saves = False
        self.sql = False
        self.foreign = dict(_foreign_names(listed.module))

    def read(self, definition: ast.AST) -> Code:
        """Return what the function does."""
        seen: set[int] = set()
        pending = [definition]
        while pending:
            node = pending.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            # What an import inside the function brings counts as one of the file.
            self.foreign.update(_foreign_names(node))
            self.words |= _words(node)
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                    if part.id in self.functions:
                        pending.append(self.functions[part.id])
                    elif part.id in self.listed.constants:
                        pending.append(self.listed.constants[part.id])
                    elif part.id in self.foreign and not part.id.isupper():
                        self._fail(f"uses {part.id} of {self.foreign[part.id]}")
                elif isinstance(part, ast.Call):
                    self._call(part)
        said = f"RunPython({self.name})"
        if self.problem:
            return Code(said, None, reason=f"{said} {self.problem}")
        return Code(
            said,
            frozenset(self.models),
            frozenset(self.words),
            frozenset(self.words) if self.sql else frozenset(),
            self.inserts,
            self.saves,
        )

    def _fail(self, problem: str) -> None:
        self.problem = self.problem or problem

    def _call(self, call: ast.Call) -> None:
        function = call.func
        name = function.attr if isinstance(function, ast.Attribute) else ""
        name = function.id if isinstance(function, ast.Name) else name
        if name == "get_model":
            self._get_model(call)
        elif name in _ESCAPES:
            self._fail(f"calls {name}()")
        elif name in _SQL_CALLS:
            self.sql = True
            if not call.args or not _is_written_out(call.args[0], self.listed.constants):
                self._fail(f"computes the SQL of {name}()")
        elif name in _WRITES:
            self.inserts |= name in _INSERTS
            self.saves |= name in _SAVES
            path = _attributes(function)
            if len(path) > 1 and not _MANAGERS & set(path):
                self._fail(f"calls {'.'.join(path)}() on what may be any model")
        elif name[:1].isupper() and isinstance(function, ast.Name):
            # A model's class, called, makes a row.
            self.inserts = True

    def _get_model(self, call: ast.Call) -> None:
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        texts = [
            value.value
            for value in (
                self.listed.constants.get(value.id, value) if isinstance(value, ast.Name) else value
                for value in values
            )
            if isinstance(value, ast.Constant) and isinstance(value.value, str)
        ]
        named = ".".join(texts).lower().split(".")
        if len(texts) != len(values) or len(named) != 2:
            self._fail(f"gets a model by {ast.unparse(call)}")
        else:
            self.models.add((named[0], named[1]))


def _attributes(node: ast.AST) -> list[str]:
    """Return the attributes of a chain of calls, from the name that it begins with."""
    found: list[str] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            found.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            break
    return found[::-1]


def _foreign_names(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that imports in `node` bind to what may do anything, and their modules."""
    for statement in ast.walk(node):
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                if not _is_safe(alias.name):
                    yield (alias.asname or alias.name).partition(".")[0], alias.name
        elif isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
            for alias in statement.names:
                if statement.level or not _is_safe(module):
                    yield alias.asname or alias.name, module


def _is_safe(module: str) -> bool:
    return module.partition(".")[0] in _SAFE_MODULES and ".management" not in module


def _is_written_out(node: ast.expr, constants: Mapping[str, ast.expr]) -> bool:
    if isinstance(node, ast.Name):
        node = constants.get(node.id, node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_written_out(node.left, constants) and _is_written_out(node.right, constants)
    if isinstance(node, ast.List | ast.Tuple):
        return all(
            _is_written_out(element, constants) or isinstance(element, ast.List | ast.Dict)
            for element in node.elts
        )
    return isinstance(node, ast.Constant)


# --- SQL -----------------------------------------------------------------------------------------

# What reaches further than the names in the statement.
_FAR_SQL = frozenset(
    {"call", "execute", "cascade", "schema", "database", "information_schema", "pg_class"}
    | {"pg_catalog", "pragma", "sqlite_master", "attach", "vacuum", "reindex"}
)
_TABLE = re.compile(
    r"\b(?:from|into|update|table|join|on|references|only|view)\s+"
    r"(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?"
    r"[\"`\[]?(\w+)[\"`\]]?(?:\s*\.\s*[\"`\[]?(\w+))?"
)


def _sql(node: ast.expr | None, listed: Listed) -> Code:
    if isinstance(node, ast.Name):
        node = listed.constants.get(node.id, node)
    if node is None or (isinstance(node, ast.Attribute) and node.attr == "noop"):
        return Code("RunSQL", frozenset())
    if not _is_written_out(node, listed.constants):
        return Code("RunSQL", None, reason="the SQL of a RunSQL is computed")
    texts = list(_strings(node, listed.constants))
    words = {word for text in texts for word in re.findall(r"\w+", text.lower())}
    far = sorted(words & _FAR_SQL)
    if far:
        return Code("RunSQL", None, reason=f"an SQL statement says {far[0].upper()}")
    tables = {
        second or first
        for text in texts
        for first, second in _TABLE.findall(" ".join(text.lower().split()))
    }
    return Code("RunSQL", frozenset(), frozenset(words), frozenset(tables | words))


def _strings(node: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and part.id in constants:
            yield from _strings(constants[part.id], {})


def _batched_update(app: str, arguments: Mapping[str, ast.expr], node: ast.Call) -> Code:
    first = arguments.get("model_name", node.args[0] if node.args else None)
    try:
        model = app, _name(first)
    except _ComputedError:
        return Code("BatchedUpdate", None, reason="the model of a BatchedUpdate is computed")
    return Code("BatchedUpdate", frozenset({model}), frozenset(_words(node)))
