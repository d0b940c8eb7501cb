"""People."""

from typing import Any

import factory
from django.contrib.auth.models import Group
from factory.django import DjangoModelFactory

from accounts.models import User

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    """A person who cannot log in; the traits make one who can."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    class Params:
        volunteer = factory.Trait(is_staff=True, group="Volunteer", password=PASSWORD)
        staff = factory.Trait(is_staff=True, group="Staff", password=PASSWORD)
        manager = factory.Trait(is_staff=True, group="Manager", password=PASSWORD)
        superuser = factory.Trait(is_staff=True, is_superuser=True, password=PASSWORD)

    email = factory.Sequence(lambda n: f"person{n}@example.org")
    first_name = factory.Faker("first_name")
    last_name = factory.Faker("last_name")
    password: Any = None

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        name = kwargs.pop("group", None)
        user = model_class.objects.create_user(*args, **kwargs)
        if name:
            user.groups.add(Group.objects.get(name=name))
        return user
