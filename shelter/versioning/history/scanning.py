"""One migration file, read by patterns: twenty times as quick as parsing it.

Files that `makemigrations` wrote have one form. A file that is of just that form, with nothing in
it that could mean something else, is read here; for any other one `scan` returns None, and
`reading` parses it. The tests hold both to the same answer.

A program that reads no other file than these imports nothing else of this package.
"""

from __future__ import annotations

import re

_TEXT = rb"""u?(?:"[ !#-&(-\[\]-~]*"|'[ !#-&(-\[\]-~]*')"""
_PAIR = rb"\(\s*" + _TEXT + rb"\s*,\s*" + _TEXT + rb"\s*,?\s*\)"
_SWAPPABLE = rb"migrations\.swappable_dependency\(\s*settings\.\w+\s*,?\s*\)"
_ENTRY = rb"(?:" + _PAIR + rb"|" + _SWAPPABLE + rb")"
_LIST = re.compile(
    rb"    \w+ = \[\s*((?:" + _ENTRY + rb"\s*,\s*)*(?:" + _ENTRY + rb"\s*)?)\][ \t]*$",
    re.MULTILINE,
)
_ENTRIES = re.compile(rb"\(\s*u?[\"']([^\"']*)[\"']\s*,\s*u?[\"']([^\"']*)[\"']|settings\.(\w+)")
_CLASS = re.compile(rb"^class Migration\(migrations\.Migration\):[ \t]*$", re.MULTILINE)
# What may stand between the class statement and a list: blank lines, comments, plain settings.
_PLAIN_LINES = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\n|    \w+ = [\w.]+(?:\(\))?[ \t]*\n)*")
_INITIAL = re.compile(rb"^    initial = (True|False)[ \t]*$", re.MULTILINE)
_INITIAL_SET = re.compile(rb"\binitial\s*[:=]")


Key = tuple[str, str]

Scanned = tuple[
    int, tuple[Key, ...], tuple[Key, ...], tuple[Key, ...], tuple[str, ...], bool | None
]
"""The fields of a `Migration` from `line` on, in order."""


def scan(source: bytes) -> Scanned | None:
    """Return what `source` states of its migration; None where only parsing it can tell.

    What stands outside the class and the lists is not looked at: a file that is no Python for
    something there is read all the same.
    """
    statement = _CLASS.search(source)
    if (
        statement is None
        # Once in the class statement, once in its base: whoever says it again may change it.
        or source.count(b"Migration") != 2
        or b"\r" in source
        or b"\f" in source
        or b"\0" in source
        or b"<<<<<<<" in source
        or not _is_utf8(source)
    ):
        return None
    keys: dict[bytes, tuple[Key, ...]] = {}
    swappable: tuple[str, ...] = ()
    line_start = statement.start()
    at = statement.end() + 1
    for begin, kind in sorted(
        (source.find(b"\n    " + word + b" = [", statement.end()) + 1, word)
        for word in _WORDS
        if word in source
    ):
        found = _LIST.match(source, begin) if begin else None
        if (
            found is None
            or source.count(kind) != 1
            or _PLAIN_LINES.fullmatch(source, at, begin) is None
        ):
            return None
        entries = _ENTRIES.findall(found[1])
        keys[kind] = tuple((a.decode(), n.decode()) for a, n, setting in entries if not setting)
        settings = tuple(setting.decode() for _, _, setting in entries if setting)
        if kind == b"dependencies":
            swappable, line_start = settings, begin
        elif settings:
            return None
        at = found.end() + 1
    plain = _PLAIN_LINES.match(source, at)
    before = source[: plain.end() if plain else at]
    if b'"""' in before or b"'''" in before or b"\\\n" in before:
        return None
    initial = _INITIAL.findall(before) if b"initial = " in before else []
    said = _INITIAL_SET.findall(source) if b"initial" in source else []
    if len(initial) > 1 or len(initial) != len(said):
        return None
    return (
        source.count(b"\n", 0, line_start) + 1,
        keys.get(b"dependencies", ()),
        keys.get(b"run_before", ()),
        keys.get(b"replaces", ()),
        swappable,
        initial[0] == b"True" if initial else None,
    )


def _is_utf8(source: bytes) -> bool:
    if source.isascii():
        return True
    try:
        source.decode()
    except UnicodeDecodeError:
        return False
    # PEP 263 lets the first two lines name another encoding.
    return b"coding" not in b"".join(source.splitlines()[:2])


_WORDS = (b"dependencies", b"run_before", b"replaces")
