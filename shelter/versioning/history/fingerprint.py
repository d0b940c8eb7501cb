"""What tells one version of a migration's code from another."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterator

_PLACE = {"dependencies", "run_before", "replaces", "initial"}


def blob_id(content: bytes) -> str:
    """Return the id that git gives a blob of `content`, where its ids are of SHA-1."""
    # An address, and no defence: git's own choice of hash.
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def fingerprint(source: bytes) -> str | None:
    """Return 64 hexadecimal digits that stay the same as long as the migration does the same.

    Formatting, comments and docstrings do not count, nor what places the migration in the graph:
    a rebase, which repoints and renames it, leaves its fingerprint. None for what is no Python.
    """
    try:
        with warnings.catch_warnings():
            # Invalid escape sequences in old files are the file's own business.
            warnings.simplefilter("ignore")
            module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    try:
        text = "".join(_written(module))
    except RecursionError:
        return None
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _written(node: object) -> Iterator[str]:
    """Yield a syntax tree as text, the same in every version of Python.

    `ast.dump` is not: newer versions have fields that older ones lack, all of them empty here.
    """
    if isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            counting = _body(node, value) if name == "body" and isinstance(value, list) else value
            if counting not in (None, []):
                yield f" {name}="
                yield from _written(counting)
        yield ")"
    elif isinstance(node, list):
        yield "["
        for element in node:
            yield from _written(element)
        yield "]"
    else:
        yield repr(node)


def _body(node: ast.AST, statements: list[ast.stmt]) -> list[ast.stmt]:
    """Return a body without its docstring and without what places a migration in the graph."""
    if (
        isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node, clean=False) is not None
    ):
        statements = statements[1:]
    if isinstance(node, ast.ClassDef) and node.name == "Migration":
        statements = [statement for statement in statements if not _places(statement)]
    return statements


def _places(statement: ast.stmt) -> bool:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name in _PLACE
    return False
