"""The report as text."""

from shelter.versioning.report.findings import (
    Branch,
    BranchMigration,
    Finding,
    Level,
    Report,
    Verdict,
)
from shelter.versioning.report.text import render_text


def migration(name: str, *operations: str) -> BranchMigration:
    return BranchMigration(name, f"a/{name}.py", 1, None, None, None, operations, None)


def test_nothing_found_is_said() -> None:
    assert render_text(Report("checkmigrations", ())) == "No conflicting migrations."


def test_three_sides_without_a_common_ancestor() -> None:
    finding = Finding(
        id="versioning.W001",
        level=Level.WARNING,
        app="a",
        path="a/migrations",
        message="a has conflicting leaf migrations: 1a, 2b, 3c.",
        ref="origin/b",
        leaves=("1a", "2b", "3c"),
        branches=(
            Branch("1a", None, (migration("1a", "Raw Python operation"),)),
            Branch("2b", "origin/b", (migration("1b"), migration("2b"))),
            Branch("3c", None, (migration("3c"),)),
        ),
        verdict=Verdict.UNKNOWN,
        reason="Because.",
    )
    assert render_text(Report("checkmigrations", (finding,))).splitlines() == [
        "WARNING versioning.W001 a/migrations with origin/b",
        "  a has conflicting leaf migrations: 1a, 2b, 3c.",
        "",
        "  (no common ancestor)",
        "  o | |  1a",
        "    | |      not committed",
        "    | |      Raw Python operation",
        "    o |  1b",
        "    | |      not committed, origin/b",
        "    o |  2b",
        "      |      not committed, origin/b",
        "      o  3c",
        "             not committed",
        "",
        "  Verdict: unknown. Because.",
    ]


def test_a_place_has_its_line_and_colour_its_role() -> None:
    finding = Finding(
        "versioning.W002", Level.ERROR, "a", "a/1.py", "Lost.", line=7, next=("do x",)
    )
    text = render_text(Report("checkmigrations", (finding,)), lambda role, text: f"{role}<{text}>")
    assert text.splitlines() == [
        "ERROR<ERROR versioning.W002 a/1.py:7>",
        "  Lost.",
        "  Next:",
        "    SQL_KEYWORD<do x>",
    ]


def test_levels_are_ordered() -> None:
    assert Level.ERROR.reaches(Level.WARNING)
    assert Level.WARNING.reaches(Level.WARNING)
    assert not Level.INFO.reaches(Level.WARNING)
