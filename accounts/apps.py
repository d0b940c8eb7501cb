"""The app's configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccountsConfig(AppConfig):
    """People and their groups."""

    name = "accounts"
    verbose_name = "People"

    def ready(self) -> None:
        """Make the groups after each `migrate`."""
        from accounts.groups import ensure_groups_after_migrate

        post_migrate.connect(ensure_groups_after_migrate, dispatch_uid="accounts.groups")
