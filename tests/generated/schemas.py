"""Models as values: changed at random, merged three-way, and written as `models.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hypothesis import strategies as st

# The models by app label and name.
Schema = Mapping[tuple[str, str], Mapping[str, str]]

APPS = ("keepers", "houses")
MODELS = ("Keeper", "House", "Dog")
FIELDS = ("a", "b", "c", "d")

KINDS = {
    "text": "models.TextField(null=True)",
    "char": "models.CharField(max_length=60, null=True)",
    "indexed": "models.CharField(max_length=60, null=True, db_index=True)",
    "number": "models.IntegerField(default=0)",
    "big": "models.BigIntegerField(default=0)",
    "flag": "models.BooleanField(default=False)",
    "keeper": 'models.ForeignKey("keepers.Keeper", models.SET_NULL, null=True, related_name="+")',
}
# What a field can be altered to without asking anyone for a default, and without losing anything.
ALTERED = {
    "text": ("char", "indexed"),
    "char": ("text", "indexed"),
    "indexed": ("text", "char"),
    "number": ("big",),
    "big": ("number",),
}
TARGET = ("keepers", "Keeper")

BASE: Schema = {TARGET: {"a": "text", "n": "number"}, ("houses", "House"): {"a": "char"}}


def source(schema: Schema, app: str) -> str:
    """Return the `models.py` of an app."""
    lines = ["from django.db import models", ""]
    for (label, model), fields in sorted(schema.items()):
        if label != app:
            continue
        lines += ["", f"class {model}(models.Model):"]
        lines += [f"    {name} = {KINDS[kind]}" for name, kind in sorted(fields.items())]
        lines += [f'    class Meta:\n        app_label = "{app}"', ""]
    return "\n".join(lines) + "\n"


@st.composite
def changes(draw: st.DrawFn, schema: Schema) -> Schema:
    """Draw a schema that differs from `schema` by one change a developer makes."""
    options: list[Schema] = []
    for key, fields in sorted(schema.items()):
        for name in FIELDS:
            if name not in fields:
                kinds = draw(st.sampled_from(sorted(KINDS)))
                options.append({**schema, key: {**fields, name: kinds}})
        for name, kind in sorted(fields.items()):
            options += [{**schema, key: {**fields, name: other}} for other in ALTERED.get(kind, ())]
            if len(fields) > 1:
                left = {other: kind for other, kind in fields.items() if other != name}
                options.append({**schema, key: left})
        if key != TARGET and len(schema) > 1:
            options.append({other: kept for other, kept in schema.items() if other != key})
    for app in APPS:
        for model in MODELS:
            if (app, model) not in schema:
                options.append(
                    {**schema, (app, model): {"a": draw(st.sampled_from(sorted(KINDS)))}}
                )
    return draw(st.sampled_from(options))


def merged(mine: Schema, theirs: Schema, touched_by_me: set[tuple[str, ...]]) -> Schema:
    """Return what a person makes of both sides whose own migrations come last.

    What I touched is as I left it, also where I put it back; all else is as theirs.
    """
    found = {}
    for key in sorted({*mine, *theirs}):
        fields = mine.get(key) if key in touched_by_me else theirs.get(key)
        if fields is not None:
            left = mine.get(key, {})
            changed = {at[2] for at in touched_by_me if at[:2] == key and len(at) == 3}
            kept = {name: kind for name, kind in fields.items() if name not in changed}
            found[key] = kept | {name: left[name] for name in changed if name in left}
    return found


def touched(base: Schema, side: Schema) -> set[tuple[str, ...]]:
    """Return what a side changed: (app, model) where one came or went, else with the field."""
    found: set[tuple[str, ...]] = set()
    for key in {*base, *side}:
        if key not in base or key not in side:
            found.add(key)
        else:
            found |= {(*key, name) for name, _ in set(base[key].items()) ^ set(side[key].items())}
    return found


def overlaps(one: set[tuple[str, ...]], two: set[tuple[str, ...]]) -> bool:
    """Return whether two sides changed one thing, or one a field of a model the other did."""
    return any(
        first[: len(second)] == second or second[: len(first)] == first
        for first in one
        for second in two
    )


def columns(schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the tables and columns of a schema, keys aside."""
    for (app, model), fields in schema.items():
        for name, kind in fields.items():
            yield f"{app}_{model.lower()}", f"{name}_id" if kind == "keeper" else name


def tables(schema: Schema) -> set[str]:
    """Return the tables of a schema."""
    return {table for table, _ in columns(schema)}
