"""Animals in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Field, QuerySet
from django.forms import CheckboxInput
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import capfirst

from animals.export import csv_lines
from animals.forms import AnimalForm, RegistrationFormSet
from animals.models import Animal, IntakeType, PastStay, Registration, Status
from animals.querysets import AnimalQuerySet
from shelter.paginator import BoundedPaginator
from shelter.prefixes import SEARCH_LIMIT

# What an action changes at a time: each animal is locked, checked and noted in its history.
MOST_CHANGED_AT_ONCE = 1000


class NamedFields:
    """Mix into a TabularInline: each field has a name, for those who do not see its column's."""

    template = "admin/animals/tabular.html"

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Return the form's field, named."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None:
            name = capfirst(field.label)
            field.widget.attrs["aria-label"] = name
            parts = getattr(field.widget, "widgets", ())
            for widget, part in zip(parts, ("date", "time"), strict=False):
                widget.attrs["aria-label"] = f"{name}, {part}"
        return field

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return the formset, whose box to delete a row is named."""
        formset = super().get_formset(request, obj, **kwargs)  # type: ignore[misc]
        formset.deletion_widget = CheckboxInput({"aria-label": "Delete"})
        return formset


class RegistrationInline(NamedFields, admin.TabularInline[Registration, Any]):
    """Who is registered with an animal, or with which animals a person is registered."""

    model = Registration
    formset = RegistrationFormSet
    extra = 0
    fields: ClassVar[Any] = ("user", "role", "registered_at", "ended_at")
    autocomplete_fields: ClassVar[Any] = ("user",)
    ordering = ("-registered_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Registration]:
        return super().get_queryset(request).select_related("animal", "user")


class UserRegistrationInline(RegistrationInline):
    """The registrations of a person."""

    fields: ClassVar[Any] = ("animal", "role", "registered_at", "ended_at")
    autocomplete_fields: ClassVar[Any] = ("animal",)


class PastStayInline(NamedFields, admin.TabularInline[PastStay, Animal]):
    """The stays before the latest one."""

    model = PastStay
    extra = 0
    fields = ("intake_date", "intake_type", "outcome_date", "outcome", "notes")


class ConstraintsInWords:
    """Mix into a ModelAdmin: what two people do at the same instant ends in a message.

    The forms find what contradicts the saved rows; what is saved between their look and the insert
    is found by the database.
    """

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show or save, and explain what the database refused."""
        try:
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[misc,no-any-return]
        except IntegrityError:
            messages.error(
                request,
                "Somebody saved something at the same moment that contradicts this. "
                "Nothing of yours was saved: look at the page again, then repeat it.",
            )
            return HttpResponseRedirect(request.get_full_path())


@admin.register(Animal)
class AnimalAdmin(ConstraintsInWords, admin.ModelAdmin[Animal]):
    """The animals of the shelter."""

    form = AnimalForm
    inlines = (RegistrationInline, PastStayInline)
    list_display = (
        "code",
        "name",
        "species",
        "sex",
        "status",
        "location",
        "intake_date",
        "days_in_care",
    )
    # One filter each index serves; `animal_newest` and its like are in the model.
    list_filter = ("status", "species", "sex", "intake_type")
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    # Sorting by another column would sort the whole table.
    sortable_by = ("intake_date",)
    ordering = ("-intake_date", "-id")
    paginator = BoundedPaginator
    # What is searched is in get_search_results(); this shows the box.
    search_fields = ("code",)
    search_help_text = (
        "A code, a microchip number, or the beginning of a name. "
        f"At most {SEARCH_LIMIT:,} are found."
    )
    readonly_fields = ("registered_at", "updated_at")
    actions = ("mark_adopted", "mark_returned_to_owner", "take_in_again", "export_csv")
    fieldsets = (
        (None, {"fields": ("version", ("code", "name"), ("species", "breed"), "colour")}),
        ("About", {"fields": (("sex", "neutered"), ("birth_date", "birth_date_estimated"))}),
        (
            "Stay",
            {
                "fields": (
                    ("intake_date", "intake_type"),
                    ("status", "outcome_date"),
                    "location",
                )
            },
        ),
        ("Identification and notes", {"fields": ("microchip", "notes")}),
        ("Record", {"fields": (("registered_at", "updated_at"),)}),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Animal], search_term: str
    ) -> tuple[QuerySet[Animal], bool]:
        """Search by code, microchip or name, each by its index."""
        return cast("AnimalQuerySet", queryset).search(search_term), False

    @admin.action(description="Mark as adopted today", permissions=["change"])
    def mark_adopted(self, request: HttpRequest, queryset: QuerySet[Animal]) -> None:
        """End the stays with an adoption."""
        self._end_stays(request, queryset, Status.ADOPTED)

    @admin.action(description="Mark as returned to owner today", permissions=["change"])
    def mark_returned_to_owner(self, request: HttpRequest, queryset: QuerySet[Animal]) -> None:
        """End the stays with a return to the owner."""
        self._end_stays(request, queryset, Status.RETURNED_TO_OWNER)

    @admin.action(description="Take in again today", permissions=["change"])
    def take_in_again(self, request: HttpRequest, queryset: QuerySet[Animal]) -> None:
        """Begin a new stay of animals that had left."""

        def change(animal: Animal) -> None:
            animal.take_in_again(IntakeType.RETURN, timezone.localdate()).save()

        self._change_each(request, queryset, "Taken in again", change)

    def _end_stays(self, request: HttpRequest, queryset: QuerySet[Animal], outcome: Status) -> None:
        def change(animal: Animal) -> None:
            animal.end_stay(outcome, timezone.localdate())

        self._change_each(request, queryset, outcome.label, change)

    def _change_each(
        self,
        request: HttpRequest,
        queryset: QuerySet[Animal],
        done: str,
        change: Callable[[Animal], None],
    ) -> None:
        """Change, save and note each animal that can be; tell of each that cannot."""
        if queryset.order_by()[: MOST_CHANGED_AT_ONCE + 1].count() > MOST_CHANGED_AT_ONCE:
            messages.error(
                request,
                f"Nothing was changed: more than {MOST_CHANGED_AT_ONCE:,} animals are selected. "
                "Filter or select fewer.",
            )
            return
        changed = 0
        with transaction.atomic():
            for animal in queryset.select_for_update():
                try:
                    change(animal)
                except ValidationError as error:
                    messages.warning(request, " ".join(error.messages))
                    continue
                animal.save()
                self.log_change(request, animal, f"{done}.")
                changed += 1
        if changed:
            messages.success(request, f"{done}: {changed} animal{'s' if changed != 1 else ''}.")

    @admin.action(description="Export as CSV", permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Animal]) -> StreamingHttpResponse:
        """Send the animals as a CSV file."""
        name = f"animals-{timezone.localdate()}.csv"
        return StreamingHttpResponse(
            csv_lines(queryset.iterator(chunk_size=2000)),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )
