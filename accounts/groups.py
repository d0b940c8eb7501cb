"""The groups of the shelter's people, and what each may do."""

from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.apps.registry import Apps
from django.db import DEFAULT_DB_ALIAS, router

VOLUNTEER, STAFF, MANAGER = "Volunteer", "Staff", "Manager"

_VIEW_ANIMALS = ("animals.view_animal", "animals.view_registration", "animals.view_paststay")
_VIEW_PEOPLE = ("accounts.view_user",)
_KEEP_ANIMALS = tuple(
    f"animals.{action}_{model}"
    for model in ("animal", "registration", "paststay")
    for action in ("add", "change")
)
_KEEP_PEOPLE = ("accounts.add_user", "accounts.change_user")

# Nobody has `delete_user`, since users are deactivated, nor anything on groups and permissions:
# who may change a group may promote themselves.
GROUPS: Mapping[str, tuple[str, ...]] = {
    VOLUNTEER: _VIEW_ANIMALS,
    STAFF: (*_VIEW_ANIMALS, *_VIEW_PEOPLE, *_KEEP_ANIMALS, *_KEEP_PEOPLE),
    MANAGER: (
        *_VIEW_ANIMALS,
        *_VIEW_PEOPLE,
        *_KEEP_ANIMALS,
        *_KEEP_PEOPLE,
        "animals.delete_animal",
        "animals.delete_registration",
        "animals.delete_paststay",
        # Failed logins: seeing who is locked out, and letting them in again.
        "axes.view_accessattempt",
        "axes.delete_accessattempt",
    ),
}


def ensure_groups(using: str = DEFAULT_DB_ALIAS, apps: Apps = global_apps) -> None:
    """Make the groups in the database `using`, and give each the rights it lacks.

    `apps` gives the models of the state the database is in. Rights that somebody added to a group
    by hand stay. Rights on tables that do not exist yet (a database migrated half-way) come with
    the `migrate` that makes them.
    """
    for name, rights in GROUPS.items():
        group, _ = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=name)
        codenames = {right.partition(".")[2] for right in rights}
        permissions = apps.get_model("auth", "Permission").objects.using(using)
        group.permissions.add(
            *(
                permission
                for permission in permissions.filter(codename__in=codenames).select_related()
                if f"{permission.content_type.app_label}.{permission.codename}" in rights
            )
        )


def ensure_groups_after_migrate(
    sender: AppConfig, using: str = DEFAULT_DB_ALIAS, apps: Apps = global_apps, **kwargs: Any
) -> None:
    """Receive `post_migrate`: once a run, after the last app, when all permissions are made.

    Does nothing where `auth` is not migrated, or where a router keeps it out of this database.
    """
    *_, last = (config for config in global_apps.get_app_configs() if config.models_module)
    if sender.label != last.label or not router.allow_migrate(using, "auth", model_name="group"):
        return
    try:
        apps.get_model("auth", "Group")
    except LookupError:
        return
    ensure_groups(using, apps)
