"""Two people, two branches, one conflict: seen in a project that knows nothing of shelters."""

import json
import sys
from pathlib import Path

import pytest

from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path)


def part(project: Project, photo: str) -> None:
    """Let Ana add a photo on the branch `photo`, and Ben a weight on another one, checked out."""
    project.git("switch", "-q", "-c", photo)
    project.add_field("photo")
    project.commit("Ana")
    project.git("switch", "-q", "-c", "weight", "main")
    project.add_field("weight")
    project.commit("Ben")


@pytest.fixture
def merged(project: Project) -> Project:
    """
    0001_initial -- 0002_keeper_photo   (Ana)
                 \\
                  0002_keeper_weight    (Ben)
    """
    part(project, "photo")
    project.git("merge", "-q", "--no-edit", "photo")
    return project


def test_a_project_without_a_conflict_is_clean(project: Project) -> None:
    done = project.manage("checkmigrations")
    assert (done.returncode, done.stdout, done.stderr) == (0, "No conflicting migrations.\n", "")
    assert not (project.folder / "zoo.sqlite3").exists()


def test_checkmigrations_names_leaves_fork_and_people(merged: Project) -> None:
    photo, weight = (
        merged.git("log", "-1", "--format=%H %aI", branch).split() for branch in ("photo", "HEAD^1")
    )
    done = merged.manage("checkmigrations", "--format", "json")
    assert (done.returncode, done.stderr) == (1, "CommandError: 1 finding.\n")
    report = json.loads(done.stdout)
    assert (report["version"], report["command"]) == (1, "checkmigrations")
    [finding] = report["findings"]
    assert finding == {
        "id": "versioning.W001",
        "level": "warning",
        "app": "keepers",
        "path": "zoo/keepers/migrations",
        "line": None,
        "message": (
            "keepers has conflicting leaf migrations: 0002_keeper_photo, 0002_keeper_weight."
        ),
        "ref": None,
        "leaves": ["0002_keeper_photo", "0002_keeper_weight"],
        "fork": ["0001_initial"],
        "branches": [
            {
                "leaf": f"0002_keeper_{name}",
                "ref": ref,
                "migrations": [
                    {
                        "name": f"0002_keeper_{name}",
                        "path": f"zoo/keepers/migrations/0002_keeper_{name}.py",
                        "line": 5,
                        "author": f"{author} <{author.lower()}@example.org>",
                        "commit": commit,
                        "date": date,
                        "operations": [f"Add field {name} to keeper"],
                        "applied": False,
                    }
                ],
            }
            for name, author, ref, (commit, date) in (
                ("photo", "Ana", "photo", photo),
                ("weight", "Ben", None, weight),
            )
        ],
        "verdict": "independent",
        "reason": "Both change keepers.keeper, but no part of it in different ways.",
        "next": [
            "python manage.py makemigrations --merge keepers",
            "python manage.py rebasemigrations keepers",
        ],
    }


def test_the_text_draws_the_fork(merged: Project) -> None:
    done = merged.manage("checkmigrations", "--no-color")
    assert done.returncode == 1
    date = merged.git("log", "-1", "--format=%as", "photo").strip()
    photo, weight = (
        merged.git("log", "-1", "--format=%H", branch)[:10] for branch in ("photo", "HEAD^1")
    )
    assert (
        done.stdout
        == f"""\
WARNING versioning.W001 zoo/keepers/migrations
  keepers has conflicting leaf migrations: 0002_keeper_photo,
  0002_keeper_weight.

  o  0001_initial  (fork)
  |\\
  o |  0002_keeper_photo
    |      Ana <ana@example.org>, {date}, {photo}, photo, not applied
    |      Add field photo to keeper
    o  0002_keeper_weight
           Ben <ben@example.org>, {date}, {weight}, not applied
           Add field weight to keeper

  Verdict: independent. Both change keepers.keeper, but no part of it in
  different ways.
  Next:
    python manage.py makemigrations --merge keepers
    python manage.py rebasemigrations keepers
"""
    )
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("subject", "ref"),
    [
        ("Merge pull request #12 from ana/photo", "ana/photo"),
        ("Merge branch 'feature/photo' into 'main'", "feature/photo"),
        ("Merge remote-tracking branch 'origin/photo'", "origin/photo"),
        ("Merge branch '$(reboot)'", None),
        ("Photos at last", None),
    ],
)
def test_a_side_that_was_merged_has_the_branch_of_its_merge(
    merged: Project, subject: str, ref: str | None
) -> None:
    """
    0001 -- photo ------- (merged into weight) -- later commits
        \\- weight ----/
    """
    merged.git("commit", "-q", "--amend", "-m", subject)
    merged.git("commit", "-q", "--allow-empty", "-m", "Merge branch 'something-else'")
    [finding] = json.loads(merged.manage("checkmigrations", "--format=json").stdout)["findings"]
    assert [branch["ref"] for branch in finding["branches"]] == [ref, None]


def test_what_is_to_be_typed_is_safe_to_paste(project: Project) -> None:
    part(project, "photo;$(reboot)")
    done = project.manage("checkmigrations", "--against", "photo;$(reboot)", "--format=json")
    [finding] = json.loads(done.stdout)["findings"]
    assert finding["next"] == [
        "git merge 'photo;$(reboot)'",
        "python manage.py makemigrations --merge keepers",
        "python manage.py rebasemigrations keepers --onto 'photo;$(reboot)'",
    ]


def test_check_warns_and_stops_nothing(merged: Project) -> None:
    done = merged.manage("check", "--no-color")
    assert done.returncode == 0
    assert (
        "?: (versioning.W001) keepers has conflicting leaf migrations: 0002_keeper_photo, "
        "0002_keeper_weight. They fork at 0001_initial.\n"
        "\tHINT: Type `python manage.py checkmigrations` to see both sides and what to do.\n"
    ) in done.stderr


def test_what_next_says_is_a_cure(merged: Project) -> None:
    [finding] = json.loads(merged.manage("checkmigrations", "--format=json").stdout)["findings"]
    _, _, *arguments = finding["next"][0].split()
    done = merged.manage(*arguments, "--noinput")
    assert done.returncode == 0, done.stderr
    assert merged.manage("checkmigrations").returncode == 0
    assert merged.manage("migrate", "-v0").returncode == 0


def test_what_is_applied_here_is_told(merged: Project) -> None:
    merged.git("switch", "-q", "photo")
    assert merged.manage("migrate", "-v0").returncode == 0
    merged.git("switch", "-q", "weight")
    [finding] = json.loads(merged.manage("checkmigrations", "--format=json").stdout)["findings"]
    assert [branch["migrations"][0]["applied"] for branch in finding["branches"]] == [True, False]


def test_a_migration_that_is_not_committed_counts(project: Project) -> None:
    project.add_field("photo")
    project.commit()
    project.add_field("weight")
    [finding] = json.loads(project.manage("checkmigrations", "--format=json").stdout)["findings"]
    authors = [branch["migrations"][0]["author"] for branch in finding["branches"]]
    assert authors == ["Ana <ana@example.org>", None]
    assert "not committed" in project.manage("checkmigrations").stdout


def test_a_checkout_without_git_is_told_of_all_the_same(merged: Project) -> None:
    (merged.folder / ".git").rename(merged.folder.parent / f"{merged.folder.name}.git-elsewhere")
    done = merged.manage("checkmigrations", "--format=json")
    [finding] = json.loads(done.stdout)["findings"]
    assert finding["leaves"] == ["0002_keeper_photo", "0002_keeper_weight"]
    assert finding["branches"][0]["migrations"][0]["commit"] is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["birds"], "There is no app birds. There are: keepers, versioning."),
        (["--format", "xml"], "argument --format: invalid choice: 'xml'"),
        (["--pairwise"], "--pairwise goes with --all-branches."),
    ],
)
def test_what_cannot_run_exits_2(project: Project, arguments: list[str], error: str) -> None:
    done = project.manage("checkmigrations", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert error in done.stderr
    assert "Traceback" not in done.stderr


def test_the_level_to_fail_at_and_the_apps_to_look_at(merged: Project) -> None:
    assert merged.manage("checkmigrations", "--fail-level", "error").returncode == 0
    assert merged.manage("checkmigrations", "--fail-level", "info").returncode == 1
    assert merged.manage("checkmigrations", "versioning").returncode == 0
    assert merged.manage("checkmigrations", "keepers").returncode == 1


def test_what_stops_django_is_explained(project: Project) -> None:
    project.write("0002_lost", "0001_renamed", 'migrations.DeleteModel("Keeper")')
    project.write("0003_circle", "0003_circle", 'migrations.DeleteModel("Keeper")')
    project.write("0004_odd", '0001_initial"), *find(', 'migrations.DeleteModel("Keeper")')
    (project.migrations / "0004_odd.py").write_text(
        "from django.db import migrations\n\n\n"
        "class Migration(migrations.Migration):\n    dependencies = find()\n"
    )
    report = json.loads(project.manage("checkmigrations", "--format=json").stdout)
    told = {
        finding["id"]: (finding["path"].rpartition("/")[2], finding["line"], finding["message"])
        for finding in report["findings"]
    }
    assert told.pop("versioning.W001")
    assert told == {
        "versioning.W002": (
            "0002_lost.py",
            5,
            "keepers.0002_lost depends on keepers.0001_renamed, which no file provides.",
        ),
        "versioning.W003": (
            "0003_circle.py",
            5,
            "Migrations depend on one another in a circle: keepers.0003_circle.",
        ),
        "versioning.W004": (
            "0004_odd.py",
            5,
            "keepers.0004_odd cannot be read without running it: dependencies is computed: find().",
        ),
    }


def test_what_only_running_it_tells_is_imported_here_and_named_on_a_branch(
    project: Project,
) -> None:
    """
    0001_initial -- 0002_computed -- 0003_after
    """
    project.git("switch", "-q", "-c", "computed")
    project.write("0003_after", "0002_computed", 'migrations.RunSQL("SELECT 1")')
    (project.migrations / "0002_computed.py").write_text(
        "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
        '    dependencies = [("keepers", "_".join(["0001", "initial"]))]\n'
    )
    assert json.loads(project.manage("checkmigrations", "--format=json").stdout)["findings"] == []
    project.commit()
    project.git("switch", "-q", "main")
    done = project.manage("checkmigrations", "--against=computed", "--format=json")
    findings = json.loads(done.stdout)["findings"]
    assert "versioning.W004" in {finding["id"] for finding in findings}


def test_a_malicious_migration_is_not_run(project: Project) -> None:
    trap = project.folder / "ran"
    (project.migrations / "0002_trap.py").write_text(
        f"open({str(trap)!r}, 'w')\n"
        "from django.db import migrations\n\n\n"
        "class Migration(migrations.Migration):\n    dependencies = [('keepers', '0001_initial')]\n"
    )
    assert project.manage("checkmigrations").returncode == 0
    assert project.manage("check").returncode == 0
    assert not trap.exists()


def test_the_body_of_a_comment_on_a_pull_request(merged: Project) -> None:
    done = merged.manage("checkmigrations", "--format", "markdown")
    assert (done.returncode, done.stderr) == (1, "CommandError: 1 finding.\n")
    date = merged.git("log", "-1", "--format=%as", "photo").strip()
    lines = done.stdout.splitlines()
    assert lines[:6] == [
        "### keepers has conflicting leaf migrations: 0002_keeper_photo, 0002_keeper_weight.",
        "",
        "| side | migration | author | date | operations |",
        "|---|---|---|---|---|",
        (
            "| <code>photo</code> | <code>0002_keeper_photo</code> | Ana "
            f"| {date} | Add field photo to keeper |"
        ),
        (f"|  | <code>0002_keeper_weight</code> | Ben | {date} | Add field weight to keeper |"),
    ]
    alone = merged.run(
        sys.executable,
        *("-m", "shelter.versioning", "check", "--format", "markdown"),
        *("--head", "weight~1", "--against", "photo"),
    )
    assert (alone.returncode, alone.stderr) == (1, "")
    lines = alone.stdout.splitlines()
    assert [line.split(" | ")[:2] for line in lines[4:6]] == [
        ["| <code>photo</code>", "<code>0002_keeper_photo</code>"],
        ["| <code>weight&#126;1</code>", "<code>0002_keeper_weight</code>"],
    ]
    assert "```mermaid" in lines
