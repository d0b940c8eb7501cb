"""Animals, their earlier stays, and whom they are registered to."""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, router, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from animals.fields import CodeField, MicrochipField
from animals.querysets import AnimalQuerySet
from animals.validators import (
    CODE_PATTERN,
    MICROCHIP_PATTERN,
    validate_code,
    validate_microchip,
)
from shelter.prefixes import prefix_key


class Species(models.TextChoices):
    """The kinds that shelters tell apart."""

    DOG = "dog", "Dog"
    CAT = "cat", "Cat"
    RABBIT = "rabbit", "Rabbit"
    GUINEA_PIG = "guinea_pig", "Guinea pig"
    BIRD = "bird", "Bird"
    REPTILE = "reptile", "Reptile"
    AMPHIBIAN = "amphibian", "Amphibian"
    LIVESTOCK = "livestock", "Livestock"
    WILD = "wild", "Wild animal"
    OTHER = "other", "Other"


class Sex(models.TextChoices):
    """What is known of an animal's sex."""

    FEMALE = "female", "Female"
    MALE = "male", "Male"
    UNKNOWN = "unknown", "Unknown"


class IntakeType(models.TextChoices):
    """How an animal came in."""

    STRAY = "stray", "Stray"
    OWNER_SURRENDER = "owner_surrender", "Surrendered by its owner"
    RETURN = "return", "Returned after adoption"
    WILDLIFE = "wildlife", "Wildlife"
    SEIZED = "seized", "Seized or confiscated"
    QUARANTINE = "quarantine", "Quarantine"
    SAFE_KEEPING = "safe_keeping", "Safe keeping"
    TRAP_NEUTER_RETURN = "trap_neuter_return", "Trap, neuter, return"
    EUTHANASIA_REQUEST = "euthanasia_request", "Euthanasia requested"
    FOSTER = "foster", "Back from foster care"
    BORN_HERE = "born_here", "Born in the shelter"
    TRANSFER = "transfer", "Transferred in"
    OTHER = "other", "Other"


class Status(models.TextChoices):
    """Where an animal stands: in care, or the outcome of its stay."""

    IN_CARE = "in_care", "In care"
    ADOPTED = "adopted", "Adopted"
    FOSTERED = "fostered", "Fostered"
    RETURNED_TO_OWNER = "returned_to_owner", "Returned to owner"
    TRANSFERRED = "transferred", "Transferred"
    RELEASED = "released", "Released"
    DIED = "died", "Died"
    EUTHANISED = "euthanised", "Euthanised"
    MISSING = "missing", "Missing"
    OTHER_OUTCOME = "other_outcome", "Other outcome"


# Every status but one is an outcome, which ends the stay. Being fostered is one, as in the open
# data of public shelters: the animal has left the house, on a date.
OUTCOMES = tuple(status for status in Status if status is not Status.IN_CARE)


def _one_of(field: str, choices: type[models.TextChoices]) -> Q:
    return Q(**{f"{field}__in": sorted(choices.values)})


def _list_index(first: str, *others: str) -> models.Index:
    """Return an index for the list under the filter `first`.

    The columns of the other filters are in it too: where several filters leave few or no animals,
    the index alone is read to find that out, not each animal.
    """
    return models.Index(
        F(first),
        F("intake_date").desc(),
        F("id").desc(),
        *(F(other) for other in others),
        name=f"animal_by_{first}",
    )


class Animal(models.Model):
    """An animal and its latest stay; earlier stays are `PastStay` rows.

    Everything here about a stay (`intake_date`, `intake_type`, `status`, `outcome_date`) is of the
    latest one.
    """

    code = CodeField(
        max_length=20,
        unique=True,
        blank=True,
        validators=[validate_code],
        help_text="Leave empty to have one made.",
        error_messages={"unique": "There is an animal with this code already."},
    )
    name = models.CharField(max_length=100, blank=True)
    species = models.CharField(max_length=20, choices=Species)
    breed = models.CharField(max_length=100, blank=True)
    colour = models.CharField(max_length=100, blank=True)
    sex = models.CharField(max_length=10, choices=Sex, default=Sex.UNKNOWN)
    neutered = models.BooleanField(
        null=True, blank=True, help_text="Spayed or neutered; unknown when not said."
    )
    birth_date = models.DateField("date of birth", null=True, blank=True)
    birth_date_estimated = models.BooleanField("date of birth is an estimate", default=False)
    microchip = MicrochipField(
        max_length=15,
        null=True,
        blank=True,
        unique=True,
        validators=[validate_microchip],
        help_text="15 digits (ISO 11784), 9 digits, or 10 hexadecimal digits.",
        error_messages={"unique": "There is an animal with this microchip already."},
    )
    intake_date = models.DateField(default=timezone.localdate)
    intake_type = models.CharField(max_length=20, choices=IntakeType, default=IntakeType.STRAY)
    status = models.CharField(max_length=20, choices=Status, default=Status.IN_CARE)
    outcome_date = models.DateField(null=True, blank=True)
    location = models.CharField(
        max_length=100, blank=True, help_text="Kennel, room or foster home."
    )
    notes = models.TextField(blank=True)
    users = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Registration", related_name="animals"
    )
    # The database has a default too: code of the release before, still running while this one's
    # migrations are applied, adds rows without naming the column.
    registered_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AnimalQuerySet.as_manager()

    class Meta:
        ordering = ("-intake_date", "-id")
        constraints = (
            models.CheckConstraint(
                condition=Q(code__regex=CODE_PATTERN),
                name="animal_code_form",
                violation_error_message=str(validate_code.message),
            ),
            models.CheckConstraint(
                condition=Q(microchip__isnull=True) | Q(microchip__regex=MICROCHIP_PATTERN),
                name="animal_microchip_form",
                violation_error_message=str(validate_microchip.message),
            ),
            models.CheckConstraint(condition=_one_of("species", Species), name="animal_species"),
            models.CheckConstraint(condition=_one_of("sex", Sex), name="animal_sex"),
            models.CheckConstraint(
                condition=_one_of("intake_type", IntakeType), name="animal_intake_type"
            ),
            models.CheckConstraint(condition=_one_of("status", Status), name="animal_status"),
            models.CheckConstraint(
                condition=Q(birth_date__isnull=True) | Q(birth_date__lte=F("intake_date")),
                name="animal_birth_before_intake",
                violation_error_message="The date of birth is after the intake date.",
            ),
            models.CheckConstraint(
                condition=Q(birth_date__isnull=False) | Q(birth_date_estimated=False),
                name="animal_estimate_of_a_birth_date",
                violation_error_message="There is no date of birth that could be an estimate.",
            ),
            models.CheckConstraint(
                condition=Q(outcome_date__isnull=True) | Q(outcome_date__gte=F("intake_date")),
                name="animal_outcome_after_intake",
                violation_error_message="The outcome date is before the intake date.",
            ),
            models.CheckConstraint(
                condition=(
                    Q(outcome_date__isnull=True, status=Status.IN_CARE)
                    | (Q(outcome_date__isnull=False) & ~Q(status=Status.IN_CARE))
                ),
                name="animal_outcome_date_with_outcome",
                violation_error_message=(
                    "An outcome date goes with an outcome: set both, or neither."
                ),
            ),
        )
        # The lists of the admin: newest intake first, and so under each filter.
        indexes = (
            models.Index(F("intake_date").desc(), F("id").desc(), name="animal_newest"),
            *(
                _list_index(*columns)
                for columns in (
                    ("species", "status", "sex", "intake_type"),
                    ("status", "species", "sex", "intake_type"),
                    ("sex", "status", "species", "intake_type"),
                    ("intake_type", "status", "species", "sex"),
                )
            ),
            models.Index(prefix_key("name"), name="animal_name_prefix"),
            # Who left this month.
            models.Index(fields=["outcome_date"], name="animal_outcome_date"),
        )

    def __str__(self) -> str:
        return f"{self.code} {self.name}".rstrip()

    def clean(self) -> None:
        """Give the animal a code when it has none, so that validation sees the one to be saved."""
        if not self.code:
            self.code = self._next_code()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; an animal without a code gets the next free one, also when others save at once."""
        derived = self._state.adding and (
            not self.code or self.code == getattr(self, "_derived_code", None)
        )
        if not derived:
            super().save(*args, **kwargs)
            return
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        while True:
            self.code = self.code or self._next_code()
            try:
                with transaction.atomic(using=using):
                    super().save(*args, **kwargs)
            except IntegrityError:
                taken = type(self)._default_manager.using(using).filter(code=self.code).exists()
                if not taken:
                    raise
                self.code = ""
            else:
                return

    def _next_code(self) -> str:
        newest = type(self)._default_manager.order_by("-pk").values_list("pk", flat=True).first()
        number = (newest or 0) + 1
        while type(self)._default_manager.filter(code=f"S{number:06d}").exists():
            number += 1
        self._derived_code = f"S{number:06d}"
        return self._derived_code

    @property
    def is_in_care(self) -> bool:
        """Whether the latest stay goes on."""
        return self.status == Status.IN_CARE

    @property
    def days_in_care(self) -> int:
        """Whole days from the intake to the outcome, or to today while the stay goes on."""
        return ((self.outcome_date or timezone.localdate()) - self.intake_date).days

    def end_stay(self, outcome: Status, on: datetime.date) -> None:
        """Set the outcome of the stay, without saving.

        Raises ValidationError when the stay has ended already or began after `on`, and ValueError
        when `outcome` is no outcome.
        """
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is not an outcome.")
        if not self.is_in_care:
            raise ValidationError(
                f"{self} is not in care: {self.get_status_display()} on {self.outcome_date}."
            )
        if on < self.intake_date:
            raise ValidationError(f"{self} came in on {self.intake_date}, after {on}.")
        self.status, self.outcome_date = outcome, on

    def take_in_again(self, intake_type: IntakeType, on: datetime.date) -> PastStay:
        """Begin a new stay without saving, and return the one that ended, unsaved too.

        Save both in one transaction. Raises ValidationError while the animal is in care, or when
        its stay ended after `on`.
        """
        if self.is_in_care or self.outcome_date is None:
            raise ValidationError(f"{self} is in care since {self.intake_date} already.")
        if on < self.outcome_date:
            raise ValidationError(f"{self} left on {self.outcome_date}, after {on}.")
        past = PastStay(
            animal=self,
            intake_date=self.intake_date,
            intake_type=self.intake_type,
            outcome_date=self.outcome_date,
            outcome=self.status,
        )
        self.intake_date, self.intake_type = on, intake_type
        self.status, self.outcome_date = Status.IN_CARE, None
        return past


class PastStay(models.Model):
    """A stay before the latest; its outcome is empty where a source records intakes only."""

    animal = models.ForeignKey(Animal, on_delete=models.CASCADE, related_name="past_stays")
    intake_date = models.DateField()
    intake_type = models.CharField(max_length=20, choices=IntakeType)
    outcome_date = models.DateField(null=True, blank=True)
    outcome = models.CharField(
        max_length=20, choices=[(status.value, status.label) for status in OUTCOMES], blank=True
    )
    notes = models.TextField(blank=True)

    class Meta:
        ordering = ("-intake_date", "-id")
        constraints = (
            models.CheckConstraint(
                condition=_one_of("intake_type", IntakeType), name="paststay_intake_type"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["", *sorted(OUTCOMES)]), name="paststay_outcome"
            ),
            models.CheckConstraint(
                condition=Q(outcome_date__isnull=True) | Q(outcome_date__gte=F("intake_date")),
                name="paststay_outcome_after_intake",
                violation_error_message="The outcome date is before the intake date.",
            ),
            models.CheckConstraint(
                condition=(
                    Q(outcome_date__isnull=True, outcome="")
                    | (Q(outcome_date__isnull=False) & ~Q(outcome=""))
                ),
                name="paststay_outcome_date_with_outcome",
                violation_error_message=(
                    "An outcome date goes with an outcome: set both, or neither."
                ),
            ),
            models.UniqueConstraint(
                fields=["animal", "intake_date", "intake_type", "outcome_date", "outcome"],
                name="paststay_once",
                violation_error_message="This stay is recorded already.",
            ),
            models.UniqueConstraint(
                fields=["animal", "intake_date", "intake_type"],
                condition=Q(outcome_date__isnull=True),
                name="paststay_without_outcome_once",
                violation_error_message="This stay is recorded already.",
            ),
        )

    def __str__(self) -> str:
        until = f"{self.outcome_date} ({self.get_outcome_display()})" if self.outcome else "unknown"
        return f"{self.intake_date} to {until}"


class Role(models.TextChoices):
    """What a person is to an animal."""

    REGISTRAR = "registrar", "Registrar"
    FOSTER = "foster", "Foster"
    ADOPTER = "adopter", "Adopter"
    OWNER = "owner", "Owner"


# An animal is at one home at a time.
KEEPERS = (Role.FOSTER, Role.ADOPTER)


class Registration(models.Model):
    """A user registered with an animal, since when, as what, and until when."""

    animal = models.ForeignKey(Animal, on_delete=models.PROTECT, related_name="registrations")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="registrations"
    )
    role = models.CharField(max_length=10, choices=Role, default=Role.ADOPTER)
    registered_at = models.DateTimeField(default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-registered_at", "-id")
        constraints = (
            models.CheckConstraint(condition=_one_of("role", Role), name="registration_role"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=F("registered_at")),
                name="registration_end_after_start",
                violation_error_message="The registration ends before it begins.",
            ),
            models.UniqueConstraint(
                fields=["animal", "user", "role"],
                condition=Q(ended_at__isnull=True),
                name="registration_open_once",
                violation_error_message=(
                    "This person is registered with this animal in this role already."
                ),
            ),
            models.UniqueConstraint(
                fields=["animal"],
                condition=Q(ended_at__isnull=True, role__in=sorted(KEEPERS)),
                name="registration_one_keeper",
                violation_error_message="This animal has a foster or adopter already.",
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} as {self.get_role_display().lower()} of {self.animal}"

    # Ids of registrations that end in the same submit as this one begins.
    ending_too: Collection[int] = ()

    def clean(self) -> None:
        """Refuse a second open registration that the unique constraints would refuse.

        Django 5.2 leaves out, in an inline's form, every constraint that names the parent (the
        form excludes that field), and the insert then ends in an IntegrityError.
        """
        if self.ended_at is not None or not hasattr(self, "animal"):
            return
        others = Registration.objects.filter(animal=self.animal_id, ended_at__isnull=True)
        others = others.exclude(pk__in=[self.pk or 0, *self.ending_too])
        if hasattr(self, "user") and others.filter(user=self.user_id, role=self.role).exists():
            raise ValidationError(
                "%(user)s is registered with %(animal)s as %(role)s already.",
                code="registration_open_once",
                params={
                    "user": self.user,
                    "animal": self.animal,
                    "role": self.get_role_display().lower(),
                },
            )
        if self.role in KEEPERS:
            keeper = others.filter(role__in=KEEPERS).select_related("user").first()
            if keeper is not None:
                raise ValidationError(
                    "%(animal)s has a %(role)s already: %(user)s. End that registration first.",
                    code="registration_one_keeper",
                    params={
                        "user": keeper.user,
                        "animal": self.animal,
                        "role": keeper.get_role_display().lower(),
                    },
                )
