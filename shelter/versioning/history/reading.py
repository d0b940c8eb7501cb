"""One migration file, read as text.

`read_migration` finds what places a migration in the graph; `read_operations` what it does. Both
parse the file and execute nothing of it. What only running the code could tell is reported, with
its line, and never guessed.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from shelter.versioning.history.describing import describe, kind_of
from shelter.versioning.history.migration import (
    FIRST,
    Key,
    Migration,
    Operation,
    Unreadable,
)
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES

_Changes = Callable[[ast.AST], str | None]

# South, which came before Django's migrations, has files of other classes in folders of one name.
_SOUTH = re.compile(
    rb"^class Migration\((?:\w+\.)?(?:SchemaMigration|DataMigration)\):", re.MULTILINE
)

_LISTS = ("dependencies", "run_before", "replaces")


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one file: the migration, and what could not be told."""

    migration: Migration | None
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """A migration that another one names: in which list, and the literal that holds its name."""

    target: str
    key: Key
    literal: ast.expr


def read_entries(source: bytes) -> tuple[Entry, ...] | None:
    """Return what the lists of a migration name, with the places; None for no readable migration.

    Positions are those of `ast`: lines from 1, columns in bytes of UTF-8.
    """
    module, _ = _parsed(source)
    reader = None if module is None else _Reader(module)
    if reader is None or reader.definition is None:
        return None
    reader.read_class(reader.definition)
    return tuple(reader.entries)


def read_migration(source: bytes, app: str, name: str, path: str) -> Read:
    """Return the migration that `source` states, and the places that cannot be told.

    A file without a `Migration` class gives none. Of files of Python 2 (Django 1.7 to 1.11) that
    Python 3 cannot parse, the class alone is read.
    """

    def unreadable(line: int, reason: str) -> Unreadable:
        return Unreadable(app, name, path, line, reason)

    if len(source) > MAX_SOURCE_BYTES:
        return Read(None, (unreadable(1, f"The file has {len(source):,} bytes."),))
    module: ast.Module | None
    try:
        module = _parse(source)
    except (SyntaxError, ValueError) as error:
        module = _python2_class(source)
        if module is None:
            line = getattr(error, "lineno", None) or 1
            return Read(None, (unreadable(line, f"This is no Python: {_message(error)}."),))
    except (RecursionError, MemoryError):
        return Read(None, (unreadable(1, "The file is nested too deeply to be read."),))
    reader = _Reader(module)
    if reader.definition is None:
        return Read(None, (unreadable(reader.no_class_line, reader.no_class),))
    reader.read_class(reader.definition)
    return Read(
        Migration(
            app=app,
            name=name,
            path=path,
            line=reader.lines.get("dependencies", reader.definition.lineno),
            dependencies=tuple(reader.keys["dependencies"]),
            run_before=tuple(reader.keys["run_before"]),
            replaces=tuple(reader.keys["replaces"]),
            swappable=tuple(reader.swappable),
            initial=reader.initial,
        ),
        tuple(unreadable(line, reason) for line, reason in sorted(set(reader.problems))),
    )


def is_south(source: bytes) -> bool:
    """Return whether a file is a migration of South's, which Django's loader is not meant for."""
    return _SOUTH.search(source) is not None


def _parse(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        # Invalid escape sequences in old files are the file's own business.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _parsed(source: bytes) -> tuple[ast.Module | None, bool]:
    """Return the module, or the class `Migration` of a Python 2 file alone, and whether it is all.

    None for what is neither.
    """
    try:
        return _parse(source), True
    except (SyntaxError, ValueError):
        return _python2_class(source), False
    except (RecursionError, MemoryError):
        return None, False


def _message(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


@dataclass(slots=True)
class _Reader:
    """The class `Migration` of a module, its lists evaluated as far as they are literal."""

    module: ast.Module
    definition: ast.ClassDef | None = None
    no_class: str = "There is no class Migration in it."
    no_class_line: int = 1
    constants: dict[str, ast.expr] = field(default_factory=dict)
    keys: dict[str, list[Key]] = field(default_factory=lambda: {name: [] for name in _LISTS})
    lines: dict[str, int] = field(default_factory=dict)
    swappable: list[str] = field(default_factory=list)
    initial: bool | None = None
    problems: list[tuple[int, str]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        rebound: set[str] = set()
        for statement in self.module.body:
            if isinstance(statement, ast.ClassDef) and statement.name == "Migration":
                self.definition = statement
                continue
            for name, value in _bindings(statement):
                if name in self.constants or value is None:
                    rebound.add(name)
                else:
                    self.constants[name] = value
            if "Migration" in rebound or "Migration" in self.constants:
                self.definition = None
                self.no_class = "Migration is not a class statement at the top of the file."
                self.no_class_line = statement.lineno
        for name in rebound:
            self.constants.pop(name, None)

    def read_class(self, definition: ast.ClassDef) -> None:
        """Evaluate the lists, and note everything else that might change them."""
        self._inherit(definition)
        for statement in definition.body:
            target = _plain_target(statement)
            if target in _LISTS:
                self._read_list(target, statement)
            elif target == "initial":
                value = getattr(statement, "value", None)
                if isinstance(value, ast.Constant) and isinstance(value.value, bool | None):
                    self.initial = value.value
                else:
                    self._problem(statement, "initial is computed")
            else:
                self._note_changes(statement, _names_a_list)
        for statement in self.module.body:
            if statement is not definition:
                self._note_changes(statement, _changes_the_class)

    def _inherit(self, definition: ast.ClassDef) -> None:
        """Note a base class that may bring lists of its own, unless it is Django's."""
        for base in definition.bases:
            if ast.unparse(base) not in ("migrations.Migration", "Migration"):
                stated = {_plain_target(statement) for statement in definition.body}
                silent = [name for name in _LISTS if name not in stated]
                if "dependencies" in silent:
                    self._problem(base, f"dependencies may come from {ast.unparse(base)}")

    def _read_list(self, target: str, statement: ast.stmt) -> None:
        value = getattr(statement, "value", None)
        if value is None:
            return
        self.lines.setdefault(target, statement.lineno)
        if not isinstance(statement, ast.AugAssign):
            self.keys[target] = []
            if target == "dependencies":
                self.swappable = []
        for item in self._items(target, value):
            self._read_item(target, item)

    def _items(self, target: str, value: ast.expr, depth: int = 0) -> Iterator[ast.expr]:
        """Yield the elements of a list that is written out, in pieces or by a name."""
        if isinstance(value, ast.List | ast.Tuple):
            for element in value.elts:
                if isinstance(element, ast.Starred):
                    yield from self._items(target, element.value, depth + 1)
                else:
                    yield element
        elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add) and depth < 200:
            yield from self._items(target, value.left, depth + 1)
            yield from self._items(target, value.right, depth + 1)
        elif isinstance(value, ast.Name) and value.id in self.constants and depth < 200:
            yield from self._items(target, self.constants[value.id], depth + 1)
        else:
            self._problem(value, f"{target} is computed: {_shorten(value)}")

    def _read_item(self, target: str, item: ast.expr) -> None:
        if isinstance(item, ast.Name):
            item = self.constants.get(item.id, item)
        if isinstance(item, ast.Tuple | ast.List) and len(item.elts) == 2:
            app, name = (self._text(part) for part in item.elts)
            if app is not None and name is not None:
                self.keys[target].append((app, name))
                self.entries.append(Entry(target, (app, name), self._literal(item.elts[1])))
                return
        if isinstance(item, ast.Call) and _last_name(item.func) == "swappable_dependency":
            setting = self._swappable_argument(item)
            if setting is not None:
                return
        self._problem(item, f"an entry of {target} is computed: {_shorten(item)}")

    def _swappable_argument(self, call: ast.Call) -> str | None:
        """Record the app or the setting of a `swappable_dependency()` and return it."""
        argument = call.args[0] if len(call.args) == 1 else None
        if isinstance(argument, ast.Attribute) and _last_name(argument.value) == "settings":
            self.swappable.append(argument.attr)
            return argument.attr
        text = self._text(argument) if argument is not None else None
        if text is not None and "." in text:
            self.keys["dependencies"].append((text.split(".", 1)[0], FIRST))
        return text if text and "." in text else None

    def _literal(self, node: ast.expr) -> ast.expr:
        return self.constants.get(node.id, node) if isinstance(node, ast.Name) else node

    def _text(self, node: ast.expr) -> str | None:
        node = self._literal(node)
        return (
            node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
        )

    def _note_changes(self, statement: ast.stmt, changes: _Changes) -> None:
        for node in ast.walk(statement):
            name = changes(node)
            if name is not None:
                self._problem(node, f"{name} is changed by code: {_shorten(statement)}")

    def _problem(self, node: ast.AST, reason: str) -> None:
        self.problems.append((getattr(node, "lineno", 1), reason))


def _bindings(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the names that a statement of a module binds, and the value where there is one."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    yield node.id, statement.value if node is target else None
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id, statement.value
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield (alias.asname or alias.name).partition(".")[0], None
    elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name, None
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id, None
            elif isinstance(node, ast.ClassDef):
                yield node.name, None


def _plain_target(statement: ast.stmt) -> str | None:
    """Return the one name that `statement` assigns or adds to, if it is of that form."""
    target: ast.expr | None = None
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) or (
        isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add)
    ):
        target = statement.target
    return target.id if isinstance(target, ast.Name) else None


def _names_a_list(node: ast.AST) -> str | None:
    """Within the class, outside the assignments: any mention of a list may change it."""
    if isinstance(node, ast.Name) and node.id in _LISTS:
        return node.id
    return _changes_the_class(node)


def _changes_the_class(node: ast.AST) -> str | None:
    """Return the list that `node` reaches for through an attribute: `Migration.dependencies`."""
    if not isinstance(node, ast.Attribute) or node.attr not in _LISTS:
        return None
    owner = _last_name(node.value)
    return node.attr if owner in ("Migration", "self", "cls") else None


def _last_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _shorten(node: ast.AST, limit: int = 60) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


# --- Python 2 ----------------------------------------------------------------------------------

_CLASS_LINE = re.compile(rb"^class Migration\b", re.MULTILINE)
_NEXT_STATEMENT = re.compile(rb"^[^\s#)\]}]", re.MULTILINE)
_CLASS_MENTION = re.compile(rb"(?<![.\w])Migration\.")
_CONFLICT_MARKER = re.compile(rb"^(?:<<<<<<<|=======|>>>>>>>)", re.MULTILINE)


def _python2_class(source: bytes) -> ast.Module | None:
    """Return a module with the class `Migration` of a Python 2 file alone, or None.

    Beside the class stand functions with Python 2's `print` or `except X, e`; the class itself is
    Python 3 all the same, or else the file is not read. A merge that somebody left half-done is no
    Python 2.
    """
    source = source.replace(b"\r\n", b"\n")
    starts = list(_CLASS_LINE.finditer(source))
    if len(starts) != 1 or _CLASS_MENTION.search(source) or _CONFLICT_MARKER.search(source):
        return None
    start = starts[0].start()
    end = _NEXT_STATEMENT.search(source, starts[0].end())
    try:
        module = _parse(source[start : end.start() if end else len(source)])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    ast.increment_lineno(module, source.count(b"\n", 0, start))
    return module


# --- Operations ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """The `operations` of a file as they stand in it, each an expression of `module`.

    `constants` are the names of the module that are bound once, and what to. Of a file that is
    written for Python 2 the class alone is there, and it is not whole.
    """

    module: ast.Module
    operations: tuple[ast.expr, ...]
    constants: Mapping[str, ast.expr]
    is_whole: bool


def listed_operations(source: bytes) -> Listed | None:
    """Return what `source` lists as its operations; None where that cannot be read as text."""
    module, is_whole = _parsed(source)
    if module is None:
        return None
    reader = _Reader(module)
    if reader.definition is None:
        return None
    operations: list[ast.expr] = []
    for statement in reader.definition.body:
        value = getattr(statement, "value", None)
        if _plain_target(statement) != "operations" or value is None:
            continue
        if not isinstance(statement, ast.AugAssign):
            operations = []
        before = len(reader.problems)
        operations += reader._items("operations", value)
        if len(reader.problems) > before:
            return None
    return Listed(module, tuple(operations), reader.constants, is_whole)


def read_operations(source: bytes) -> tuple[Operation, ...] | None:
    """Return the operations that `source` lists, described in Django's words.

    None where the list cannot be read as text. An operation that is no class of Django's is
    described by its class's name and arguments, as Django's `Operation.describe()` does.
    """
    listed = listed_operations(source)
    if listed is None:
        return None
    return tuple(
        Operation(kind_of(item), describe(item), item.lineno) for item in listed.operations
    )
