"""Pages of a table of any size."""

from functools import cached_property
from typing import Any, cast

from django.core.paginator import Paginator
from django.db.models import QuerySet

# Counting a million rows takes a second, and page 9,000 is no way to find anything.
COUNTED_ROWS = 10_000


class BoundedPaginator(Paginator[Any]):
    """A paginator that counts, and reaches, the first 10,000 rows; `is_bounded` tells of more."""

    @cached_property
    def _counted(self) -> int:
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[: COUNTED_ROWS + 1].count()

    @cached_property
    def count(self) -> int:
        """The number of rows that can be reached."""
        return min(self._counted, COUNTED_ROWS)

    @property
    def is_bounded(self) -> bool:
        """Whether there are more rows than can be reached."""
        return self._counted > COUNTED_ROWS
