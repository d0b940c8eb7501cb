"""Questions asked of the animals."""

from typing import Any, Self

from django.db import models
from django.db.models import Q

from shelter.prefixes import SEARCH_LIMIT, begins_with, prefix_key, searched


class AnimalQuerySet(models.QuerySet[Any]):
    """Animals, narrowed."""

    def in_care(self) -> Self:
        """Return those whose stay has not ended."""
        return self.filter(status="in_care")

    def search(self, text: str) -> Self:
        """Return those whose code or microchip is `text`, or whose name begins with it.

        Each of the three is answered by an index, whatever the size of the table, and at most
        SEARCH_LIMIT animals are found. Letters' case, and in a microchip number spaces and
        hyphens, make no difference.
        """
        text = searched(text)
        if not text:
            return self
        found = (
            self.model._default_manager.order_by()
            .alias(name_key=prefix_key("name"))
            .filter(Q(code=text) | Q(microchip=text) | begins_with("name_key", text))
        )
        # Apart from the list's order: a database would else walk the newest animals first, and look
        # through the whole table for the few that match.
        return self.filter(pk__in=found.values("pk")[:SEARCH_LIMIT])
