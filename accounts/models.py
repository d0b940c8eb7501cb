"""The user of the shelter."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.fields import LowercaseEmailField
from accounts.managers import UserManager
from shelter.prefixes import prefix_key


class User(AbstractUser):
    """A person, known by an e-mail address.

    Staff log in to the admin; adopters, owners and fosters are users whom animals are registered
    to. A user is deactivated (`is_active`), never deleted: registrations are history.
    """

    username = None  # type: ignore[assignment]
    email = LowercaseEmailField(
        "e-mail address",
        unique=True,
        error_messages={"unique": "There is a user with this e-mail address already."},
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager["User"]] = UserManager()  # type: ignore[assignment]

    class Meta:
        ordering = ("email",)
        indexes = (
            models.Index(prefix_key("email"), name="user_email_prefix"),
            models.Index(prefix_key("first_name"), name="user_first_name_prefix"),
            # With the first name, which a search by both looks at.
            models.Index(
                prefix_key("last_name"), prefix_key("first_name"), name="user_last_name_prefix"
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(email=Lower("email")) & ~Q(email=""),
                name="user_email_lower_case",
                violation_error_message="An e-mail address is kept in lower case.",
            ),
        )

    def __str__(self) -> str:
        name = self.get_full_name()
        return f"{name} <{self.email}>" if name else self.email
