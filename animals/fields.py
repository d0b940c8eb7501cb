"""Fields of an animal."""

import re
from typing import Any

from django.db import models

from shelter.fields import NormalisedMixin


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
