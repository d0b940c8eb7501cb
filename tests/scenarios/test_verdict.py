"""The verdict on this checkout's own migrations, by the models' states; of a ref, by text alone."""

import json
from pathlib import Path

import pytest

from tests.versioning.projects import Project, make_project

pytestmark = pytest.mark.scenario

ALTER = 'migrations.AlterField("keeper", "name", models.CharField({}))'
SHORT, ALIKE = ALTER.format("max_length=9, blank=True"), ALTER.format("blank=True, max_length=9")
COMPUTED = '*[migrations.AddField("keeper", name, models.TextField(null=True)) for name in ["age"]]'
CLASH = (
    "One of them cannot run after the other: Remove field name from keeper; Alter field name on "
    "keeper (field name of keepers.keeper is not there)."
)
LAST_WINS = "Whichever comes last wins: Alter field name on keeper; Alter field name on keeper."


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """
    0001_initial -- 0002_a   (the branch mine)
                 \\
                  0002_b    (main)
    """
    return make_project(tmp_path / "zoo")


def make_sides(project: Project, mine: str, theirs: str) -> None:
    project.git("switch", "-q", "-c", "mine")
    project.write("0002_a", "0001_initial", mine)
    project.commit()
    project.git("switch", "-q", "main")
    project.write("0002_b", "0001_initial", theirs)
    project.commit("Ben")
    project.git("switch", "-q", "mine")


def verdict(project: Project, *arguments: str) -> tuple[str, str]:
    done = project.manage("checkmigrations", "--format=json", *arguments)
    findings = json.loads(done.stdout)["findings"]
    [conflict] = [finding for finding in findings if finding["id"] == "versioning.W001"]
    return conflict["verdict"], conflict["reason"]


@pytest.mark.parametrize(
    ("mine", "theirs", "from_ref", "here"),
    [
        (
            SHORT,
            ALIKE,
            (
                "order-dependent",
                LAST_WINS,
            ),
            (
                "independent",
                "Both change keepers.keeper, but no part of it in different ways.",
            ),
        ),
        (
            COMPUTED,
            SHORT,
            (
                "unknown",
                (
                    "The operations of 0002_a cannot be read without running it, so that what it "
                    "touches is not known."
                ),
            ),
            ("independent", "Both orders give the same models."),
        ),
        (
            'migrations.RemoveField("keeper", "name")',
            SHORT,
            ("contradictory", CLASH.replace(" (field name of keepers.keeper is not there)", "")),
            ("contradictory", CLASH),
        ),
        (
            ALTER.format("max_length=9"),
            ALTER.format("max_length=8"),
            (
                "order-dependent",
                LAST_WINS,
            ),
            (
                "order-dependent",
                LAST_WINS,
            ),
        ),
    ],
)
def test_the_states_tell_more_than_the_text(
    project: Project,
    mine: str,
    theirs: str,
    from_ref: tuple[str, str],
    here: tuple[str, str],
) -> None:
    make_sides(project, mine, theirs)
    assert verdict(project, "--against", "main") == from_ref
    project.git("merge", "-q", "main", "-m", "Merge")
    assert verdict(project) == here
    dry = project.manage("rebasemigrations", "--dry-run")
    assert dry.returncode == int(here[0] == "contradictory")


def test_code_is_read_as_text_here_too(project: Project) -> None:
    make_sides(project, "migrations.RunPython(lambda apps, editor: print(apps.x()))", SHORT)
    (project.migrations / "0002_a.py").write_text(
        (project.migrations / "0002_a.py")
        .read_text()
        .replace("class", "from zoo.filling import fill\n\n\nclass")
        .replace("lambda apps, editor: print(apps.x())", "fill")
    )
    (project.folder / "zoo/filling.py").write_text("def fill(apps, editor): pass\n")
    project.commit()
    project.git("merge", "-q", "main", "-m", "Merge")
    assert verdict(project) == (
        "unknown",
        "The function of RunPython(fill) is in another file, so that what it touches is not known.",
    )


def test_what_cannot_be_imported_is_judged_by_its_text(project: Project) -> None:
    make_sides(project, SHORT, ALIKE)
    project.git("merge", "-q", "main", "-m", "Merge")
    broken = project.migrations / "0002_b.py"
    broken.write_text("import nowhere\n" + broken.read_text())
    assert verdict(project)[0] == "order-dependent"


def test_a_side_that_cannot_run_by_itself_is_unknown(project: Project) -> None:
    make_sides(project, 'migrations.RemoveField("keeper", "lost")', SHORT)
    project.git("merge", "-q", "main", "-m", "Merge")
    assert verdict(project) == (
        "unknown",
        (
            "By itself one side cannot run: Remove field lost from keeper: field lost of "
            "keepers.keeper is not there."
        ),
    )


def test_three_leaves_are_compared_two_by_two(project: Project) -> None:
    """
    0001_initial -- 0002_a -- 0003_a
                 \\        \\
                  \\         0003_c
                   0002_b
    """
    make_sides(project, 'migrations.AddField("keeper", "age", models.TextField(null=True))', SHORT)
    project.git("merge", "-q", "main", "-m", "Merge")
    for name in ("a", "c"):
        project.write(
            f"0003_{name}",
            "0002_a",
            f'migrations.AddField("keeper", "{name}", models.TextField(null=True))',
        )
    project.commit()
    # What two sides share comes before both.
    for arguments in ((), ("--against", "main")):
        done = project.manage("checkmigrations", "--format=json", *arguments)
        [conflict] = json.loads(done.stdout)["findings"]
        assert conflict["leaves"] == ["0002_b", "0003_a", "0003_c"]
        assert conflict["verdict"] == "independent"
