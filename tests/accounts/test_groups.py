"""The groups, made after each migrate."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection

from accounts.groups import GROUPS, ensure_groups
from tests.factories import UserFactory

KEEP_ANIMALS = {
    f"animals.{action}_{model}"
    for action in ("view", "add", "change")
    for model in ("animal", "registration", "paststay")
}
VIEW = {right for right in KEEP_ANIMALS if ".view_" in right}
PEOPLE = {"accounts.view_user", "accounts.add_user", "accounts.change_user"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("trait", "rights"),
    [
        ("volunteer", VIEW),
        ("staff", KEEP_ANIMALS | PEOPLE),
        (
            "manager",
            KEEP_ANIMALS
            | PEOPLE
            | {
                "animals.delete_animal",
                "animals.delete_registration",
                "animals.delete_paststay",
                "axes.view_accessattempt",
                "axes.delete_accessattempt",
            },
        ),
    ],
)
def test_what_each_group_may(trait: str, rights: set[str]) -> None:
    assert UserFactory.create(**{trait: True}).get_all_permissions() == rights


@pytest.mark.django_db
def test_making_them_again_changes_nothing_and_keeps_what_was_added() -> None:
    volunteers = Group.objects.get(name="Volunteer")
    extra = Permission.objects.get(codename="add_animal")
    volunteers.permissions.add(extra)
    volunteers.permissions.remove(Permission.objects.get(codename="view_animal"))
    ensure_groups()
    ensure_groups()
    assert Group.objects.count() == len(GROUPS)
    assert {p.codename for p in volunteers.permissions.all()} == {
        "view_animal",
        "view_registration",
        "view_paststay",
        "add_animal",
    }


@pytest.mark.django_db(transaction=True)
def test_a_database_migrated_in_part_has_the_groups_it_can_have() -> None:
    try:
        call_command("migrate", "animals", "0001", verbosity=0)
        Permission.objects.filter(content_type__app_label="animals").delete()
        Group.objects.all().delete()
        call_command("migrate", "animals", "0002", verbosity=0)
        rights = Group.objects.get(name="Volunteer").permissions.values_list("codename", flat=True)
        assert list(rights) == ["view_animal"]
    finally:
        call_command("migrate", verbosity=0)
    rights = Group.objects.get(name="Volunteer").permissions.values_list("codename", flat=True)
    assert sorted(rights) == ["view_animal", "view_paststay", "view_registration"]


@pytest.mark.django_db(transaction=True)
def test_a_database_without_groups_is_left_alone() -> None:
    try:
        call_command("migrate", "auth", "zero", verbosity=0)
        assert "auth_group" not in connection.introspection.table_names()
    finally:
        call_command("migrate", verbosity=0)
    assert Group.objects.count() == len(GROUPS)
