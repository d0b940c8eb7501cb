"""An e-mail address is lower case, whichever way it comes in."""

import io
import json
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse

from accounts.forms import UserAddForm, UserEditForm
from accounts.models import User
from tests.factories import UserFactory
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db

TYPED, STORED = " Ana@Example.ORG ", "ana@example.org"


def stored() -> str:
    return User.objects.values_list("email", flat=True).get()


def test_by_the_manager() -> None:
    assert User.objects.create_user(TYPED).email == STORED
    assert stored() == STORED


def test_by_saving() -> None:
    user = User(email=TYPED)
    user.save()
    assert user.email == STORED
    user.email = "BEN@example.org"
    user.save()
    assert stored() == "ben@example.org"


def test_by_bulk_create_and_update() -> None:
    User.objects.bulk_create([User(email=TYPED)])
    assert stored() == STORED
    User.objects.update(email="BEN@Example.org")
    assert stored() == "ben@example.org"


def test_by_a_fixture(tmp_path: Path) -> None:
    fixture = tmp_path / "users.json"
    fixture.write_text(json.dumps([{"model": "accounts.user", "fields": {"email": TYPED}}]))
    call_command("loaddata", str(fixture), verbosity=0)
    assert stored() == STORED


def test_by_createsuperuser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    out = io.StringIO()
    call_command("createsuperuser", interactive=False, email="Ana@Example.ORG", stdout=out)
    assert out.getvalue() == "Superuser created successfully.\n"
    assert stored() == STORED
    with pytest.raises(CommandError, match="already taken"):
        call_command("createsuperuser", interactive=False, email="ANA@example.org")


def test_by_the_forms() -> None:
    form = UserAddForm(
        {
            "email": TYPED,
            "usable_password": "true",
            "password1": PASSWORD,
            "password2": PASSWORD,
        }
    )
    assert form.is_valid(), form.errors
    user = form.save()
    assert stored() == STORED
    again = UserAddForm({"email": "ANA@EXAMPLE.ORG", "usable_password": "false"})
    assert again.errors["email"] == ["There is a user with this e-mail address already."]
    edit = UserEditForm(
        {"email": "BEN@example.org", "date_joined": user.date_joined}, instance=user
    )
    assert edit.is_valid(), edit.errors
    edit.save()
    assert stored() == "ben@example.org"


def test_a_look_up_finds_it_as_typed() -> None:
    user = UserFactory.create(email=STORED)
    assert User.objects.get(email=TYPED) == user
    assert User.objects.get_by_natural_key("ANA@EXAMPLE.ORG") == user


def test_logging_in_takes_it_as_typed() -> None:
    user = UserFactory.create(email=STORED, staff=True)
    response = Client().post(
        reverse("admin:login"), {"username": "Ana@Example.ORG", "password": PASSWORD}
    )
    assert response.status_code == 302
    user.refresh_from_db()
    assert user.last_login is not None


def test_the_database_refuses_another_one() -> None:
    UserFactory.create(email=STORED)
    for value in ("Ana@Example.ORG", ""):
        with (
            pytest.raises(IntegrityError, match="user_email_lower_case"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("UPDATE accounts_user SET email = %s", [value])
    assert stored() == STORED


def test_two_of_one_address_are_refused() -> None:
    UserFactory.create(email=STORED)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ANA@example.org")
    with pytest.raises(ValidationError, match="There is a user with this e-mail address already"):
        User(email="ANA@example.org", password="x").full_clean()


@pytest.mark.parametrize("email", ["", "  "])
def test_none_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match="needs an e-mail address"):
        User.objects.create_user(email)
    assert not User.objects.exists()


def test_a_user_without_a_password_cannot_log_in() -> None:
    user = User.objects.create_user(STORED)
    assert not user.has_usable_password()
    assert authenticate(username=STORED, password="") is None


def test_a_superuser_is_one() -> None:
    user = User.objects.create_superuser(STORED, PASSWORD)
    assert (user.is_staff, user.is_superuser) == (True, True)
    with pytest.raises(ValueError, match="A superuser needs is_staff=True"):
        User.objects.create_superuser("ben@example.org", PASSWORD, is_staff=False)


def test_a_user_is_called_by_name_and_address() -> None:
    assert str(User(email=STORED)) == STORED
    assert str(User(email=STORED, first_name="Ana", last_name="Poe")) == f"Ana Poe <{STORED}>"
