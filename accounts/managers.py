"""How accounts are made and looked up."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib.auth.models import BaseUserManager

if TYPE_CHECKING:
    from accounts.models import User

UserType = TypeVar("UserType", bound="User")


class UserManager(BaseUserManager[UserType]):
    """Makes users by e-mail address; `LowercaseEmailField` keeps the address lower case."""

    use_in_migrations = True

    def _create(self, email: str, password: str | None, **extra: Any) -> UserType:
        if not email or not email.strip():
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> UserType:
        """Make and return a user; without a password, one who cannot log in.

        Raises ValueError for an empty address.
        """
        extra.setdefault("is_staff", False)
        extra.setdefault("is_superuser", False)
        return self._create(email, password, **extra)

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> UserType:
        """Make and return a superuser, as `createsuperuser` does.

        Raises ValueError for an empty address, or when `extra` denies what makes a superuser.
        """
        extra.setdefault("is_staff", True)
        extra.setdefault("is_superuser", True)
        if not (extra["is_staff"] and extra["is_superuser"]):
            raise ValueError("A superuser needs is_staff=True and is_superuser=True.")
        return self._create(email, password, **extra)
