"""The first superuser."""

import io
import re

import pytest
from django.core.management import CommandError, call_command

from accounts.models import User
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def say() -> str:
    out = io.StringIO()
    call_command("firstadmin", stdout=out)
    return out.getvalue()


def test_the_first_admin_is_made_and_the_password_is_said_once() -> None:
    said = re.fullmatch(
        r"Log in as admin@shelter\.example with the password (\S{16})\n"
        r"It is shown this once only\. Change it in the admin, top right\.\n",
        say(),
    )
    assert said is not None
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser) == (True, True)
    assert user.check_password(said[1])
    assert say() == (
        "Log in as admin@shelter.example. Lost the password? Type: "
        "python manage.py changepassword admin@shelter.example\n"
    )
    assert User.objects.count() == 1


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADMIN_EMAIL", "Ana@Example.org")
    assert "Log in as ana@example.org with the password" in say()


@pytest.mark.parametrize("address", ["nobody", "taken@example.org"])
def test_an_address_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    UserFactory.create(email="taken@example.org")
    monkeypatch.setenv("ADMIN_EMAIL", address)
    with pytest.raises(CommandError, match=f"^ADMIN_EMAIL is '{address}': ") as refusal:
        call_command("firstadmin")
    assert refusal.value.returncode == 2
    assert User.objects.count() == 1
