"""The app's configuration."""

from django.apps import AppConfig


class AnimalsConfig(AppConfig):
    """Animals, stays and registrations."""

    name = "animals"
