"""Accounts in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.forms import UserAddForm, UserEditForm
from accounts.models import User
from accounts.querysets import search
from animals.admin import ConstraintsInWords, UserRegistrationInline
from shelter.paginator import BoundedPaginator
from shelter.prefixes import SEARCH_LIMIT

# What decides a person's rights. Only a superuser may turn these.
RIGHTS_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


@admin.register(User)
class UserAdmin(ConstraintsInWords, DjangoUserAdmin[User]):
    """Staff, and the people whom animals are registered to."""

    form = UserEditForm
    add_form = UserAddForm
    inlines = (UserRegistrationInline,)
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering = ("email",)
    list_display = ("email", "first_name", "last_name", "is_staff", "is_active")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    # What is searched is in get_search_results(); this shows the box.
    search_fields = ("email",)
    search_help_text = (
        "The beginning of an address, of a first or of a last name. "
        f"At most {SEARCH_LIMIT:,} are found."
    )
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Person", {"fields": ("first_name", "last_name")}),
        ("Rights", {"fields": ("is_active", *RIGHTS_FIELDS)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    "email",
                    "first_name",
                    "last_name",
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """Search by address and names, each by its index."""
        return search(queryset, search_term), False

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """Show registrations of a user that is there; the form to add one asks for little."""
        return () if obj is None else self.inlines

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Keep a person's rights, and the dates, from everyone but a superuser."""
        fields = ("last_login", "date_joined", *super().get_readonly_fields(request, obj))
        return fields if _is_superuser(request) else (*fields, *RIGHTS_FIELDS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Let an account be changed only by someone who has every right it carries.

        Otherwise whoever may set passwords could set a manager's, log in as them, and be promoted.
        """
        allowed = super().has_change_permission(request, obj)
        if not allowed or obj is None or _is_superuser(request) or obj == request.user:
            return allowed
        if obj.is_superuser:
            return False
        mine = request.user.get_all_permissions()
        # An inactive account has no rights until somebody switches it on again: count what it
        # would have then.
        theirs = User(pk=obj.pk, is_active=True).get_all_permissions()
        return theirs <= mine

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: a user is deactivated, never deleted, since registrations are history."""
        return False


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))
