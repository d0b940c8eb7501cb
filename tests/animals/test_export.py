"""Export as CSV: exact bytes, and no formula for a spreadsheet to run."""

import datetime

import pytest
from django.test import Client
from django.urls import reverse

from animals.export import defused
from tests.factories import AnimalFactory, UserFactory

HEADER = (
    "code,name,species,breed,colour,sex,neutered,birth_date,birth_date_estimated,microchip,"
    "intake_date,intake_type,status,outcome_date,location,notes\r\n"
)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=CMD()", "'=CMD()"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a=1", "a=1"),
        (None, ""),
        (False, "False"),
    ],
)
def test_cells_are_defused(value: object, cell: str) -> None:
    assert defused(value) == cell


@pytest.mark.django_db
def test_the_file_holds_the_selected_animals() -> None:
    chosen = AnimalFactory.create(
        code="A1",
        name='=HYPERLINK("x"), y',
        microchip="985112003456789",
        birth_date=datetime.date(2020, 1, 1),
        notes="one\ntwo",
    )
    AnimalFactory.create(code="A2")
    client = Client()
    client.force_login(
        UserFactory.create(volunteer=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    response = client.post(
        reverse("admin:animals_animal_changelist"),
        {"action": "export_csv", "_selected_action": [chosen.pk]},
    )
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="animals-20')
    assert response.getvalue().decode() == (
        "\ufeff" + HEADER + 'A1,"\'=HYPERLINK(""x""), y",dog,,,female,,2020-01-01,False,'
        '985112003456789,2026-01-01,stray,in_care,,Kennel 1,"one\ntwo"\r\n'
    )
