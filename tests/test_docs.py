"""The documentation says what is so: every command in it is run, every link leads somewhere."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from django.core.management import get_commands, load_command_class

from animals.importing.records import Kind
from shelter.versioning.report.findings import RULES
from tests.checkout import ROOT, copy_project, run_python

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"(?:<!-- scene: ([a-z-]+) -->\n)?```console\n(.*?)```", re.DOTALL)


# --- Commands and their output -----------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """A folder in which the commands of a block are typed."""

    folder: Path

    def type(self, line: str) -> str:
        """Return what the command `line` prints, on both streams."""
        program, *arguments = shlex.split(line)
        if program == "python":
            program = sys.executable
        done = subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_AUTHOR_DATE": "2026-11-02T09:00:00+0100",
                "GIT_COMMITTER_DATE": "2026-11-02T09:00:00+0100",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout

    def git(self, *arguments: str, author: str = "Ana") -> None:
        """Run git as `author`."""
        identity = ["-c", f"user.name={author}", "-c", f"user.email={author.lower()}@example.org"]
        self.type(shlex.join(["git", *identity, *arguments]))


def shelter(folder: Path) -> Scene:
    """Make the shelter, its database migrated."""
    scene = Scene(copy_project(folder))
    scene.type("python manage.py migrate -v0")
    return scene


def one_branch(folder: Path) -> Scene:
    """Make the shelter in a git repository."""
    scene = shelter(folder)
    for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Shelter"]):
        scene.git(*command)
    return scene


def apart(folder: Path) -> Scene:
    """
    0007_outcome_date -- 0008_animal_photo    (photo, Ana)
                 \\
                  0008_animal_weight      (weight, Ben, which is checked out)
    """
    scene = one_branch(folder)
    fields = {
        "Ana": ("photo", 'URLField("photo", blank=True, default="")'),
        "Ben": ("weight", 'DecimalField("weight", max_digits=5, decimal_places=2, null=True)'),
    }
    models = folder / "animals/models.py"
    before = models.read_text()
    anchor = "    notes = models.TextField(blank=True)\n"
    assert before.count(anchor) >= 1
    for author, (name, field) in fields.items():
        scene.git("switch", "-q", "-c", name, "main")
        head, tail = before.split(anchor, 1)
        models.write_text(f"{head}{anchor}    {name} = models.{field}\n{tail}")
        scene.type("python manage.py makemigrations animals -v0")
        scene.git("add", "-A")
        scene.git("commit", "-q", "-m", f"Animals have a {name}", author=author)
    return scene


def two_branches(folder: Path) -> Scene:
    """Make `apart`, its branches merged."""
    scene = apart(folder)
    # git sees that both wrote at one place in models.py, and is told to keep both lines.
    (folder / ".git/info/attributes").write_text("animals/models.py merge=union\n")
    scene.git("merge", "-q", "--no-edit", "photo", author="Ben")
    return scene


def changed(folder: Path) -> Scene:
    """Make `apart` on main, a field added to a model."""
    scene = apart(folder)
    scene.git("switch", "-q", "main")
    models = folder / "animals/models.py"
    text = models.read_text()
    anchor = "    notes = models.TextField(blank=True)\n"
    field = '    nickname = models.CharField(max_length=50, blank=True, default="")\n'
    models.write_text(text.replace(anchor, anchor + field, 1))
    return scene


def pulled(folder: Path) -> Scene:
    """Make `apart` on main, after Ana's branch came in."""
    scene = apart(folder)
    scene.git("switch", "-q", "main")
    scene.git("merge", "-q", "photo")
    return scene


def switched(folder: Path) -> Scene:
    """Make `apart` on Ana's branch, after Ben's was migrated."""
    scene = apart(folder)
    scene.type("python manage.py migrate -v0")
    scene.git("switch", "-q", "photo")
    return scene


def meeting(folder: Path) -> Scene:
    """Make Ben's branch, applied, after he merged main, into which Ana's came before."""
    scene = apart(folder)
    scene.type("python manage.py migrate -v0")
    scene.git("branch", "-q", "-f", "main", "photo")
    (folder / ".git/info/attributes").write_text("animals/models.py merge=union\n")
    scene.git("merge", "-q", "--no-edit", "main", author="Ben")
    return scene


def rebased(folder: Path) -> Scene:
    """Make `meeting` as a teammate of Ben's gets it, who had applied his branch, and he rebased."""
    scene = meeting(folder)
    database = folder / "db.sqlite3"
    theirs = database.rename(folder / "theirs.sqlite3")
    scene.type("python manage.py rebasemigrations")
    scene.git("add", "-A", "animals")
    scene.git("commit", "-q", "-m", "After Ana's", author="Ben")
    theirs.rename(database)
    return scene


def edited(folder: Path) -> Scene:
    """Make Ben's branch, applied, and his migration edited afterwards."""
    scene = apart(folder)
    scene.type("python manage.py migrate -v0")
    (path,) = (folder / "animals/migrations").glob("0008_*.py")
    path.write_text(path.read_text().replace("max_digits=5", "max_digits=12"))
    return scene


def squashed(folder: Path) -> Scene:
    """Make the shelter, migrated, after a teammate squashed two migrations and deleted them."""
    scene = one_branch(folder)
    migrations = folder / "animals/migrations"
    old = sorted(migrations.glob("000[67]_*.py"))
    scene.type("python manage.py squashmigrations animals 0006 0007 --noinput -v0")
    scene.git("add", "-A")
    scene.git("commit", "-q", "-m", "Squash")
    (squash,) = migrations.glob("0006_*_squashed_*.py")
    source = re.sub(r"    replaces = \[.*?\]\n\n", "", squash.read_text(), flags=re.DOTALL)
    squash.write_text(source)
    for path in old:
        path.unlink()
    scene.git("add", "-A")
    scene.git("commit", "-q", "-m", "Every database has passed them")
    return scene


def refused(folder: Path) -> Scene:
    """Make Ben's branch, after Ana's came into main."""
    scene = apart(folder)
    scene.git("branch", "-q", "-f", "main", "photo")
    for name, value in (("user.name", "Ben"), ("user.email", "ben@example.org")):
        scene.git("config", name, value)
    (folder / ".git/info/attributes").write_text("animals/models.py merge=union\n")
    return scene


def failed(folder: Path) -> Scene:
    """Make the shelter after a migration failed, which is mended on the branch `mended`."""
    scene = one_branch(folder)
    path = folder / "animals/migrations/0008_no_blanks.py"
    wrong = "UPDATE animals_animal SET notes = trim(note)"
    for branch, statement in (("main", wrong), ("mended", wrong.replace("(note)", "(notes)"))):
        scene.git("switch", "-q", "-C", branch)
        path.write_text(
            "from django.db import migrations\n\n\n"
            "class Migration(migrations.Migration):\n"
            '    dependencies = [("animals", "0007_outcome_date")]\n'
            f'    operations = [migrations.RunSQL("{statement}", "")]\n'
        )
        scene.git("add", "-A")
        scene.git("commit", "-q", "-m", "Notes have no blanks around them")
    scene.git("switch", "-q", "main")
    assert "no such column: note" in scene.type("python manage.py migrate animals")
    return scene


def hotfix(folder: Path) -> Scene:
    """Make main with Ana's branch, into which Ben's came, which production has as a hotfix."""
    scene = apart(folder)
    scene.type("python manage.py migrate -v0")
    scene.git("branch", "-q", "hotfix", "weight")
    scene.git("switch", "-q", "-C", "main", "photo")
    (folder / ".git/info/attributes").write_text("animals/models.py merge=union\n")
    scene.git("merge", "-q", "--no-edit", "hotfix")
    return scene


def deploying(folder: Path) -> Scene:
    """Make `pulled`, where another deployer has begun."""
    scene = pulled(folder)
    other = shlex.join([sys.executable, "manage.py", "migrate", "-v0"])
    scene.type(shlex.join(["sh", "-c", f"{other} > /dev/null 2>&1 &"]))
    return scene


SCENES: dict[str, Callable[[Path], Scene]] = {
    "shelter": shelter,
    "one-branch": one_branch,
    "apart": apart,
    "two-branches": two_branches,
    "changed": changed,
    "pulled": pulled,
    "switched": switched,
    "meeting": meeting,
    "rebased": rebased,
    "edited": edited,
    "squashed": squashed,
    "refused": refused,
    "failed": failed,
    "hotfix": hotfix,
    "deploying": deploying,
}


def blocks() -> Iterator[Any]:
    for document in DOCUMENTS:
        for number, match in enumerate(_BLOCK.finditer(document.read_text()), 1):
            if match[1] == "tour":
                continue
            yield pytest.param(
                document, match[1], match[2], id=f"{document.stem}-{number}-{match[1]}"
            )


def commands_in(block: str) -> list[str]:
    return [line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ ")]


def steady(output: str) -> str:
    """Return `output` without what differs from run to run: commits, and how long it took."""
    output = re.sub(r"\b[0-9a-f]{10}\b|\b[0-9a-f]{40}\b", "(commit)", output)
    output = re.sub(r"\b\d{4}-\d\d-\d\d\s+\d\d:\d\d\b", "(moment)", output)
    return re.sub(r"\b\d+\.\d+ s\b", "(time)", output)


@pytest.mark.scenario
@pytest.mark.parametrize(("document", "scene", "block"), list(blocks()))
def test_a_command_prints_what_the_documentation_shows(
    document: Path, scene: str | None, block: str, tmp_path: Path
) -> None:
    assert scene in SCENES, f"say above the block which of {', '.join(SCENES)} it is typed in"
    where = SCENES[scene](tmp_path / "shelter")
    commands = commands_in(block)
    assert commands
    real = "".join(
        f"$ {line}\n{output}" if (output := where.type(line)) else f"$ {line}\n"
        for line in commands
    )
    if os.environ.get("SHELTER_UPDATE_DOCS") == "1":
        document.write_text(document.read_text().replace(block, real))
    else:
        assert steady(block) == steady(real)


def test_the_readme_shows_moments_of_the_tour(tmp_path: Path) -> None:
    """Each sentence and command of the block is one of the tour's, in its order, whole."""
    readme = ROOT / "README.md"
    (block,) = (text for scene, text in _BLOCK.findall(readme.read_text()) if scene == "tour")
    told = Scene(copy_project(tmp_path / "shelter")).type("python manage.py tour --format=json")
    moments = iter(
        (line, output)
        for step in json.loads(told)["steps"]
        for line, output in (
            (f"# {step['says']}", ""),
            *((f"{typed['by']}$ {typed['line']}", typed["output"]) for typed in step["typed"]),
        )
    )
    shown = re.findall(r"^(?:# |\w+\$ ).*$", block, re.MULTILINE)
    assert shown
    real = ""
    for line in shown:
        output = next((output for moment, output in moments if moment == line), None)
        assert output is not None, f"the tour has no {line!r} there"
        real += f"{line}\n{output}"
    if os.environ.get("SHELTER_UPDATE_DOCS") == "1":
        readme.write_text(readme.read_text().replace(block, real))
    else:
        assert steady(block) == steady(real)


# --- Commands alone ----------------------------------------------------------------------------


def typed() -> Iterator[tuple[Path, str]]:
    """Yield each command that is shown: in blocks, and in the text between back quotes."""
    for document in DOCUMENTS:
        text = document.read_text()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            yield from ((document, line) for line in block.splitlines() if line)
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for line in re.findall(r"`([^`\n]+)`", text):
            if line.startswith(("make ", "python manage.py ", "manage.py ")):
                yield document, line


@pytest.mark.parametrize(("document", "line"), sorted(set(typed())))
def test_each_command_and_option_that_is_named_is_there(document: Path, line: str) -> None:
    words = shlex.split(line)
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= targets
    elif any(word.endswith("manage.py") for word in words):
        at = next(at for at, word in enumerate(words) if word.endswith("manage.py"))
        name, *arguments = words[at + 1 :]
        command = load_command_class(get_commands()[name], name)
        parser = command.create_parser("manage.py", name)
        known = {option for action in parser._actions for option in action.option_strings}
        options = {word.partition("=")[0] for word in arguments if word.startswith("-")}
        assert options <= known


# --- Links, lists --------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).is_file(), target


def test_the_readme_leads_to_every_document() -> None:
    readme = (ROOT / "README.md").read_text()
    for document in (ROOT / "docs").glob("*.md"):
        assert f"](docs/{document.name})" in readme


def test_every_dependency_has_its_reason() -> None:
    asked_for = set()
    for name in ("requirements.txt", "requirements-production.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if match := re.match(r"([A-Za-z][A-Za-z0-9-]*)(?:\[[^]]*\])?==[0-9.]+$", line):
                asked_for.add(match[1])
            else:
                assert not line or line.startswith(("#", "-r ", "-c ")), line
    explained = re.findall(
        r"^\| (?!package)([A-Za-z0-9-]+) \| \w",
        (ROOT / "docs/dependencies.md").read_text(),
        re.MULTILINE,
    )
    assert sorted(explained, key=str.lower) == sorted(asked_for, key=str.lower)


def test_every_finding_of_an_import_is_documented() -> None:
    documented = re.findall(
        r"^\| `(importing\.\w+)`", (ROOT / "docs/importing.md").read_text(), re.MULTILINE
    )
    assert documented == [kind.value for kind in Kind]


def test_every_finding_of_versioning_is_documented() -> None:
    documented = [
        name
        for page in ("checkmigrations", "migrate")
        for name in re.findall(
            r"^\| `(versioning\.\w+)`", (ROOT / f"docs/{page}.md").read_text(), re.MULTILINE
        )
    ]
    sources = (ROOT / "shelter/versioning").rglob("*.py")
    used = {
        name
        for path in sources
        for name in re.findall(r'"(versioning\.[WI]\d+)"', path.read_text())
    }
    assert sorted(documented) == sorted(RULES)
    assert used == set(RULES)


def test_make_help_names_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    named = [line.split()[1] for line in done.stdout.splitlines()]
    phony = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(phony[0].split())


# --- The shape of reports ------------------------------------------------------------------------


@pytest.mark.scenario
@pytest.mark.parametrize("scene", ["one-branch", "two-branches"])
def test_reports_are_of_the_documented_shape(scene: str, tmp_path: Path) -> None:
    schema = json.loads((ROOT / "docs/findings.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    where = SCENES[scene](tmp_path / "shelter")
    done = run_python(where.folder, "manage.py", "checkmigrations", "--format=json")
    report = json.loads(done.stdout)
    jsonschema.validate(report, schema, cls=jsonschema.Draft202012Validator)
    assert len(report["findings"]) == (scene == "two-branches")
