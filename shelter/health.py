"""Is this process alive, and may it be sent requests?"""

import logging
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

logger = logging.getLogger(__name__)


@cache
def migration_files() -> MigrationLoader:
    """Return the graph of this code's migrations, read once: a process does not change its code."""
    return MigrationLoader(None)


def unready_reasons() -> list[str]:
    """Return why this process must not be sent requests yet, a sentence each; none when it may.

    The database does not answer, an app has several leaf migrations, or a migration of this code is
    not applied.
    """
    files = migration_files()
    try:
        applied = set(MigrationRecorder(connection).applied_migrations())
    except DatabaseError as error:
        # The text can name hosts and users, and anyone may ask: it goes to the log only.
        logger.warning("The database does not answer: %s", error)
        return ["The database does not answer."]
    conflicts = [
        f"{app} has conflicting leaf migrations: {', '.join(sorted(names))}."
        for app, names in sorted(files.detect_conflicts().items())
    ]
    unapplied = [
        f"{app}.{name} is not applied."
        for (app, name), migration in sorted(files.disk_migrations.items())
        if (app, name) in files.graph.nodes
        and (app, name) not in applied
        # A squash is applied, too, where all that it replaces is.
        and not (migration.replaces and applied.issuperset(migration.replaces))
    ]
    return conflicts + unapplied


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 as long as this process answers at all; no database is asked."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when this process may be sent requests, else 503 with the reasons."""
    reasons = unready_reasons()
    if reasons:
        return JsonResponse({"status": "unready", "reasons": reasons}, status=503)
    return JsonResponse({"status": "ready"})
