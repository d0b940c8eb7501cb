"""Animals, their stays and their registrations."""

import datetime

import factory
from factory.django import DjangoModelFactory

from animals.models import (
    Animal,
    IntakeType,
    PastStay,
    Registration,
    Role,
    Sex,
    Species,
    Status,
)
from tests.factories.accounts import UserFactory


class AnimalFactory(DjangoModelFactory[Animal]):
    """A stray dog in care since the first of January 2026."""

    class Meta:
        model = Animal

    class Params:
        cat = factory.Trait(species=Species.CAT)
        chipped = factory.Trait(microchip=factory.Sequence(lambda n: f"9{n:014d}"))
        adopted = factory.Trait(
            status=Status.ADOPTED, outcome_date=datetime.date(2026, 2, 1), location=""
        )

    code = factory.Sequence(lambda n: f"A{n:06d}")
    name = factory.Faker("first_name")
    species = Species.DOG
    sex = Sex.FEMALE
    intake_date = datetime.date(2026, 1, 1)
    intake_type = IntakeType.STRAY
    location = "Kennel 1"


class PastStayFactory(DjangoModelFactory[PastStay]):
    """A stay of ten days, ended with an adoption."""

    class Meta:
        model = PastStay

    animal = factory.SubFactory(AnimalFactory)
    intake_date = datetime.date(2025, 1, 1)
    intake_type = IntakeType.STRAY
    outcome_date = datetime.date(2025, 1, 11)
    outcome = Status.ADOPTED


class RegistrationFactory(DjangoModelFactory[Registration]):
    """An open registration of an adopter."""

    class Meta:
        model = Registration

    class Params:
        foster = factory.Trait(role=Role.FOSTER)
        ended = factory.Trait(
            ended_at=factory.LazyAttribute(lambda o: o.registered_at + datetime.timedelta(days=1))
        )

    animal = factory.SubFactory(AnimalFactory)
    user = factory.SubFactory(UserFactory)
    role = Role.ADOPTER
    registered_at = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
