"""Make the first superuser."""

import os
import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User

DEFAULT_EMAIL = "admin@shelter.example"


class Command(BaseCommand):
    """Make the first superuser."""

    help = (
        "Makes a superuser with a random password, printed this once, where there is none yet. "
        f"Its address is ADMIN_EMAIL, or else {DEFAULT_EMAIL}."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        first = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if first is not None:
            self.stdout.write(
                f"Log in as {first.email}. Lost the password? Type: "
                f"python manage.py changepassword {first.email}"
            )
            return
        user = User(
            email=os.environ.get("ADMIN_EMAIL") or DEFAULT_EMAIL, is_staff=True, is_superuser=True
        )
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        try:
            user.full_clean()
        except ValidationError as error:
            raise CommandError(
                f"ADMIN_EMAIL is {user.email!r}: {' '.join(error.messages)}", returncode=2
            ) from error
        user.save()
        self.stdout.write(f"Log in as {user.email} with the password {password}")
        self.stdout.write("It is shown this once only. Change it in the admin, top right.")
