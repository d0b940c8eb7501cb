"""What the rows of applied migrations say beside the files: a loader's view of both."""

from __future__ import annotations

from django.apps import apps
from django.db.migrations.loader import MigrationLoader

from shelter.versioning.history.migration import Key


def ghosts(loader: MigrationLoader) -> list[Key]:
    """Return what is applied and in no file, of the apps that are installed, sorted."""
    replaced = {
        (app, name)
        for migration in loader.disk_migrations.values()
        for app, name in migration.replaces
    }
    labels = {config.label for config in apps.get_app_configs()}
    return sorted(
        key
        for key in set(loader.applied_migrations) - set(loader.disk_migrations) - replaced
        if key[0] in labels
    )


def out_of_order(loader: MigrationLoader) -> list[tuple[Key, Key]]:
    """Return what is applied, and what it depends on and is not, as pairs, sorted.

    By the rule of Django 5.2's `MigrationLoader.check_consistent_history()`.
    """
    applied = loader.applied_migrations
    found = []
    for key in sorted(set(applied) & set(loader.graph.nodes)):
        for parent in sorted(node.key for node in loader.graph.node_map[key].parents):
            squash = loader.replacements.get(parent)
            replaced = squash is not None and all(name in applied for name in squash.replaces)
            if parent not in applied and not replaced:
                found.append((key, parent))
    return found
