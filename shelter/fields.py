"""Text fields that hold one normal form of what people type."""

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    TextField = models.CharField[Any, Any]
else:
    TextField = object


class NormalisedMixin(TextField):
    """Mix into a text field so that every way in stores `normalise(value)`.

    Forms and fixtures pass `to_python`, saving passes `pre_save`, and bulk writes and look-ups pass
    `get_prep_value`: a query by the value as typed finds the row as stored.
    """

    def normalise(self, value: str) -> str | None:
        """Return the one form of `value` that is stored."""
        raise NotImplementedError

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return self.normalise(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return self.normalise(value) if isinstance(value, str) else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value
