"""Doors that import contracts cannot hold: import-linter sees Django as one package."""

from pathlib import Path

from tests.versioning.projects import ROOT

VERSIONING = ROOT / "shelter/versioning"


def files_with(word: str) -> set[Path]:
    return {
        path.relative_to(VERSIONING)
        for path in VERSIONING.rglob("*.py")
        if word in path.read_text()
    }


def test_only_ledger_touches_django_s_table_of_migrations() -> None:
    found = files_with("MigrationRecorder") | files_with('"django_migrations"')
    assert found
    assert {path.parts[0] for path in found} == {"ledger"}
