"""An operation in Django's own words, told from its text.

The words are those of each class's `describe()` in Django 5.2, which the tests hold them to.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

# The parameters of Django's operations, in order.
_PARAMETERS: Mapping[str, Sequence[str]] = {
    "CreateModel": ("name", "fields", "options", "bases", "managers"),
    "DeleteModel": ("name",),
    "RenameModel": ("old_name", "new_name"),
    "AlterModelTable": ("name", "table"),
    "AlterModelTableComment": ("name", "table_comment"),
    "AlterUniqueTogether": ("name", "unique_together"),
    "AlterIndexTogether": ("name", "index_together"),
    "AlterOrderWithRespectTo": ("name", "order_with_respect_to"),
    "AlterModelOptions": ("name", "options"),
    "AlterModelManagers": ("name", "managers"),
    "AddIndex": ("model_name", "index"),
    "RemoveIndex": ("model_name", "name"),
    "RenameIndex": ("model_name", "new_name", "old_name", "old_fields"),
    "AddConstraint": ("model_name", "constraint"),
    "RemoveConstraint": ("model_name", "name"),
    "AlterConstraint": ("model_name", "name", "constraint"),
    "AddField": ("model_name", "name", "field", "preserve_default"),
    "RemoveField": ("model_name", "name", "field"),
    "AlterField": ("model_name", "name", "field", "preserve_default"),
    "RenameField": ("model_name", "old_name", "new_name"),
    "SeparateDatabaseAndState": ("database_operations", "state_operations"),
    "RunSQL": ("sql", "reverse_sql", "state_operations", "hints", "elidable"),
    "RunPython": ("code", "reverse_code", "atomic", "hints", "elidable"),
}


def kind_of(node: ast.expr) -> str:
    """Return the name of the class that `node` calls, or the text of what else it is."""
    if isinstance(node, ast.Call):
        function = node.func
        return function.attr if isinstance(function, ast.Attribute) else ast.unparse(function)
    return ast.unparse(node)


def arguments_of(call: ast.Call) -> dict[str, ast.expr]:
    """Return what `call` gives each parameter of one of Django's operations.

    For another class only the arguments given by name are known.
    """
    names = _PARAMETERS.get(kind_of(call), ())
    given = dict(zip(names, call.args, strict=False))
    return given | {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}


def describe(node: ast.expr) -> str:
    """Return the operation that `node` makes in words.

    What is no class of Django's is described by its name and arguments, cut to one line.
    """
    if isinstance(node, ast.Call):
        words = _WORDS.get(kind_of(node))
        if words is not None:
            arguments = arguments_of(node)
            return words(lambda name: _text(arguments.get(name)), arguments)
        values = ", ".join(
            [_text(argument) for argument in node.args]
            + [f"{keyword.arg}={_text(keyword.value)}" for keyword in node.keywords]
        )
        return _one_line(f"{kind_of(node)}: ({values})")
    return _one_line(ast.unparse(node))


_Words = Callable[[Callable[[str], str], Mapping[str, ast.expr]], str]


def _create_model(text: Callable[[str], str], arguments: Mapping[str, ast.expr]) -> str:
    proxy = _entry(arguments.get("options"), "proxy")
    is_proxy = isinstance(proxy, ast.Constant) and bool(proxy.value)
    return f"Create {'proxy ' if is_proxy else ''}model {text('name')}"


def _add_index(text: Callable[[str], str], arguments: Mapping[str, ast.expr]) -> str:
    index = arguments.get("index")
    if not isinstance(index, ast.Call):
        return f"Create index {text('index')} on model {text('model_name')}"
    keywords = {keyword.arg: keyword.value for keyword in index.keywords if keyword.arg}
    name = _text(keywords.get("name"))
    if index.args:
        expressions = ", ".join(_one_line(ast.unparse(argument)) for argument in index.args)
        return f"Create index {name} on {expressions} on model {text('model_name')}"
    fields = ", ".join(_text(field) for field in _elements(keywords.get("fields")))
    return f"Create index {name} on field(s) {fields} of model {text('model_name')}"


def _rename_index(text: Callable[[str], str], arguments: Mapping[str, ast.expr]) -> str:
    if "old_name" in arguments:
        return f"Rename index {text('old_name')} on {text('model_name')} to {text('new_name')}"
    return (
        f"Rename unnamed index for {text('old_fields')} on {text('model_name')} "
        f"to {text('new_name')}"
    )


def _constraint(text: Callable[[str], str], arguments: Mapping[str, ast.expr]) -> str:
    constraint = arguments.get("constraint")
    keywords = constraint.keywords if isinstance(constraint, ast.Call) else []
    return next((_text(keyword.value) for keyword in keywords if keyword.arg == "name"), "?")


def _together(option: str) -> _Words:
    def words(text: Callable[[str], str], arguments: Mapping[str, ast.expr]) -> str:
        count = len(_elements(arguments.get(option)))
        return f"Alter {option} for {text('name')} ({count} constraint(s))"

    return words


def _table(text: Callable[[str], str], arguments: Mapping[str, ast.expr]) -> str:
    table = arguments.get("table")
    none = table is None or (isinstance(table, ast.Constant) and table.value is None)
    return f"Rename table for {text('name')} to {'(default)' if none else text('table')}"


_WORDS: Mapping[str, _Words] = {
    "CreateModel": _create_model,
    "DeleteModel": lambda text, _: f"Delete model {text('name')}",
    "RenameModel": lambda text, _: f"Rename model {text('old_name')} to {text('new_name')}",
    "AlterModelTable": _table,
    "AlterModelTableComment": lambda text, _: f"Alter {text('name')} table comment",
    "AlterUniqueTogether": _together("unique_together"),
    "AlterIndexTogether": _together("index_together"),
    "AlterOrderWithRespectTo": lambda text, _: (
        f"Set order_with_respect_to on {text('name')} to {text('order_with_respect_to')}"
    ),
    "AlterModelOptions": lambda text, _: f"Change Meta options on {text('name')}",
    "AlterModelManagers": lambda text, _: f"Change managers on {text('name')}",
    "AddIndex": _add_index,
    "RemoveIndex": lambda text, _: f"Remove index {text('name')} from {text('model_name')}",
    "RenameIndex": _rename_index,
    "AddConstraint": lambda text, arguments: (
        f"Create constraint {_constraint(text, arguments)} on model {text('model_name')}"
    ),
    "RemoveConstraint": lambda text, _: (
        f"Remove constraint {text('name')} from model {text('model_name')}"
    ),
    "AlterConstraint": lambda text, _: f"Alter constraint {text('name')} on {text('model_name')}",
    "AddField": lambda text, _: f"Add field {text('name')} to {text('model_name')}",
    "RemoveField": lambda text, _: f"Remove field {text('name')} from {text('model_name')}",
    "AlterField": lambda text, _: f"Alter field {text('name')} on {text('model_name')}",
    "RenameField": lambda text, _: (
        f"Rename field {text('old_name')} on {text('model_name')} to {text('new_name')}"
    ),
    "SeparateDatabaseAndState": lambda *_: "Custom state/database change combination",
    "RunSQL": lambda *_: "Raw SQL operation",
    "RunPython": lambda *_: "Raw Python operation",
}


def _text(node: ast.expr | None) -> str:
    if node is None:
        return "?"
    if isinstance(node, ast.Constant):
        return str(node.value)
    return _one_line(ast.unparse(node))


def _elements(node: ast.expr | None) -> list[ast.expr]:
    if isinstance(node, ast.Call) and len(node.args) == 1:
        node = node.args[0]
    return list(node.elts) if isinstance(node, ast.List | ast.Tuple | ast.Set) else []


def _entry(node: ast.expr | None, name: str) -> ast.expr | None:
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and key.value == name:
                return value
    return None


def _one_line(text: str, limit: int = 100) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
