"""Factories of the shelter's models, with named traits."""

from tests.factories.accounts import UserFactory
from tests.factories.animals import AnimalFactory, PastStayFactory, RegistrationFactory

__all__ = ["AnimalFactory", "PastStayFactory", "RegistrationFactory", "UserFactory"]
