"""Fields of an animal."""

import re
from typing import Any

from django.db import models

from shelter.fields import NormalisedMixin

# 15 digits, and a mark between each two.
_TYPED_LENGTH = 30


class CodeField(NormalisedMixin, models.CharField[Any, Any]):
    """An animal's code, kept upper case and without surrounding space."""

    def normalise(self, value: str) -> str:
        """Return `value` stripped and in upper case."""
        return value.strip().upper()


class MicrochipField(NormalisedMixin, models.CharField[Any, Any]):
    """A microchip number, kept without the spaces and hyphens it is printed with; none is NULL."""

    def normalise(self, value: str) -> str | None:
        """Return `value` upper case without white space and hyphens, None when nothing is left."""
        return re.sub(r"[\s-]+", "", value).upper() or None

    def formfield(self, **kwargs: Any) -> Any:
        """Return a form field that has room for the spaces and hyphens that are typed."""
        return super().formfield(**{"max_length": _TYPED_LENGTH, **kwargs})
