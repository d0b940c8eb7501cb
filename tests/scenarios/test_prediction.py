"""Merges predicted, in real repositories: what would happen, and that nothing else does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shelter.versioning.conflicts import predicting
from shelter.versioning.conflicts.predicting import Scope, compare_branches
from shelter.versioning.history.git import Merge, Repository
from shelter.versioning.history.objects import Objects
from shelter.versioning.history.sides import merge_leaves_nothing_to_find
from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

FOLDER = "zoo/keepers/migrations"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Make a project on the branch `main`, and its branch `other`."""
    project = make_project(tmp_path / "zoo")
    project.git("branch", "other")
    return project


def report(project: Project, *arguments: str) -> list[dict[str, Any]]:
    done = project.manage("checkmigrations", "--format=json", *arguments)
    assert done.stdout, done.stderr
    findings: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    assert done.returncode == int(any(finding["level"] != "info" for finding in findings))
    return findings


def check(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Return what `python -m shelter.versioning check` ends with, where no Django is set up."""
    project = Project(folder)
    done = project.run("python", "-m", "shelter.versioning", "check", *arguments)
    return done.returncode, done.stdout, done.stderr


def on(project: Project, branch: str, author: str = "Ben") -> "On":
    project.git("switch", "-q", branch)
    return On(project, author)


class On:
    """Work on a branch, committed at the end."""

    def __init__(self, project: Project, author: str) -> None:
        self.project, self.author = project, author

    def __enter__(self) -> Project:
        return self.project

    def __exit__(self, *error: object) -> None:
        self.project.commit(self.author)
        self.project.git("switch", "-q", "main")


def add(project: Project, name: str, parent: str, operation: str = "") -> None:
    project.write(name, parent, operation or 'migrations.RunSQL("SELECT 1")')


def objects(repository: Path) -> dict[str, int]:
    """Return every file of a repository and when it was changed."""
    return {
        str(path.relative_to(repository)): path.stat().st_mtime_ns
        for path in repository.rglob("*")
        if path.is_file()
    }


# --- Shapes --------------------------------------------------------------------------------------


def test_a_conflict_is_told_before_the_branches_meet(project: Project) -> None:
    """
    0001_initial -- 0002_keeper_photo   (main, Ana)
                 \\
                  0002_keeper_weight    (other, Ben)
    """
    with on(project, "main", "Ana"):
        project.add_field("photo")
    with on(project, "other"):
        project.add_field("weight")
    before = objects(project.folder)
    [finding] = report(project, "--against", "other")
    assert (finding["id"], finding["app"], finding["path"]) == (
        "versioning.W001",
        "keepers",
        FOLDER,
    )
    assert finding["ref"] == "other"
    assert finding["leaves"] == ["0002_keeper_photo", "0002_keeper_weight"]
    assert finding["fork"] == ["0001_initial"]
    assert [(branch["leaf"], branch["ref"]) for branch in finding["branches"]] == [
        ("0002_keeper_photo", "HEAD"),
        ("0002_keeper_weight", "other"),
    ]
    assert [branch["migrations"][0]["author"] for branch in finding["branches"]] == [
        "Ana <ana@example.org>",
        "Ben <ben@example.org>",
    ]
    assert finding["verdict"] == "independent"
    assert finding["next"] == [
        "git merge other",
        "python manage.py makemigrations --merge keepers",
        "python manage.py rebasemigrations keepers --onto other",
    ]
    # Predicting writes nothing, into the repository or beside it.
    assert objects(project.folder) == before


def test_what_next_says_is_what_happens(project: Project) -> None:
    with on(project, "main"):
        project.add_field("photo")
    with on(project, "other"):
        project.add_field("weight")
    [predicted] = report(project, "--against", "other")
    project.git("merge", "-q", "--no-edit", "other")
    [found] = report(project)
    assert found["leaves"] == predicted["leaves"]
    assert found["fork"] == predicted["fork"]
    _, _, *arguments = predicted["next"][1].split()
    assert project.manage(*arguments, "--noinput").returncode == 0
    assert report(project) == []


def test_chains_and_three_leaves(project: Project) -> None:
    """
    0001_initial -- 0002_a -- 0003_b     (main)
                |\\
                | 0002_c -- 0003_d       (other)
                 \\
                  0002_e                 (other too)
    """
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
        add(project, "0003_b", "0002_a")
    with on(project, "other"):
        add(project, "0002_c", "0001_initial")
        add(project, "0003_d", "0002_c")
        add(project, "0002_e", "0001_initial")
    [finding] = report(project, "--against", "other")
    assert finding["leaves"] == ["0002_e", "0003_b", "0003_d"]
    assert [[m["name"] for m in branch["migrations"]] for branch in finding["branches"]] == [
        ["0002_e"],
        ["0002_a", "0003_b"],
        ["0002_c", "0003_d"],
    ]


def test_no_common_ancestor(project: Project) -> None:
    with on(project, "other"):
        (project.migrations / "0001_initial.py").rename(project.migrations / "0001_start.py")
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
    findings = report(project, "--against", "other")
    told = {finding["id"]: finding for finding in findings}
    # git sees the rename, and moves nothing else: what depends on the old name is left hanging.
    assert told["versioning.W002"]["message"] == (
        "keepers.0002_a depends on keepers.0001_initial, which no file provides."
    )
    assert told["versioning.W001"]["leaves"] == ["0001_start", "0002_a"]
    assert told["versioning.W001"]["fork"] == []


def test_a_rebase_by_hand_is_no_conflict(project: Project) -> None:
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
    project.git("branch", "-f", "other", "main")
    with on(project, "other"):
        add(project, "0003_b", "0002_a")
    with on(project, "main"):
        (project.migrations / "0002_a.py").rename(project.migrations / "0002_better.py")
    told = {finding["id"] for finding in report(project, "--against", "other")}
    assert "versioning.W002" in told


def test_a_side_that_deletes_what_it_added_is_no_conflict(project: Project) -> None:
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
    project.git("branch", "-f", "other", "main")
    with on(project, "other"):
        (project.migrations / "0002_a.py").unlink()
        add(project, "0002_b", "0001_initial")
    assert report(project, "--against", "other") == []


def test_a_merge_migration_on_one_side_is_no_conflict(project: Project) -> None:
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
    project.git("branch", "-f", "other", "main")
    with on(project, "other"):
        add(project, "0003_b", "0002_a")
    assert report(project, "--against", "other") == []


def test_a_squash_stands_for_what_it_replaces(project: Project) -> None:
    """
    0001_initial -- 0002_a -- 0003_b          (both)
    [0001_squashed_0003_b replaces the three] (main)
                           \\
                            0004_c            (other, after 0003_b)
    """
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
        add(project, "0003_b", "0002_a")
    project.git("branch", "-f", "other", "main")
    with on(project, "main"):
        (project.migrations / "0001_squashed_0003_b.py").write_text(
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    replaces = [("keepers", "0001_initial"), ("keepers", "0002_a"), '
            '("keepers", "0003_b")]\n'
            "    initial = True\n    operations = []\n"
        )
    with on(project, "other"):
        add(project, "0004_c", "0003_b")
    assert report(project, "--against", "other") == []
    with on(project, "main"):
        add(project, "0004_d", "0001_squashed_0003_b")
    [finding] = report(project, "--against", "other")
    assert finding["leaves"] == ["0004_c", "0004_d"]
    assert finding["fork"] == ["0001_squashed_0003_b"]


def test_run_before_in_another_app_makes_no_leaf(project: Project) -> None:
    other_app = project.folder / "zoo/cages/migrations"
    with on(project, "main"):
        other_app.mkdir(parents=True)
        (other_app / "__init__.py").touch()
        (other_app.parent / "__init__.py").touch()
        (other_app / "0001_initial.py").write_text(
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    run_before = [("keepers", "0001_initial")]\n    operations = []\n'
        )
    with on(project, "other"):
        project.add_field("weight")
    assert report(project, "--against", "other") == []


def test_a_dependency_that_is_computed_is_named(project: Project) -> None:
    with on(project, "other"):
        (project.migrations / "0002_odd.py").write_text(
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n    dependencies = find()\n"
        )
    findings = report(project, "--against", "other")
    told = {finding["id"]: finding for finding in findings}
    assert told["versioning.W004"]["message"] == (
        "keepers.0002_odd cannot be read without running it: dependencies is computed: find()."
    )
    assert (told["versioning.W004"]["line"], told["versioning.W004"]["ref"]) == (5, "other")


def test_a_file_that_git_cannot_merge_is_a_finding(project: Project) -> None:
    with on(project, "main"):
        project.add_field("photo")
    with on(project, "other"):
        project.write("0002_keeper_photo", "0001_initial", 'migrations.DeleteModel("Keeper")')
    [finding] = report(project, "--against", "other")
    assert (finding["id"], finding["path"]) == (
        "versioning.W005",
        f"{FOLDER}/0002_keeper_photo.py",
    )
    assert finding["message"] == (
        f"git cannot merge {FOLDER}/0002_keeper_photo.py: both sides changed or added it, each in "
        "its own way."
    )
    done = project.run("git", "-c", "user.name=x", "-c", "user.email=x@y", "merge", "other")
    assert done.returncode == 1
    assert f"CONFLICT (add/add): Merge conflict in {FOLDER}/0002_keeper_photo.py" in done.stdout


def test_a_number_used_twice_without_a_conflict_is_told(project: Project) -> None:
    with on(project, "main"):
        add(project, "0002_a", "0001_initial")
    project.git("branch", "-f", "other", "main")
    with on(project, "other"):
        add(project, "0003_b", "0002_a")
    with on(project, "main"):
        add(project, "0003_c", "0002_a")
        (project.migrations / "0004_merge.py").write_text(
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    dependencies = [("keepers", "0003_b"), ("keepers", "0003_c")]\n'
        )
    [finding] = report(project, "--against", "other")
    assert (finding["id"], finding["level"]) == ("versioning.I001", "info")
    assert finding["message"] == "keepers would have the number 0003 twice: 0003_c and 0003_b."
    done = project.manage("checkmigrations", "--against=other", "--fail-level=info")
    assert done.returncode == 1


def test_what_is_not_committed_counts(project: Project) -> None:
    with on(project, "other"):
        project.add_field("weight")
    project.add_field("photo")
    [finding] = report(project, "--against", "other")
    assert finding["leaves"] == ["0002_keeper_photo", "0002_keeper_weight"]
    [mine, other] = finding["branches"]
    assert (mine["migrations"][0]["author"], mine["migrations"][0]["commit"]) == (None, None)
    assert other["migrations"][0]["author"] == "Ben <ben@example.org>"
    assert project.git("status", "--porcelain") == f"?? {FOLDER}/0002_keeper_photo.py\n"
    (project.migrations / "0002_keeper_photo.py").unlink()
    assert report(project, "--against", "other") == []


def test_a_label_that_is_not_the_folders_is_found_in_the_files(project: Project) -> None:
    for branch, name in (("main", "0002_a"), ("other", "0002_b")):
        with on(project, branch):
            (project.migrations / f"{name}.py").write_text(
                "from django.db import migrations\n\n\n"
                "class Migration(migrations.Migration):\n"
                '    dependencies = [("wardens", "0001_initial")]\n'
            )
    code, out, _ = check(project.folder, "--against", "other", "--format", "json")
    [finding] = json.loads(out)["findings"]
    assert (code, finding["app"], finding["path"]) == (1, "wardens", FOLDER)


# --- All branches --------------------------------------------------------------------------------


def test_all_branches_as_a_table(project: Project) -> None:
    with on(project, "main", "Ana"):
        project.add_field("photo")
    with on(project, "other"):
        project.add_field("weight")
    project.git("branch", "same", "other")
    project.git("branch", "early", "main~1")
    done = project.manage("checkmigrations", "--all-branches")
    assert done.returncode == 1
    assert done.stdout == (
        "branch  app      verdict      authors   leaves\n"
        "early   -        clean\n"
        "other   keepers  independent  Ana, Ben  0002_keeper_photo, 0002_keeper_weight\n"
        "\n"
        "2 merges tried, 1 with findings.\n"
    )
    pairs = project.manage("checkmigrations", "--all-branches", "--pairwise").stdout
    assert pairs == (
        "branch  with   app      verdict      authors   leaves\n"
        "early   main   -        clean\n"
        "early   other  -        clean\n"
        "main    other  keepers  independent  Ana, Ben  0002_keeper_photo,\n"
        "                                               0002_keeper_weight\n"
        "\n"
        "3 merges tried, 1 with findings.\n"
    )
    only = project.manage("checkmigrations", "--all-branches", "ear*")
    assert (only.returncode, only.stdout.splitlines()[-1]) == (
        0,
        "1 merges tried, 0 with findings.",
    )
    none = project.manage("checkmigrations", "--all-branches", "x*")
    assert (none.returncode, none.stderr) == (
        2,
        "CommandError: No branch is named like 'x*'. Look at `git branch --all`.\n",
    )


def test_branches_that_cannot_meet_are_told_without_a_merge(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of branch, each with every other one: quickly, and by merging all of them."""
    cages = project.folder / "zoo/cages/migrations"

    def cage(name: str, *parents: str) -> None:
        cages.mkdir(parents=True, exist_ok=True)
        (cages / "__init__.py").touch()
        entries = ", ".join(f'("cages", "{parent}")' for parent in parents)
        (cages / f"{name}.py").write_text(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            f"    dependencies = [{entries}]\n    operations = []\n"
        )

    with on(project, "main"):
        cage("0001_initial")
        add(project, "0002_a", "0001_initial")

    def on_new(name: str) -> On:
        project.git("branch", name, "main")
        return on(project, name)

    with on_new("keeper-1"):
        add(project, "0003_b", "0002_a")
    with on_new("keeper-2"):
        add(project, "0003_c", "0002_a")
    with on_new("cage-1"):
        cage("0002_x", "0001_initial")
    with on_new("cage-2"):
        cage("0002_y", "0001_initial")
    with on_new("renames"):
        (cages / "0001_initial.py").rename(cages / "0001_start.py")
    with on_new("forks"):
        cage("0002_p", "0001_initial")
        cage("0002_q", "0001_initial")
    with on_new("notes"):
        (project.folder / "notes.txt").touch()
    with on_new("deletes"):
        (project.migrations / "0002_a.py").unlink()
    with on_new("cage-1-too"):
        cage("0002_x", "0001_initial", "0001_initial")
    with on_new("needs-cages"):
        new = project.folder / "zoo/feeds/migrations"
        new.mkdir(parents=True)
        (new / "__init__.py").touch()
        (new / "0001_initial.py").write_text(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
            '    dependencies = [("cages", "0009_lost")]\n    operations = []\n'
        )
    project.git("branch", "later", "cage-1")
    with on(project, "later"):
        (cages / "0002_x.py").unlink()
        add(project, "0003_d", "0002_a")
    repository = Repository(project.folder)

    def compare() -> dict[tuple[str, str], list[tuple[str, str, tuple[str, ...]]]]:
        return {
            (compared.head, compared.ref): [
                (finding.id, finding.message, finding.leaves) for finding in compared.findings
            ]
            for compared in compare_branches(repository, None, "*", Scope(), pairwise=True)
        }

    merges: list[object] = []
    merge = Repository.merge

    def counted(*arguments: Any) -> Merge:
        merges.append(arguments)
        return merge(*arguments)

    monkeypatch.setattr(Repository, "merge", counted)
    quick = compare()
    few = len(merges)
    monkeypatch.setattr(predicting, "read_sides", lambda *_: ({}, {}))
    assert quick == compare()
    assert few < len(merges) - few
    assert quick["cage-1", "keeper-1"] == []
    assert [name for name, *_ in quick["cage-1", "needs-cages"]] == ["versioning.W002"]
    assert [name for name, *_ in quick["cage-1", "cage-1-too"]] == ["versioning.W005"]
    told = {frozenset(pair): findings for pair, findings in quick.items()}
    clean = {}
    for head in ("main", "keeper-1", "cage-1", "notes", "deletes"):
        project.git("switch", "-q", head)
        for ref in {name for pair in told for name in pair} - {head}:
            clean[head, ref] = merge_leaves_nothing_to_find(Objects(project.folder), ref)
    assert [pair for pair in clean if clean[pair] and told[frozenset(pair)]] == []
    assert sum(clean.values()) >= 15
    add(project, "0003_not_committed", "0002_a")
    assert not merge_leaves_nothing_to_find(Objects(project.folder), "notes")
    assert [leaves for _, _, leaves in quick["keeper-1", "keeper-2"]] == [("0003_b", "0003_c")]


def test_a_branch_that_cannot_be_compared_is_named(project: Project) -> None:
    with on(project, "main"):
        project.add_field("photo")
    project.git("switch", "-q", "--orphan", "strange")
    project.migrations.mkdir(parents=True)
    (project.migrations / "__init__.py").touch()
    add(project, "0001_other", "0000_none")
    project.commit()
    project.git("switch", "-q", "main")
    findings = report(project, "--all-branches")
    [finding] = [finding for finding in findings if finding["ref"] == "strange"]
    assert (finding["id"], finding["message"], finding["reason"]) == (
        "versioning.W006",
        "HEAD and strange cannot be compared.",
        "The two have no common ancestor here, so that what a merge gives is not known.",
    )


# --- Without Django, and in odd repositories -----------------------------------------------------


def test_a_bare_repository_and_one_that_is_read_only(project: Project, tmp_path: Path) -> None:
    with on(project, "main"):
        project.add_field("photo")
    with on(project, "other"):
        project.add_field("weight")
    bare = tmp_path / "bare.git"
    project.git("clone", "-q", "--bare", str(project.folder), str(bare))
    before = objects(bare)
    arguments = ["--repo", str(bare), "--head", "main", "--against", "other", "--format", "json"]
    code, out, error = check(tmp_path, *arguments)
    assert (code, error) == (1, "")
    [finding] = json.loads(out)["findings"]
    assert finding["leaves"] == ["0002_keeper_photo", "0002_keeper_weight"]
    assert [branch["ref"] for branch in finding["branches"]] == ["main", "other"]
    assert objects(bare) == before


def test_a_folder_without_git_is_read_as_it_is(project: Project, tmp_path: Path) -> None:
    project.add_field("photo")
    project.add_field("weight")
    copy = tmp_path / "copy"
    shutil.copytree(project.folder / "zoo", copy / "zoo")
    code, out, _ = check(copy, "--format", "json")
    [finding] = json.loads(out)["findings"]
    assert (code, finding["app"]) == (1, "keepers")
    assert finding["branches"][0]["migrations"][0]["commit"] is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--against", "nope"],
            (
                "There is no commit 'nope' here. Look at `git branch --all`; a branch of a remote "
                "must be fetched first: git fetch\n"
            ),
        ),
        (
            ["--against", "--upload-pack=x"],
            "expected one argument",
        ),
        (["--repo", "missing"], "missing is no folder.\n"),
        (["--pairwise"], "--pairwise goes with --all-branches."),
        (
            ["--against", "other", "--all-branches"],
            "--against and --all-branches do not go together: choose one.",
        ),
        (
            ["--all-branches", "--pairwise", "--head", "main"],
            "--pairwise compares branches with each other, and takes no --head.",
        ),
        (["--head", "main:zoo", "--against", "other"], "There is no commit 'main:zoo' here."),
    ],
)
def test_what_cannot_run_exits_2(project: Project, arguments: list[str], error: str) -> None:
    code, out, said = check(project.folder, *arguments)
    assert (code, out) == (2, "")
    assert error in said
    assert "Traceback" not in said


def test_outside_a_repository_it_is_said(tmp_path: Path) -> None:
    code, out, said = check(tmp_path, "--against", "main")
    assert (code, out, said) == (2, "", ". is in no git repository.\n")


def test_a_shallow_clone_is_said(project: Project, tmp_path: Path) -> None:
    with on(project, "main"):
        project.add_field("photo")
    with on(project, "other"):
        project.add_field("weight")
    clone = tmp_path / "clone"
    url = f"file://{project.folder}"
    project.git("clone", "-q", "--depth=1", "--no-single-branch", url, str(clone))
    code, _, said = check(clone, "--against", "origin/other")
    assert code == 2
    assert said == (
        "The two have no common ancestor here, so that what a merge gives is not known. "
        "This clone is shallow: git fetch --unshallow\n"
    )


def test_a_git_that_is_missing_or_old_is_said(project: Project, tmp_path: Path) -> None:
    with on(project, "other"):
        project.add_field("weight")
    with on(project, "main"):
        project.add_field("photo")
    tools = tmp_path / "tools"
    tools.mkdir()
    command = [sys.executable, "-m", "shelter.versioning", "check", "--against", "other"]
    environment = {"PATH": str(tools), "PYTHONPATH": str(Path(__file__).parents[2])}

    def run() -> tuple[int, str]:
        done = subprocess.run(
            command,
            cwd=project.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    assert run() == (2, "git is not installed. On Debian: apt-get install git\n")
    git = shutil.which("git")
    old = tools / "git"
    old.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        '*merge-tree*) echo "usage: git merge-tree" >&2; exit 129;;\n'
        '*version) echo "git version 2.30.2";;\n'
        f'*) exec {git} "$@";;\n'
        "esac\n"
    )
    old.chmod(0o755)
    assert run() == (
        2,
        "git 2.30 is too old to try a merge: 2.38 or later is needed.\n",
    )


def test_a_partial_clone_is_merged_file_by_file(project: Project, tmp_path: Path) -> None:
    """Both sides changed a file whose blobs the clone lacks, so that git itself cannot merge."""
    big = project.folder / "big.txt"
    big.write_text("".join(f"{line}\n" for line in range(100)))
    project.commit()
    project.git("branch", "-f", "other", "main")
    with on(project, "main"):
        project.add_field("photo")
        big.write_text("first\n" + big.read_text())
    with on(project, "other"):
        project.add_field("weight")
        big.write_text(big.read_text() + "last\n")
    bare = tmp_path / "partial.git"
    project.git("clone", "-q", "--bare", str(project.folder), str(bare))
    for blob in ("main~1:big.txt", "main:big.txt", "other:big.txt"):
        name = project.git("rev-parse", blob).strip()
        (bare / "objects" / name[:2] / name[2:]).unlink()
    arguments = ["--repo", str(bare), "--head", "main", "--against", "other", "--format", "json"]
    code, out, error = check(tmp_path, *arguments)
    assert (code, error) == (1, "")
    [finding] = json.loads(out)["findings"]
    assert finding["leaves"] == ["0002_keeper_photo", "0002_keeper_weight"]


# --- Malice --------------------------------------------------------------------------------------


def test_a_malicious_ref_runs_nothing_and_gets_an_answer(project: Project) -> None:
    trap = project.folder / "ran"
    header = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
    with on(project, "other"):
        files = {
            "0002_trap.py": f"open({str(trap)!r}, 'w')\n{header}    pass\n".encode(),
            "0003_huge.py": b"#" * 5_000_000,
            "0004_deep.py": f"{header}    dependencies = {'[' * 3000}{']' * 3000}\n".encode(),
            "0005_latin.py": f"{header}    x = 'ä'\n".encode("latin-1"),
            "0006_nul.py": header.encode() + b"\0",
            "0007_\nline.py": f"{header}    pass\n".encode(),
        }
        for name, content in files.items():
            (project.migrations / name).write_bytes(content)
        (project.migrations / "0008_away.py").symlink_to("/etc/passwd")
    findings = report(project, "--against", "other")
    unread = {
        finding["path"].rpartition("/")[2]: finding["message"]
        for finding in findings
        if finding["id"] == "versioning.W004"
    }
    assert set(unread) == {"0003_huge.py", "0004_deep.py", "0005_latin.py", "0006_nul.py"}
    assert unread["0003_huge.py"] == (
        "keepers.0003_huge cannot be read without running it: The file has 5,000,000 bytes."
    )
    [conflict] = [finding for finding in findings if finding["id"] == "versioning.W001"]
    assert "0008_away" not in conflict["leaves"]
    assert not trap.exists()
    text = project.manage("checkmigrations", "--against", "other")
    assert (text.returncode, "Traceback" in text.stderr) == (1, False)
    annotations = project.manage("checkmigrations", "--against", "other", "--format", "github")
    assert all(line.startswith("::") for line in annotations.stdout.splitlines())


def test_very_many_files_are_no_matter(project: Project) -> None:
    with on(project, "other"):
        heap = project.folder / "heap"
        heap.mkdir()
        for number in range(20_000):
            (heap / f"{number}.txt").touch()
        project.add_field("weight")
    with on(project, "main"):
        project.add_field("photo")
    [finding] = report(project, "--against", "other")
    assert finding["leaves"] == ["0002_keeper_photo", "0002_keeper_weight"]


# --- Merges and rebases that wait ----------------------------------------------------------------


def clash(project: Project) -> None:
    """Make both branches change one line, so that git stops, and each add a migration."""
    for branch, author, name in (("main", "Ana", "photo"), ("other", "Ben", "weight")):
        with on(project, branch, author):
            (project.folder / "notes.txt").write_text(f"{name}\n")
            project.add_field(name)


def test_in_a_merge_it_is_said_whose_side_is_whose(project: Project) -> None:
    clash(project)
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    assert project.run("git", *identity, "merge", "other").returncode == 1
    waiting, conflict = report(project)
    assert (waiting["id"], waiting["level"], waiting["message"], waiting["reason"]) == (
        "versioning.I002",
        "info",
        "A merge of other into HEAD is in progress.",
        "Your side is HEAD, which git now calls ours.",
    )
    assert waiting["next"] == ["git merge --continue", "git merge --abort"]
    assert [(branch["leaf"], branch["ref"]) for branch in conflict["branches"]] == [
        ("0002_keeper_photo", "HEAD"),
        ("0002_keeper_weight", "other"),
    ]
    assert conflict["branches"][1]["migrations"][0]["author"] == "Ben <ben@example.org>"


def test_in_a_rebase_ours_and_theirs_are_swapped(project: Project) -> None:
    clash(project)
    project.git("switch", "-q", "other")
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    assert project.run("git", *identity, "rebase", "main").returncode == 1
    waiting, conflict = report(project)
    assert (waiting["message"], waiting["reason"]) == (
        "A rebase of other onto main is in progress.",
        "Your side is other, which git now calls theirs.",
    )
    assert [(branch["leaf"], branch["ref"]) for branch in conflict["branches"]] == [
        ("0002_keeper_photo", "main"),
        ("0002_keeper_weight", "other"),
    ]
    # A merge in progress is no fault: `check` says nothing of it.
    assert project.manage("check").stderr.count("versioning.") == 1


# --- Each verdict --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "theirs", "verdict", "following"),
    [
        (
            'migrations.AlterField("keeper", "name", models.TextField(default="x"))',
            'migrations.AlterField("keeper", "name", models.TextField(default="y"))',
            "order-dependent",
            "python manage.py rebasemigrations keepers --onto other",
        ),
        (
            'migrations.RemoveField("keeper", "name")',
            'migrations.AlterField("keeper", "name", models.TextField(default="y"))',
            "contradictory",
            f"git log --patch HEAD...other -- {FOLDER}",
        ),
        (
            "migrations.RunPython(fill)",
            'migrations.AlterField("keeper", "name", models.TextField(default="y"))',
            "unknown",
            "python manage.py rebasemigrations keepers --onto other --accept-unknown",
        ),
    ],
)
def test_each_verdict_leads_to_its_commands(
    project: Project, mine: str, theirs: str, verdict: str, following: str
) -> None:
    with on(project, "main"):
        add(project, "0002_a", "0001_initial", mine)
    with on(project, "other"):
        add(project, "0002_b", "0001_initial", theirs)
    conflict, *more = report(project, "--against", "other")
    assert (conflict["verdict"], conflict["next"][-1]) == (verdict, following)
    if verdict == "order-dependent":
        [left] = more
        assert (left["id"], left["message"]) == (
            "versioning.W007",
            "A merge migration of keepers may leave model changes unmigrated.",
        )
    else:
        assert more == []
