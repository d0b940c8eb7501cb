"""Five wrong passwords, then a quarter of an hour's wait."""

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.factories import UserFactory
from tests.factories.accounts import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = reverse("admin:login")


@pytest.fixture
def throttled(settings: Settings) -> Client:
    settings.AXES_ENABLED = True
    UserFactory.create(email="ana@example.org", staff=True)
    return Client()


def try_to_log_in(client: Client, name: str, password: str, **extra: str) -> int:
    return client.post(LOGIN, {"username": name, "password": password}, **extra).status_code  # type: ignore[arg-type]


def test_the_sixth_try_is_refused_even_with_the_right_password(throttled: Client) -> None:
    names = ["ana@example.org", "ANA@example.org", " Ana@Example.org ", "ana@EXAMPLE.org"]
    assert [try_to_log_in(throttled, name, "wrong") for name in names] == [200] * 4
    assert try_to_log_in(throttled, "ana@example.org", "wrong") == 429
    response = throttled.post(LOGIN, {"username": "Ana@example.org", "password": PASSWORD})
    assert response.status_code == 429
    page = " ".join(response.content.decode().split())
    assert "After 5 wrong passwords, logging in with this address is closed for 15 minutes." in page
    attempt = AccessAttempt.objects.get()
    assert attempt.username == "ana@example.org"
    assert PASSWORD not in f"{attempt.post_data}{attempt.get_data}"


def test_saying_another_address_does_not_help(throttled: Client) -> None:
    codes = [
        try_to_log_in(
            throttled, "ana@example.org", "wrong", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}"
        )
        for number in range(5)
    ]
    assert codes == [200, 200, 200, 200, 429]


def test_others_log_in_meanwhile(throttled: Client) -> None:
    UserFactory.create(email="ben@example.org", staff=True)
    for _ in range(5):
        try_to_log_in(throttled, "ana@example.org", "wrong")
    assert try_to_log_in(throttled, "ben@example.org", PASSWORD) == 302


def test_the_right_password_starts_the_count_anew(throttled: Client) -> None:
    for password in ("wrong", "wrong", "wrong", "wrong", PASSWORD):
        try_to_log_in(throttled, "ana@example.org", password)
    assert try_to_log_in(Client(), "ana@example.org", "wrong") == 200


def test_it_is_off_in_development() -> None:
    UserFactory.create(email="ana@example.org", staff=True)
    codes = [try_to_log_in(Client(), "ana@example.org", "wrong") for _ in range(7)]
    assert codes == [200] * 7
