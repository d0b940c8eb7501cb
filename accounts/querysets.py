"""Questions asked of the accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from shelter.prefixes import SEARCH_LIMIT, begins_with, prefix_key, searched

if TYPE_CHECKING:
    from accounts.models import User


def search(users: QuerySet[User], text: str) -> QuerySet[User]:
    """Return those of `users` whose address, first or last name begins with `text`.

    Two words are also the beginnings of a first and a last name. Each is answered by an index,
    whatever the size of the table, and at most SEARCH_LIMIT users are found. Letters' case makes no
    difference.
    """
    text = searched(text)
    if not text:
        return users
    condition = (
        begins_with("email_key", text)
        | begins_with("first_name_key", text)
        | begins_with("last_name_key", text)
    )
    first, _, last = text.partition(" ")
    if last:
        condition |= Q(begins_with("first_name_key", first), begins_with("last_name_key", last))
    found = (
        users.model._default_manager.order_by()
        .alias(**{f"{name}_key": prefix_key(name) for name in ("email", "first_name", "last_name")})
        .filter(condition)
    )
    # Apart from the list's order, for the same reason as in `AnimalQuerySet.search`.
    return users.filter(pk__in=found.values("pk")[:SEARCH_LIMIT])
