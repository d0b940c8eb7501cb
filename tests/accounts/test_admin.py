"""Nobody gains a right they were not given."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.factories import UserFactory
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db

ADD = reverse("admin:accounts_user_add")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def change_url(user: User) -> str:
    return reverse("admin:accounts_user_change", args=[user.pk])


def promoting(user: User) -> dict[str, Any]:
    """Return a form that would give `user` every right."""
    return {
        "email": user.email,
        "first_name": "Changed",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [Group.objects.get(name="Manager").pk],
        "user_permissions": [1, 2, 3],
        "registrations-TOTAL_FORMS": "0",
        "registrations-INITIAL_FORMS": "0",
    }


@pytest.mark.parametrize("trait", ["staff", "manager"])
def test_nobody_promotes_themselves(trait: str) -> None:
    user = UserFactory.create(**{trait: True})
    before = user.get_all_permissions()
    assert client_of(user).post(change_url(user), promoting(user)).status_code == 302
    user = User.objects.get(pk=user.pk)
    assert user.first_name == "Changed"
    assert (user.is_superuser, list(user.user_permissions.all())) == (False, [])
    assert user.get_all_permissions() == before


def test_nobody_makes_an_adopter_one_of_the_staff() -> None:
    adopter = UserFactory.create()
    manager = UserFactory.create(manager=True)
    assert client_of(manager).post(change_url(adopter), promoting(adopter)).status_code == 302
    adopter.refresh_from_db()
    assert (adopter.is_staff, adopter.is_superuser, adopter.groups.count()) == (False, False, 0)


@pytest.mark.parametrize(
    ("editor", "edited", "allowed"),
    [
        ("staff", {}, True),
        ("staff", {"volunteer": True}, True),
        ("staff", {"staff": True}, True),
        ("staff", {"manager": True}, False),
        ("staff", {"manager": True, "is_active": False}, False),
        ("staff", {"superuser": True}, False),
        ("manager", {"manager": True}, True),
        ("manager", {"superuser": True}, False),
        ("manager", {"superuser": True, "is_active": False}, False),
        ("superuser", {"superuser": True}, True),
    ],
)
def test_an_account_is_changed_only_by_who_has_its_rights(
    editor: str, edited: dict[str, Any], allowed: bool
) -> None:
    user = UserFactory.create(**edited)
    before = user.password
    client = client_of(UserFactory.create(**{editor: True}))
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    page = client.get(url)
    assert page.status_code == (200 if allowed else 403)
    new = "another correct horse"
    client.post(url, {"usable_password": "true", "password1": new, "password2": new})
    client.post(change_url(user), promoting(user))
    user.refresh_from_db()
    assert (user.password != before, user.first_name == "Changed") == (allowed, allowed)


def test_a_superuser_gives_rights() -> None:
    user = UserFactory.create()
    client = client_of(UserFactory.create(superuser=True))
    assert client.post(change_url(user), promoting(user)).status_code == 302
    user.refresh_from_db()
    assert (user.is_staff, user.is_superuser) == (True, True)


@pytest.mark.parametrize(
    ("password", "usable"), [(PASSWORD, True), ("", False)], ids=["password", "none"]
)
def test_staff_add_people(password: str, usable: bool) -> None:
    client = client_of(UserFactory.create(staff=True))
    assert client.get(ADD).status_code == 200
    response = client.post(
        ADD,
        {
            "email": "Ana@Example.org",
            "first_name": "Ana",
            "usable_password": "true" if usable else "false",
            "password1": password,
            "password2": password,
        },
    )
    assert response.status_code == 302
    user = User.objects.get(email="ana@example.org")
    assert (user.first_name, user.has_usable_password()) == ("Ana", usable)
    assert (user.is_staff, user.is_superuser) == (False, False)


def test_nobody_deletes_a_user() -> None:
    user = UserFactory.create()
    client = client_of(UserFactory.create(superuser=True))
    url = reverse("admin:accounts_user_delete", args=[user.pk])
    assert client.post(url, {"post": "yes"}).status_code == 403
    page = client.get(reverse("admin:accounts_user_changelist")).content.decode()
    assert "delete_selected" not in re.findall(r'<option value="([^"]*)"', page)
    assert User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("text", ["ANA@", "po", "An", " ana  PO"])
def test_people_are_found_by_the_beginning_of_address_or_names(text: str) -> None:
    UserFactory.create(email="ana@example.org", first_name="Ana", last_name="Poe")
    UserFactory.create(email="zoe@example.org", first_name="Zoe", last_name="Quinn")
    client = client_of(
        UserFactory.create(staff=True, email="x@example.org", first_name="X", last_name="X")
    )
    response = client.get(reverse("admin:accounts_user_changelist"), {"q": text})
    assert [user.email for user in response.context["cl"].result_list] == ["ana@example.org"]
