"""Forms of animals and registrations in the admin."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.forms.models import BaseInlineFormSet
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format

from animals.models import KEEPERS, Animal, Registration


class AnimalForm(forms.ModelForm[Animal]):
    """An animal's form, which refuses to overwrite what somebody saved meanwhile.

    It carries the `updated_at` of the animal it was made of. Where the animal was saved since, the
    form says by whom and what is different, keeps what was typed, and takes on the new version: a
    second Save overwrites knowingly.
    """

    version = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Animal
        fields = (
            "code",
            "name",
            "species",
            "breed",
            "colour",
            "sex",
            "neutered",
            "birth_date",
            "birth_date_estimated",
            "microchip",
            "intake_date",
            "intake_type",
            "status",
            "outcome_date",
            "location",
            "notes",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["version"] = self.instance.updated_at.isoformat()

    def clean(self) -> dict[str, Any]:
        """Refuse a stale edit; the animal is locked from here to the end of the transaction."""
        super().clean()
        cleaned = self.cleaned_data
        if self.instance._state.adding:
            return cleaned
        now = Animal.objects.select_for_update().filter(pk=self.instance.pk).first()
        if now is None:
            raise ValidationError("Somebody deleted this animal meanwhile.", code="deleted")
        version = now.updated_at.isoformat()
        if cleaned.get("version") == version:
            return cleaned
        data = cast("QueryDict", self.data).copy()
        data[self.add_prefix("version")] = version
        self.data = data
        raise ValidationError(
            [
                f"{_who_saved(now)} {_SAVE_AGAIN}",
                *self._differences(now),
            ],
            code="stale",
        )

    def _differences(self, now: Animal) -> list[str]:
        """Return a line for each field that the saved animal and this form have differently."""
        lines = []
        for name, field in self.fields.items():
            if name == "version" or name not in self.cleaned_data:
                continue
            saved, typed = getattr(now, name), self.cleaned_data[name]
            if saved != typed:
                lines.append(f"{field.label}: saved is {_shown(saved)}, yours is {_shown(typed)}.")
        return lines


_SAVE_AGAIN = "Your entries are below and are not saved yet. Save again to keep yours."


def _who_saved(animal: Animal) -> str:
    entry = (
        LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(Animal), object_id=str(animal.pk)
        )
        .select_related("user")
        .first()
    )
    time = date_format(timezone.localtime(animal.updated_at), "DATETIME_FORMAT")
    return f"{entry.user if entry else 'Somebody'} saved this animal while you edited it ({time})."


def _shown(value: object) -> str:
    return "empty" if value in (None, "") else f"“{value}”"


class RegistrationFormSet(BaseInlineFormSet[Registration, Any, forms.ModelForm[Registration]]):
    """Registrations of one animal or of one user, checked against each other.

    The model checks each against the database. What is submitted together is seen here only: two
    new ones that exclude each other, and one that begins as another ends.
    """

    def full_clean(self) -> None:
        """Tell each registration which others end in this submit, then validate."""
        if self.is_bound:
            ending = {form.instance.pk for form in self.initial_forms if self._ends(form)}
            for form in self.forms:
                form.instance.ending_too = ending
        super().full_clean()

    def _ends(self, form: forms.ModelForm[Registration]) -> bool:
        """Return whether a form that is not validated yet ends its registration."""
        widget = form.fields["ended_at"].widget
        typed = widget.value_from_datadict(form.data, form.files, form.add_prefix("ended_at"))
        return any(typed) if isinstance(typed, list) else bool(typed)

    def clean(self) -> None:
        """Refuse open registrations that exclude each other."""
        super().clean()
        seen: set[tuple[object, ...]] = set()
        for form in self.forms:
            registration = form.instance
            if not form.has_changed() and registration._state.adding:
                continue
            if not form.is_valid() or registration.ended_at is not None:
                continue
            once: list[tuple[object, ...]] = [
                (registration.animal, registration.user_id, registration.role)
            ]
            if registration.role in KEEPERS:
                once.append((registration.animal, "keeper"))
            if any(key in seen for key in once):
                form.add_error(
                    None,
                    "Another row here says the same, or makes somebody else the keeper of "
                    "this animal: an animal has one open foster or adopter.",
                )
            seen.update(once)
