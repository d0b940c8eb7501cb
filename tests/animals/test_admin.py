"""The admin of animals and registrations, as each kind of person meets it."""

import datetime
import html
import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from animals.admin import MOST_CHANGED_AT_ONCE
from animals.models import Animal, IntakeType, PastStay, Registration, Role, Sex, Species, Status
from animals.validators import validate_microchip
from shelter.paginator import COUNTED_ROWS
from shelter.prefixes import SEARCH_LIMIT
from tests.factories import AnimalFactory, PastStayFactory, RegistrationFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:animals_animal_changelist")
ADD = reverse("admin:animals_animal_add")


def as_(**traits: Any) -> Client:
    """Return a client that is logged in as a new person with `traits`."""
    client = Client()
    client.force_login(
        UserFactory.create(**traits), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


def change_url(animal: Animal) -> str:
    return reverse("admin:animals_animal_change", args=[animal.pk])


def form_data(client: Client, url: str, **changes: str) -> dict[str, str]:
    """Return what a browser would send from the form at `url`, with `changes`."""
    response = client.get(url)
    assert response.status_code == 200
    page = response.content.decode()
    data: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        name = attributes.get("name", "")
        if attributes.get("type") in ("submit", "search") or not name or "__prefix__" in name:
            continue
        if attributes.get("type") == "checkbox" and "checked" not in tag:
            continue
        data[name] = attributes.get("value", "")
    for name, body in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', page, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        if chosen or 'value=""' in body:
            data[name] = chosen[1] if chosen else ""
    for name, body in re.findall(
        r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.DOTALL
    ):
        data[name] = body.strip()
    return {n: v for n, v in data.items() if "__prefix__" not in n} | changes


def registration_row(number: int, **values: str) -> dict[str, str]:
    defaults = {
        "role": Role.ADOPTER.value,
        "registered_at_0": "2026-01-02",
        "registered_at_1": "12:00:00",
        "ended_at_0": "",
        "ended_at_1": "",
    }
    return {f"registrations-{number}-{name}": value for name, value in (defaults | values).items()}


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def errors_of(response: Any) -> list[str]:
    """Return all errors that a page shows on its forms."""
    return [
        html.unescape(text)
        for text in re.findall(r"<li>(.*?)</li>", "".join(map(str, response.context["errors"])))
    ]


# --- The list ----------------------------------------------------------------------------------


def test_the_list_shows_what_staff_look_for() -> None:
    AnimalFactory.create(
        code="A1", name="Rex", adopted=True, location="", intake_date=datetime.date(2026, 1, 1)
    )
    page = as_(staff=True).get(LIST).content.decode()
    cells = re.findall(r'class="field-([\w]+)[^"]*">(?:<a[^>]*>)?([^<]*)', page)
    assert cells == [
        ("code", "A1"),
        ("name", "Rex"),
        ("species", "Dog"),
        ("sex", "Female"),
        ("status", "Adopted"),
        ("location", "-"),
        ("intake_date", "Jan. 1, 2026"),
        ("days_in_care", "31"),
    ]


@pytest.mark.parametrize("text", ["a1", "985 112-003456789", "re"])
def test_the_search_box_takes_a_code_a_microchip_or_a_name(text: str) -> None:
    AnimalFactory.create(code="A1", name="Rex", microchip="985112003456789")
    AnimalFactory.create(code="A2", name="Max")
    response = as_(volunteer=True).get(LIST, {"q": text})
    assert [animal.code for animal in response.context["cl"].result_list] == ["A1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status__exact", Status.ADOPTED),
        ("species__exact", Species.CAT),
        ("sex__exact", Sex.MALE),
        ("intake_type__exact", IntakeType.RETURN),
    ],
)
def test_the_filters(name: str, value: str) -> None:
    AnimalFactory.create()
    AnimalFactory.create(
        code="B", cat=True, adopted=True, sex=Sex.MALE, intake_type=IntakeType.RETURN
    )
    response = as_(volunteer=True).get(LIST, {name: value})
    assert [animal.code for animal in response.context["cl"].result_list] == ["B"]


def test_a_long_list_says_that_there_is_more() -> None:
    AnimalFactory.create()
    Animal.objects.bulk_create(
        AnimalFactory.build(code=f"B{number}", name="Rex") for number in range(COUNTED_ROWS + 1)
    )
    client = as_(volunteer=True)
    response = client.get(LIST)
    assert response.context["cl"].result_count == COUNTED_ROWS
    page = " ".join(response.content.decode().split())
    assert "The first 10000 are listed, and there are more. Search or filter" in page
    assert client.get(LIST, {"p": COUNTED_ROWS // 50}).status_code == 200
    assert client.get(LIST, {"p": COUNTED_ROWS // 50 + 1}).status_code == 302
    assert "and there are more" not in client.get(LIST, {"q": "B1"}).content.decode()
    found = client.get(LIST, {"q": "re"})
    assert found.context["cl"].result_count == SEARCH_LIMIT
    assert "At most 1,000 are found." in found.content.decode()


# --- Saving ------------------------------------------------------------------------------------


def test_an_animal_is_added_with_a_code_made_for_it() -> None:
    client = as_(staff=True)
    data = form_data(client, ADD, species=Species.DOG, name="Rex")
    assert data["code"] == ""
    response = client.post(ADD, data, follow=True)
    animal = Animal.objects.get()
    assert animal.name == "Rex"
    assert re.fullmatch(r"S\d{6}", animal.code)
    assert messages_of(response)[0].startswith("The animal “<a href=")


def test_a_microchip_number_may_be_typed_as_it_is_printed() -> None:
    client = as_(staff=True)
    data = form_data(client, ADD, species=Species.DOG, microchip="985 112-003 456 789")
    page = client.get(ADD).content.decode()
    assert re.search('name="microchip"[^>]*maxlength="30"', page)
    client.post(ADD, data)
    assert Animal.objects.get().microchip == "985112003456789"


def test_the_rules_are_told_in_words() -> None:
    client = as_(staff=True)
    data = form_data(
        client, ADD, species=Species.DOG, intake_date="2026-01-01", birth_date="2026-01-02"
    )
    response = client.post(ADD, data | {"microchip": "12", "status": "adopted"})
    assert errors_of(response) == [
        str(validate_microchip.message),
        "The date of birth is after the intake date.",
        "An outcome date goes with an outcome: set both, or neither.",
    ]
    assert not Animal.objects.exists()


def test_a_stale_edit_is_refused_and_not_lost_and_saved_knowingly() -> None:
    animal = AnimalFactory.create(name="Rex", location="Kennel 1")
    mine, theirs = (
        as_(staff=True),
        as_(staff=True, email="ben@example.org", first_name="Ben", last_name="Poe"),
    )
    url = change_url(animal)
    my_form = form_data(mine, url, name="Max")
    assert theirs.post(url, form_data(theirs, url, location="Kennel 2")).status_code == 302

    response = mine.post(url, my_form)

    assert response.status_code == 200
    refused, *differences = errors_of(response)
    assert re.fullmatch(
        r"Ben Poe <ben@example\.org> saved this animal while you edited it \(.*\)\. "
        r"Your entries are below and are not saved yet\. Save again to keep yours\.",
        refused,
    )
    assert differences == [
        "Name: saved is “Rex”, yours is “Max”.",
        "Location: saved is “Kennel 2”, yours is “Kennel 1”.",
    ]
    animal.refresh_from_db()
    assert (animal.name, animal.location) == ("Rex", "Kennel 2")
    page = response.content.decode()
    assert 'name="name" value="Max"' in page

    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    assert mine.post(url, my_form | {"version": version[1]}).status_code == 302
    animal.refresh_from_db()
    assert (animal.name, animal.location) == ("Max", "Kennel 1")


def test_a_form_without_its_version_is_refused() -> None:
    animal = AnimalFactory.create(name="Rex")
    client = as_(staff=True)
    data = form_data(client, change_url(animal), name="Max")
    del data["version"]
    assert client.post(change_url(animal), data).status_code == 200
    animal.refresh_from_db()
    assert animal.name == "Rex"


def test_an_animal_deleted_meanwhile_is_told() -> None:
    animal = AnimalFactory.create()
    client = as_(staff=True)
    url = change_url(animal)
    data = form_data(client, url)
    animal.delete()
    response = client.post(url, data, follow=True)
    assert messages_of(response)[0].endswith("exist. Perhaps it was deleted?")


# --- Registrations -----------------------------------------------------------------------------


def test_a_user_is_registered_to_an_animal() -> None:
    animal, user, client = AnimalFactory.create(), UserFactory.create(), as_(staff=True)
    data = form_data(client, change_url(animal))
    data |= registration_row(0, user=str(user.pk)) | {"registrations-TOTAL_FORMS": "1"}
    assert client.post(change_url(animal), data).status_code == 302
    registration = Registration.objects.get()
    assert (registration.animal, registration.user, registration.role) == (animal, user, "adopter")


@pytest.mark.parametrize("parent", ["animal", "user"])
def test_a_duplicate_registration_is_a_form_error(parent: str) -> None:
    first = RegistrationFactory.create(role=Role.OWNER)
    url = reverse(
        f"admin:{'animals_animal' if parent == 'animal' else 'accounts_user'}_change",
        args=[getattr(first, f"{parent}_id")],
    )
    other = "user" if parent == "animal" else "animal"
    client = as_(superuser=True)
    data = form_data(client, url)
    data |= registration_row(1, role="owner", **{other: str(getattr(first, f"{other}_id"))})
    response = client.post(url, data | {"registrations-TOTAL_FORMS": "2"})
    assert response.status_code == 200
    assert errors_of(response) == [
        f"{first.user} is registered with {first.animal} as owner already."
    ]
    assert Registration.objects.count() == 1


@pytest.mark.parametrize("roles", [("owner", "owner"), ("foster", "adopter")])
def test_two_new_rows_that_exclude_each_other_are_a_form_error(roles: tuple[str, str]) -> None:
    animal, user, client = AnimalFactory.create(), UserFactory.create(), as_(staff=True)
    data = form_data(client, change_url(animal)) | {"registrations-TOTAL_FORMS": "2"}
    for number, role in enumerate(roles):
        data |= registration_row(number, user=str(user.pk), role=role)
    response = client.post(change_url(animal), data)
    assert response.status_code == 200
    [error] = errors_of(response)
    assert error.startswith("Another row here says the same, or makes somebody else the keeper")
    assert not Registration.objects.exists()


def test_one_registration_ends_as_the_next_begins() -> None:
    first = RegistrationFactory.create(foster=True)
    user, client, url = UserFactory.create(), as_(staff=True), change_url(first.animal)
    data = form_data(client, url) | {"registrations-TOTAL_FORMS": "2"}
    data |= {"registrations-0-ended_at_0": "2026-03-01", "registrations-0-ended_at_1": "12:00:00"}
    data |= registration_row(1, user=str(user.pk), registered_at_0="2026-03-01")
    assert client.post(url, data).status_code == 302
    assert list(Registration.objects.filter(ended_at=None).values_list("user", "role")) == [
        (user.pk, "adopter")
    ]


def test_what_the_database_refuses_at_the_last_instant_is_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = RegistrationFactory.create()
    monkeypatch.setattr(Registration, "clean", lambda self: None)
    user, client, url = UserFactory.create(), as_(staff=True), change_url(first.animal)
    data = form_data(client, url, name="Max") | {"registrations-TOTAL_FORMS": "2"}
    data |= registration_row(1, user=str(user.pk))
    monkeypatch.setattr("animals.forms.KEEPERS", ())
    response = client.post(url, data, follow=True)
    assert messages_of(response)[0].startswith("Somebody saved something at the same moment")
    assert Registration.objects.count() == 1
    assert Animal.objects.get().name != "Max"


def test_the_users_box_finds_people_and_no_select_lists_them_all() -> None:
    ana = UserFactory.create(email="ana@example.org")
    UserFactory.create(email="ben@example.org")
    client = as_(staff=True)
    found = client.get(
        reverse("admin:autocomplete"),
        {
            "term": "ANA@",
            "app_label": "animals",
            "model_name": "registration",
            "field_name": "user",
        },
    ).json()
    assert [result["id"] for result in found["results"]] == [str(ana.pk)]
    page = client.get(change_url(RegistrationFactory.create().animal)).content.decode()
    assert "ben@example.org" not in page


# --- Actions -----------------------------------------------------------------------------------


def act(client: Client, action: str, *animals: Animal) -> Any:
    return client.post(
        LIST, {"action": action, "_selected_action": [a.pk for a in animals]}, follow=True
    )


@pytest.mark.parametrize(
    ("action", "status", "done"),
    [
        ("mark_adopted", Status.ADOPTED, "Adopted"),
        ("mark_returned_to_owner", Status.RETURNED_TO_OWNER, "Returned to owner"),
    ],
)
def test_stays_are_ended_from_the_list(action: str, status: Status, done: str) -> None:
    animal, gone = AnimalFactory.create(), AnimalFactory.create(code="B", name="", adopted=True)
    response = act(as_(staff=True), action, animal, gone)
    assert messages_of(response) == [
        "B is not in care: Adopted on 2026-02-01.",
        f"{done}: 1 animal.",
    ]
    animal.refresh_from_db()
    assert (animal.status, animal.outcome_date) == (status, timezone.localdate())
    assert LogEntry.objects.get().change_message == f"{done}."
    gone.refresh_from_db()
    assert gone.outcome_date == datetime.date(2026, 2, 1)


def test_an_animal_is_taken_in_again() -> None:
    animal, here = AnimalFactory.create(adopted=True), AnimalFactory.create(code="B", name="")
    response = act(as_(staff=True), "take_in_again", animal, here)
    assert messages_of(response) == [
        "B is in care since 2026-01-01 already.",
        "Taken in again: 1 animal.",
    ]
    animal.refresh_from_db()
    assert (animal.status, animal.intake_type) == (Status.IN_CARE, IntakeType.RETURN)
    assert PastStay.objects.get().animal == animal


def test_an_action_on_very_many_animals_changes_none() -> None:
    Animal.objects.bulk_create(
        AnimalFactory.build(code=f"B{n}") for n in range(MOST_CHANGED_AT_ONCE + 1)
    )
    response = as_(staff=True).post(
        LIST,
        {
            "action": "mark_adopted",
            "select_across": "1",
            "_selected_action": [Animal.objects.values_list("pk", flat=True)[0]],
        },
        follow=True,
    )
    assert messages_of(response) == [
        "Nothing was changed: more than 1,000 animals are selected. Filter or select fewer."
    ]
    assert not Animal.objects.exclude(status=Status.IN_CARE).exists()


def test_the_history_tells_who_changed_what() -> None:
    animal, client = AnimalFactory.create(), as_(staff=True, email="ana@example.org")
    client.post(change_url(animal), form_data(client, change_url(animal), name="Max"))
    page = client.get(reverse("admin:animals_animal_history", args=[animal.pk])).content.decode()
    assert "Changed Name." in page
    assert "ana@example.org" in page


# --- Rights ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trait", "add", "change", "delete", "actions"),
    [
        ("volunteer", 403, False, 403, ["", "export_csv"]),
        (
            "staff",
            200,
            True,
            403,
            ["", "mark_adopted", "mark_returned_to_owner", "take_in_again", "export_csv"],
        ),
        (
            "manager",
            200,
            True,
            200,
            [
                "",
                "delete_selected",
                "mark_adopted",
                "mark_returned_to_owner",
                "take_in_again",
                "export_csv",
            ],
        ),
    ],
)
def test_what_each_group_may_do(
    trait: str, add: int, change: bool, delete: int, actions: list[str]
) -> None:
    animal = RegistrationFactory.create().animal
    PastStayFactory.create(animal=animal)
    client = as_(**{trait: True})
    assert client.get(ADD).status_code == add
    page = client.get(change_url(animal))
    assert page.status_code == 200
    assert page.context["has_change_permission"] is change
    assert (b'name="_save"' in page.content) is change
    url = reverse("admin:animals_animal_delete", args=[animal.pk])
    assert client.get(url).status_code == delete
    listed = client.get(LIST).content.decode()
    select = re.search(r'<select name="action".*?</select>', listed, re.DOTALL)
    assert select
    assert re.findall(r'<option value="([^"]*)"', select[0]) == actions


def test_a_volunteer_changes_nothing() -> None:
    animal, client = AnimalFactory.create(name="Rex"), as_(volunteer=True)
    assert client.post(change_url(animal), {"name": "Max"}).status_code == 403
    act(client, "mark_adopted", animal)
    animal.refresh_from_db()
    assert (animal.name, animal.status) == ("Rex", Status.IN_CARE)
    assert client.get(reverse("admin:accounts_user_changelist")).status_code == 403


def test_an_animal_with_registrations_is_not_deleted() -> None:
    animal, client = RegistrationFactory.create().animal, as_(manager=True)
    url = reverse("admin:animals_animal_delete", args=[animal.pk])
    client.post(url, {"post": "yes"})
    assert Animal.objects.filter(pk=animal.pk).exists()
