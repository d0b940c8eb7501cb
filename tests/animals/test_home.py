"""The admin's home: what staff look for first, and only for those who may see animals."""

import datetime
import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from animals import home as homes
from animals.home import home
from tests.animals.test_admin import LIST, as_
from tests.factories import AnimalFactory

pytestmark = pytest.mark.django_db

HOME = reverse("admin:index")


def animals_at(client: Client, query: str) -> list[str]:
    """Return the codes in the list that a link of the home page leads to."""
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return sorted(animal.code for animal in response.context["cl"].result_list)


def test_each_number_is_that_of_the_list_behind_it() -> None:
    today = timezone.localdate()
    first = today.replace(day=1)
    before = first - datetime.timedelta(days=1)
    AnimalFactory.create(code="A1", species="dog", intake_date=before)
    AnimalFactory.create(code="A2", species="dog", intake_date=today)
    AnimalFactory.create(code="A3", species="cat", intake_date=first)
    AnimalFactory.create(
        code="A4", species="cat", intake_date=before, status="adopted", outcome_date=today
    )
    AnimalFactory.create(
        code="A5", species="cat", intake_date=before, status="adopted", outcome_date=before
    )
    client = as_(volunteer=True)
    seen = home()
    assert (seen.in_care, seen.is_more) == (3, False)
    assert [(bar.label, bar.count, bar.share) for bar in seen.species] == [
        ("Dog", 2, 100),
        ("Cat", 1, 50),
    ]
    assert [animals_at(client, bar.query) for bar in seen.species] == [["A1", "A2"], ["A3"]]
    assert (seen.intakes.count, animals_at(client, seen.intakes.query)) == (2, ["A2", "A3"])
    assert (seen.outcomes.count, animals_at(client, seen.outcomes.query)) == (1, ["A4"])
    assert sum(day.count for day in seen.intakes.days) == 2
    assert seen.outcomes.days[today.day - 1].count == 1
    assert [animal.code for animal, _ in seen.longest] == ["A1", "A3", "A2"]
    page = client.get(HOME).content.decode()
    for query in re.findall(rf'href="{LIST}\?([^"]+)"', page):
        assert animals_at(client, query.replace("&amp;", "&")), query
    assert "Dog" in page


def test_an_empty_shelter_has_a_home_too() -> None:
    page = as_(staff=True).get(HOME).content.decode()
    assert "The kennels are empty." in page
    assert "Nobody waits." in page


def test_who_may_not_see_animals_sees_no_number() -> None:
    AnimalFactory.create(code="A1")
    response = as_(is_staff=True).get(HOME)
    assert response.status_code == 200
    assert 'class="home' not in response.content.decode()


def test_no_more_is_counted_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "MOST_COUNTED", 2)
    for _ in range(3):
        AnimalFactory.create(intake_date=timezone.localdate())
    seen = home()
    assert (seen.in_care, seen.is_more, seen.species) == (2, True, ())
    assert (seen.intakes.count, seen.intakes.is_more, seen.intakes.days) == (2, True, ())
    assert (seen.outcomes.count, seen.outcomes.is_more) == (0, False)


def test_its_queries_are_few(django_assert_num_queries: object) -> None:
    AnimalFactory.create()
    with django_assert_num_queries(7):  # type: ignore[operator]
        home()


def test_the_shelters_own_site_has_the_page_of_migrations() -> None:
    page = reverse("admin:versioning_ledgerentry_changelist")
    assert as_(staff=True).get(page).status_code == 403
    assert Client().get(page).status_code == 302
    response = as_(is_staff=True, is_superuser=True).get(page)
    assert response.status_code == 200
    assert [drawing.app for drawing in response.context["cl"].overview.drawings][:1] == ["accounts"]
