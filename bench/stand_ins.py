"""Stand-ins for what foreign migrations import, and for what Django no longer has."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from django.contrib.postgres import operations as postgres_operations
from django.db import migrations, models
from django.utils import encoding, translation

_KEPT = {"null", "blank", "default", "unique", "db_index", "primary_key", "db_column", "db_default"}

if TYPE_CHECKING:
    _TextField = models.TextField[Any, Any]
else:
    _TextField = models.TextField

# By these Django tells what a thing is.
_ASKED = {"contribute_to_class", "deconstruct", "resolve_expression"}


class StandInField(_TextField):
    """A column of text, whatever it was."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(**{name: value for name, value in kwargs.items() if name in _KEPT})


class _Empty:
    """What has every name and holds nothing."""

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__") or name in _ASKED:
            raise AttributeError(name)
        return Nothing()

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class Nothing(_Empty):
    """A function, or an object, that does nothing; as a decorator it gives what it gets."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if len(args) == 1 and not kwargs and callable(args[0]) else None


class Number(_Empty, int):
    """A constant: a length, a default, or a list of choices that is empty."""


class _Anything(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or name in _ASKED:
            raise AttributeError(name)
        return Number(100) if name.isupper() else Nothing()


class StandInModule(ModuleType):
    """A module that has every name."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _stand_in(name)
        setattr(self, name, made)
        return made


class _Inert:
    """An object of a class that is not here."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __call__(self, *args: Any) -> None:
        pass


_RELATIONS = {
    "ForeignKey": models.ForeignKey,
    "ParentalKey": models.ForeignKey,
    "OneToOneField": models.OneToOneField,
    "ManyToManyField": models.ManyToManyField,
    "TaggableManager": models.ManyToManyField,
}


def _stand_in(name: str) -> Any:
    for ending, relation in _RELATIONS.items():
        if name.endswith(ending):
            return relation
    for endings, base in ((("Field",), StandInField), (("Manager", "QuerySet"), models.Manager)):
        if name.endswith(endings):
            return type(name, (base,), {})
    if name.isupper():
        return Number(100)
    return _Anything(name, (_Inert,), {}) if name[:1].isupper() else Nothing()


def is_stand_in(base: object) -> bool:
    """Return whether a model's base is a class that is not here."""
    return isinstance(base, _Anything)


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def install() -> None:
    """Let whatever is not installed be imported, and old migrations be read by today's Django."""
    sys.meta_path.append(_Finder())
    for field in (models.ForeignKey, models.OneToOneField):
        _default_on_delete(field)
    for module, names in (
        (translation, ("ugettext_lazy", "ugettext", "ungettext_lazy")),
        (encoding, ("python_2_unicode_compatible", "smart_text", "force_text")),
    ):
        for name in names:
            setattr(module, name, _same)
    # In one transaction, which is rolled back.
    for concurrent, plain in (
        (postgres_operations.AddIndexConcurrently, migrations.AddIndex),
        (postgres_operations.RemoveIndexConcurrently, migrations.RemoveIndex),
    ):
        setattr(concurrent, "database_forwards", plain.database_forwards)  # noqa: B010


def _same(value: Any) -> Any:
    return value


def _default_on_delete(field: Any) -> None:
    made = field.__init__

    def init(self: Any, to: Any, on_delete: Any = models.CASCADE, *args: Any, **kw: Any) -> None:
        made(self, to, on_delete, *args, **kw)

    field.__init__ = init
