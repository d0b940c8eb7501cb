"""The app's configuration."""

from django.apps import AppConfig


class VersioningConfig(AppConfig):
    """The versioning app; works in any Django project."""

    name = "shelter.versioning"
    label = "versioning"
    verbose_name = "Versioning"

    def ready(self) -> None:
        """Register the system checks."""
        from shelter.versioning import checks  # noqa: F401
