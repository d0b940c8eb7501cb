"""The page "Migrations" in the admin: how a database stands, and its ledger; nothing is changed.

Imported where `django.contrib.admin` is installed, by its autodiscovery, and by no other module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections
from django.db.models import QuerySet, Value
from django.db.models.functions import Concat
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.utils.html import format_html

from shelter.versioning.ledger.entries import LedgerEntry
from shelter.versioning.ledger.marks import database_is_there
from shelter.versioning.ledger.recording import has_ledger
from shelter.versioning.overview import overview_of
from shelter.versioning.report.findings import Level, Report
from shelter.versioning.report.formats import render
from shelter.versioning.report.short import in_short
from shelter.versioning.status import COMMAND

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[LedgerEntry]
else:
    # Which cannot be subscripted at run time.
    _ModelAdmin = admin.ModelAdmin

_DATABASE = "database"
_IMAGINARY = "django.db.backends.dummy"


class DatabaseFilter(admin.SimpleListFilter):
    """Which database to look at, where there are several."""

    title = "database"
    parameter_name = _DATABASE

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        aliases = _aliases()
        return [(alias, alias) for alias in aliases] if len(aliases) > 1 else []

    def choices(self, changelist: ChangeList) -> Any:
        """Yield the databases; there is none that stands for all of them."""
        for choice in list(super().choices(changelist))[1:]:
            yield choice | {"selected": choice["display"] == changelist.queryset.db}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Leave it as it is: `LedgerEntryAdmin.get_queryset()` asked the right one already."""
        return queryset


class LedgerList(ChangeList):
    """The ledger's list, and with it the overview of its database.

    `is_plain` tells that nothing was searched, filtered or sorted: then all is shown.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.alias = self.queryset.db
        self.overview = overview_of(self.alias)
        self.is_plain = not set(request.GET) - {_DATABASE, "e"}
        report = self.overview.report
        self.findings = sorted(
            report.findings if report else (), key=lambda finding: -list(Level).index(finding.level)
        )
        for entry in self.result_list:
            entry.mark = self.overview.marks.get((entry.app, entry.name), "")

    def sentence(self) -> str:
        """Return the state in a sentence, as `dbstatus` says it."""
        if self.overview.report is None:
            return "The state cannot be told."
        if not self.findings:
            return render(Report(COMMAND, ()), "text")
        return f"The database {in_short(self.overview.report, (self.alias,))}."

    def level(self) -> str:
        """Return how grave the state is: the gravest finding's level, or `success`."""
        if self.overview.report is None:
            return Level.WARNING.value
        return self.findings[0].level.value if self.findings else "success"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(_ModelAdmin):
    """Migrations: how a database stands, drawn, and its ledger. Read only.

    Another admin site gets it by `site.register(LedgerEntry, LedgerEntryAdmin)`.
    """

    fieldsets = (
        (None, {"fields": (("app", "name"), "outcome", ("started", "duration"))}),
        ("By whom", {"fields": (("os_user", "host"), "django_version")}),
        ("From what", {"fields": (("git_branch", "git_dirty"), "git_commit", "git_blob")}),
        ("The code", {"fields": ("fingerprint", "progress")}),
    )
    list_display = ("migration", "outcome", "started", "took", "who", "code")
    list_filter = (DatabaseFilter, "outcome", "started", ("app", admin.AllValuesFieldListFilter))
    search_fields = ("app", "name", "os_user", "host", "git_commit", "git_branch")
    search_help_text = "An app, a migration, a person, a host, a commit or a branch."
    ordering = ("-started", "-pk")
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None

    class Media:
        css = {"all": ("versioning/picture.css", "versioning/admin.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        """Return the entries of the database asked for; none where it has no ledger, or is off."""
        alias = _alias_of(request)
        entries = super().get_queryset(request).using(alias)
        try:
            is_there = database_is_there(alias) and has_ledger(connections[alias])
        except DatabaseError:
            # The overview says that it does not answer.
            is_there = False
        return entries if is_there else entries.none()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return LedgerList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show how the database stands, and its ledger."""
        return super().changelist_view(request, {"title": "Migrations"} | (extra_context or {}))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: LedgerEntry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LedgerEntry | None = None) -> bool:
        return False

    @admin.display(ordering=Concat("app", Value("."), "name"))
    def migration(self, entry: LedgerEntry) -> str:
        """Return the migration, marked where it is edited or a ghost."""
        mark = getattr(entry, "mark", "")
        name = f"{entry.app}.{entry.name}"
        if not mark:
            return name
        return format_html('{} <span class="versioning-mark">{}</span>', name, mark)

    @admin.display(description="took", ordering="duration")
    def took(self, entry: LedgerEntry) -> str:
        """Return how long it took, as people say it."""
        seconds = entry.duration
        if seconds is None:
            return "-"
        if seconds < 1:
            return f"{1000 * seconds:.0f} ms"
        return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"

    @admin.display(description="by", ordering="os_user")
    def who(self, entry: LedgerEntry) -> str:
        """Return the person and the machine."""
        return "@".join(filter(None, (entry.os_user, entry.host))) or "-"

    @admin.display(description="from", ordering="git_branch")
    def code(self, entry: LedgerEntry) -> str:
        """Return the branch and the commit, and whether files differed from it."""
        told = (entry.git_branch, entry.git_commit[:10], "changed" if entry.git_dirty else "")
        return ", ".join(filter(None, told)) or "-"


def _aliases() -> list[str]:
    """Return the databases, the default one first."""
    aliases = [
        alias for alias in connections if connections.settings[alias]["ENGINE"] != _IMAGINARY
    ]
    return sorted(aliases, key=lambda alias: alias != DEFAULT_DB_ALIAS)


def _alias_of(request: HttpRequest) -> str:
    """Return the database asked for, by a list or by a link from one. Raises Http404."""
    came_from = QueryDict(request.GET.get("_changelist_filters", ""))
    asked = request.GET.get(_DATABASE) or came_from.get(_DATABASE)
    aliases = _aliases()
    if asked is None:
        return aliases[0]
    if asked not in aliases:
        raise Http404(f"There is no database {asked!r} here.")
    return asked
