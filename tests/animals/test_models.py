"""Animals, stays and registrations: the rules, in the database and in words."""

import datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from animals.models import Animal, IntakeType, PastStay, Registration, Role, Species, Status
from tests.factories import AnimalFactory, PastStayFactory, RegistrationFactory, UserFactory

pytestmark = pytest.mark.django_db


def refused_by_database(**values: Any) -> str:
    """Return the constraint that refuses an animal with `values`."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        AnimalFactory.create(**values)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "constraint", "message"),
    [
        ({"code": "A 1"}, "animal_code_form", "A code is made of letters, digits and hyphens"),
        ({"microchip": "12345"}, "animal_microchip_form", "A microchip number has 15 digits"),
        ({"species": "unicorn"}, "animal_species", "is not a valid choice"),
        ({"sex": "x"}, "animal_sex", "is not a valid choice"),
        ({"intake_type": "x"}, "animal_intake_type", "is not a valid choice"),
        (
            {"status": "x", "outcome_date": datetime.date(2026, 1, 1)},
            "animal_status",
            "is not a valid choice",
        ),
        (
            {"birth_date": datetime.date(2026, 1, 2)},
            "animal_birth_before_intake",
            "The date of birth is after the intake date.",
        ),
        (
            {"birth_date_estimated": True},
            "animal_estimate_of_a_birth_date",
            "There is no date of birth that could be an estimate.",
        ),
        (
            {"status": Status.ADOPTED, "outcome_date": datetime.date(2025, 12, 31)},
            "animal_outcome_after_intake",
            "The outcome date is before the intake date.",
        ),
        (
            {"status": Status.ADOPTED},
            "animal_outcome_date_with_outcome",
            "An outcome date goes with an outcome: set both, or neither.",
        ),
        (
            {"outcome_date": datetime.date(2026, 1, 1)},
            "animal_outcome_date_with_outcome",
            "An outcome date goes with an outcome: set both, or neither.",
        ),
    ],
)
def test_each_rule_of_an_animal_holds_in_the_database_and_in_words(
    values: dict[str, Any], constraint: str, message: str
) -> None:
    assert constraint in refused_by_database(**values)
    with pytest.raises(ValidationError) as caught:
        AnimalFactory.build(**values).full_clean()
    assert message in str(caught.value)
    assert not Animal.objects.exists()


def test_a_code_is_kept_upper_case_and_found_as_typed() -> None:
    animal = AnimalFactory.create(code=" a693708 ")
    assert animal.code == "A693708"
    assert Animal.objects.get(code="a693708") == animal
    assert "animals_animal.code" in refused_by_database(code="A693708") or "code" in str(
        refused_by_database(code="a693708")
    )


def test_a_microchip_is_kept_without_spaces_and_hyphens_and_none_is_null() -> None:
    animal = AnimalFactory.create(microchip="985-112 003 456789")
    assert animal.microchip == "985112003456789"
    assert Animal.objects.get(microchip="985 112 003 456 789") == animal
    assert AnimalFactory.create(microchip=" - ").microchip is None
    assert AnimalFactory.create(microchip="").microchip is None


@pytest.mark.parametrize("chip", ["985112003456789", "123456789", "0a1b2c3d4e"])
def test_each_kind_of_microchip_number_is_taken(chip: str) -> None:
    assert AnimalFactory.create(microchip=chip).microchip == chip.upper()


def test_a_code_is_made_when_there_is_none() -> None:
    first = Animal.objects.create(species=Species.DOG)
    assert first.code == "S000001"
    AnimalFactory.create(code=f"S{first.pk + 2:06d}")
    third = Animal(species=Species.CAT)
    third.full_clean()
    assert third.code == f"S{first.pk + 3:06d}"
    third.save()
    assert Animal.objects.get(pk=third.pk).code == third.code


def test_two_who_make_the_same_code_at_once_both_save() -> None:
    first, second = Animal(species=Species.DOG), Animal(species=Species.CAT)
    first.full_clean()
    second.full_clean()
    assert first.code == second.code
    first.save()
    second.save()
    assert first.code != second.code


def test_a_code_somebody_typed_is_never_changed_to_save_it() -> None:
    AnimalFactory.create(code="S000001")
    with pytest.raises(IntegrityError), transaction.atomic():
        Animal(code="S000001", species=Species.DOG).save()


def test_an_integrity_error_that_is_not_the_codes_is_raised() -> None:
    AnimalFactory.create(microchip="985112003456789")
    with pytest.raises(IntegrityError), transaction.atomic():
        Animal(species=Species.DOG, microchip="985112003456789").save()


def test_days_in_care_count_to_the_outcome() -> None:
    assert AnimalFactory.build(adopted=True).days_in_care == 31


def test_a_stay_is_ended_and_begun_again() -> None:
    animal = AnimalFactory.create()
    animal.end_stay(Status.RETURNED_TO_OWNER, datetime.date(2026, 1, 5))
    animal.save()
    with pytest.raises(ValidationError, match="is not in care: Returned to owner on 2026-01-05"):
        animal.end_stay(Status.ADOPTED, datetime.date(2026, 1, 6))
    with pytest.raises(ValidationError, match="left on 2026-01-05, after 2026-01-04"):
        animal.take_in_again(IntakeType.STRAY, datetime.date(2026, 1, 4))

    past = animal.take_in_again(IntakeType.RETURN, datetime.date(2026, 3, 1))
    past.save()
    animal.save()

    animal.refresh_from_db()
    assert (animal.status, animal.outcome_date) == (Status.IN_CARE, None)
    assert (animal.intake_date, animal.intake_type) == (datetime.date(2026, 3, 1), "return")
    assert list(animal.past_stays.values_list("intake_date", "outcome_date", "outcome")) == [
        (datetime.date(2026, 1, 1), datetime.date(2026, 1, 5), "returned_to_owner")
    ]
    with pytest.raises(ValidationError, match="is in care since 2026-03-01 already"):
        animal.take_in_again(IntakeType.RETURN, datetime.date(2026, 3, 2))


def test_a_stay_cannot_end_before_it_began_or_without_an_outcome() -> None:
    animal = AnimalFactory.build()
    with pytest.raises(ValidationError, match="came in on 2026-01-01, after 2025-12-31"):
        animal.end_stay(Status.ADOPTED, datetime.date(2025, 12, 31))
    with pytest.raises(ValueError, match="is not an outcome"):
        animal.end_stay(Status.IN_CARE, datetime.date(2026, 1, 2))


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"intake_type": "x"}, "paststay_intake_type"),
        ({"outcome": "in_care"}, "paststay_outcome"),
        ({"outcome_date": datetime.date(2024, 12, 31)}, "paststay_outcome_after_intake"),
        ({"outcome": ""}, "paststay_outcome_date_with_outcome"),
        ({"outcome_date": None}, "paststay_outcome_date_with_outcome"),
    ],
)
def test_each_rule_of_a_past_stay_holds(values: dict[str, Any], constraint: str) -> None:
    animal = AnimalFactory.create()
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        PastStayFactory.create(animal=animal, **values)
    with pytest.raises(ValidationError):
        PastStayFactory.build(animal=animal, **values).full_clean()
    assert not PastStay.objects.exists()


@pytest.mark.parametrize("values", [{}, {"outcome": "", "outcome_date": None}])
def test_a_past_stay_is_recorded_once(values: dict[str, Any]) -> None:
    stay = PastStayFactory.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        PastStayFactory.create(animal=stay.animal, **values)


def test_one_open_registration_of_a_person_in_a_role() -> None:
    first = RegistrationFactory.create(role=Role.OWNER)
    again = RegistrationFactory.build(animal=first.animal, user=first.user, role=Role.OWNER)
    with pytest.raises(ValidationError, match=r"is registered with .* as owner already"):
        again.clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        again.save()
    first.ended_at = first.registered_at
    first.save()
    again.clean()
    again.save()
    assert Registration.objects.count() == 2


def test_one_open_foster_or_adopter_an_animal() -> None:
    first = RegistrationFactory.create(foster=True)
    other = RegistrationFactory.build(animal=first.animal, user=UserFactory.create())
    with pytest.raises(ValidationError, match=r"has a foster already: .*End that registration"):
        other.clean()
    with pytest.raises(IntegrityError), transaction.atomic():
        other.save()
    RegistrationFactory.create(animal=first.animal, role=Role.OWNER)
    RegistrationFactory.create(animal=first.animal, ended=True)


def test_a_registration_ends_after_it_begins_and_has_a_known_role() -> None:
    with pytest.raises(IntegrityError, match="registration_end_after_start"), transaction.atomic():
        RegistrationFactory.create(ended_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    with pytest.raises(IntegrityError, match="registration_role"), transaction.atomic():
        RegistrationFactory.create(role="friend")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A1", ["A1"]),
        ("a1", ["A1"]),
        ("985 112-003456789", ["A2"]),
        ("char", ["A1", "A2"]),
        ("  CHARLIE   b", ["A2"]),
        ("harlie", []),
        ("%", []),
        ("_har", []),
        ("\x00", ["A1", "A2", "A3"]),
    ],
)
def test_search_takes_a_code_a_microchip_or_the_beginning_of_a_name(
    text: str, found: list[str]
) -> None:
    AnimalFactory.create(code="A1", name="Charlie")
    AnimalFactory.create(code="A2", name="charlie Brown", microchip="985112003456789")
    AnimalFactory.create(code="A3", name="")
    results = Animal.objects.search(text)
    assert sorted(results.values_list("code", flat=True)) == found
