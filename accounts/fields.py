"""Fields of an account."""

from typing import Any

from django.db import models

from shelter.fields import NormalisedMixin


class LowercaseEmailField(NormalisedMixin, models.EmailField[Any, Any]):
    """An e-mail address, kept lower case and without surrounding space."""

    def normalise(self, value: str) -> str:
        """Return `value` stripped and in lower case."""
        return value.strip().lower()
