"""The formats for programs: exact, and with nothing injected by what a repository holds."""

import json

from shelter.versioning.report.findings import (
    RULES,
    Branch,
    BranchMigration,
    Comparison,
    Finding,
    Level,
    Report,
    Verdict,
)
from shelter.versioning.report.formats import FORMATS, render


def migration(name: str, path: str) -> BranchMigration:
    return BranchMigration(name, path, 9, "Ana <ana@x>", "3f2c", "2026-01-02", ("Add field",), None)


CONFLICT = Finding(
    id="versioning.W001",
    level=Level.WARNING,
    app="zoo",
    path="zoo/migrations",
    message="zoo would have conflicting leaf migrations: 0002_a, 0002_b.",
    ref="other",
    leaves=("0002_a", "0002_b"),
    fork=("0001_initial",),
    branches=(
        Branch("0002_a", "HEAD", (migration("0002_a", "zoo/migrations/0002_a.py"),)),
        Branch("0002_b", "other", (migration("0002_b", "zoo/migrations/0002_b.py"),)),
    ),
    verdict=Verdict.INDEPENDENT,
    reason="Both are fine.",
    next=("git merge other",),
)
NOTE = Finding(
    id="versioning.I001",
    level=Level.INFO,
    app="zoo",
    path="zoo/100%,\n::error::x.py",
    line=3,
    message="Two\r\nlines, 100 %.",
)
COMPARISONS = (
    Comparison("HEAD", "other", (CONFLICT,)),
    Comparison("HEAD", "0123456789abcdef0123456789abcdef01234567", (NOTE,)),
)
REPORT = Report("checkmigrations", (CONFLICT, NOTE))


def test_github_annotates_each_leaf_and_lets_nothing_through() -> None:
    text = (
        "zoo would have conflicting leaf migrations: 0002_a, 0002_b.%0A"
        "Verdict: independent. Both are fine.%0Agit merge other"
    )
    assert render(REPORT, "github").split("\n") == [
        f"::warning file=zoo/migrations/0002_a.py,line=9,title=versioning.W001::{text}",
        f"::warning file=zoo/migrations/0002_b.py,line=9,title=versioning.W001::{text}",
        (
            "::notice file=zoo/100%25%2C%0A%3A%3Aerror%3A%3Ax.py,line=3,title=versioning.I001::"
            "Two%0D%0Alines, 100 %25."
        ),
    ]
    assert render(Report("checkmigrations", ()), "github") == ""


def test_sarif_has_a_run_with_rules_and_results() -> None:
    log = json.loads(render(REPORT, "sarif"))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    conflict, note = run["results"]
    assert (conflict["ruleId"], conflict["ruleIndex"], conflict["level"]) == (
        "versioning.W001",
        0,
        "warning",
    )
    assert conflict["message"]["text"] == (
        "zoo would have conflicting leaf migrations: 0002_a, 0002_b. Verdict: independent. "
        "Both are fine."
    )
    assert [place["physicalLocation"] for place in conflict["locations"]] == [
        {
            "artifactLocation": {"uri": f"zoo/migrations/{name}.py"},
            "region": {"startLine": 9},
        }
        for name in ("0002_a", "0002_b")
    ]
    assert note["level"] == "note"
    location = note["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "zoo/100%25%2C%0A%3A%3Aerror%3A%3Ax.py"


def test_json_is_the_findings() -> None:
    document = json.loads(render(REPORT, "json"))
    assert (document["version"], document["command"]) == (1, "checkmigrations")
    assert [finding["id"] for finding in document["findings"]] == [
        "versioning.W001",
        "versioning.I001",
    ]
    assert document["findings"][0]["verdict"] == "independent"


def test_the_table_has_a_row_for_each_finding_and_each_clean_merge() -> None:
    text = render(Report("checkmigrations", (CONFLICT, NOTE), COMPARISONS), "text")
    assert text.splitlines() == [
        "branch      app  verdict      authors  leaves",
        "other       zoo  independent  Ana      0002_a, 0002_b",
        "0123456789  -    clean",
        "",
        "2 merges tried, 1 with findings.",
    ]


def test_every_format_renders_nothing_found() -> None:
    empty = Report("checkmigrations", ())
    assert [bool(render(empty, form)) for form in FORMATS] == [True, True, False, True, True]
