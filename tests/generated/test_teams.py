"""Whatever a team does to its models, rebasemigrations and dbsync put files and databases right."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from tests.generated.schemas import (
    APPS,
    BASE,
    Schema,
    changes,
    columns,
    merged,
    overlaps,
    source,
    tables,
    touched,
)
from tests.generated.zygote import Done, Zygote, zygote

pytestmark = pytest.mark.scenario

HISTORIES = int(os.environ.get("SHELTER_GENERATED_HISTORIES", "300"))
SHARES = 10
SHRINK = "SHELTER_SHRINK_HISTORIES" in os.environ

SETTINGS = """
import os

SECRET_KEY = "x"
INSTALLED_APPS = ["shelter.versioning", "zoo.keepers", "zoo.houses"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["ZOO_DATABASE"],
        "OPTIONS": {"init_command": "PRAGMA synchronous=off;"},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
"""

FILL = """from django.db import migrations


def fill(apps, schema_editor):
    apps.get_model("{app}", "{model}").objects.filter({field}__isnull=True).update({field}="filled")


class Migration(migrations.Migration):
    dependencies = [("{app}", "{parent}")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
"""

Rows = dict[str, dict[int, dict[str, Any]]]


@dataclass
class Team:
    """A repository, the models on each of its branches, and a database for each developer."""

    folder: Path
    zygote: Zygote
    schemas: dict[str, Schema] = field(default_factory=dict)
    touched: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    removed: set[tuple[str, str]] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    branch: str = "main"

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org", *arguments],
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def manage(self, who: str, *commands: str) -> list[Done]:
        """Run commands against the database of `who`, in one process; each may fail."""
        environment = {
            "DJANGO_SETTINGS_MODULE": "zoo.settings",
            "ZOO_DATABASE": str(self.database(who)),
        }
        return self.zygote.run(self.folder, environment, *(command.split() for command in commands))

    def must(self, who: str, *commands: str) -> None:
        """Run commands that must not fail."""
        for command, done in zip(commands, self.manage(who, *commands), strict=True):
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def database(self, who: str) -> Path:
        return self.folder.parent / f"{who}.sqlite3"

    def write(self, schema: Schema) -> None:
        """Write the models of the branch that is checked out."""
        self.schemas[self.branch] = schema
        for app in APPS:
            (self.folder / f"zoo/{app}/models.py").write_text(source(schema, app))

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "Work")

    def switch(self, branch: str, *options: str) -> None:
        self.git("switch", "-q", *options, branch)
        self.schemas.setdefault(branch, self.schemas[self.branch])
        self.branch = branch

    def migrations(self, app: str) -> list[str]:
        folder = self.folder / f"zoo/{app}/migrations"
        return sorted(path.stem for path in folder.glob("0*.py"))

    def files(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.folder.glob("zoo/**/*.py")}

    def fill(self, who: str) -> None:
        """Give each table two rows if it has none, and each empty column something."""
        with closing(sqlite3.connect(self.database(who))) as connection, connection:
            for table in _tables(connection):
                for number in (1, 2):
                    defaults = {
                        name: 0 if kind in {"bigint", "integer", "bool"} else ""
                        for name, kind, required in _columns(connection, table)
                        if required and name != "id"
                    }
                    names = ", ".join(['"id"', *(f'"{name}"' for name in defaults)])
                    marks = ", ".join(["?"] * (len(defaults) + 1))
                    connection.execute(
                        f'INSERT OR IGNORE INTO "{table}" ({names}) VALUES ({marks})',
                        [number, *defaults.values()],
                    )
                for name, kind, required in _columns(connection, table):
                    if name == "id":
                        continue
                    empty = f'"{name}" = 0' if required else f'"{name}" IS NULL'
                    value = "id" if name.endswith("_id") else "id * 7"
                    if kind == "bool":
                        value = "1"
                    elif kind == "text" or kind.startswith("varchar"):
                        value = f"'{who} {table} {name} ' || id"
                    connection.execute(f'UPDATE "{table}" SET "{name}" = {value} WHERE {empty}')

    def rows(self, who: str) -> Rows:
        with closing(sqlite3.connect(self.database(who))) as connection:
            connection.row_factory = sqlite3.Row
            return {
                table: {
                    row["id"]: dict(row) for row in connection.execute(f'SELECT * FROM "{table}"')
                }
                for table in _tables(connection)
            }

    def is_level(self, who: str) -> None:
        """Fail unless files and the database of `who` are in order: Django's word, and ours."""
        self.must(
            who,
            "makemigrations --check --dry-run",
            "migrate",
            "migrate --check",
            "checkmigrations",
            "dbstatus --drift --check",
        )


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' "
        "AND (name LIKE 'keepers%' OR name LIKE 'houses%') ORDER BY name DESC"
    )
    return [str(row[0]) for row in found]


def _columns(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    found = connection.execute(f'PRAGMA table_info("{table}")')
    return [(str(row[1]), str(row[2]).lower(), bool(row[3])) for row in found]


def same_rows(before: Rows, after: Rows, among: set[tuple[str, str]], dropped: set[str]) -> None:
    """Fail unless the columns `among` that are in both hold what they held.

    A table of `dropped` may have been dropped and made anew, as somebody's migrations say.
    """
    for table in before.keys() & after.keys() & {table for table, _ in among} - dropped:
        assert before[table].keys() == after[table].keys()
        for number, row in before[table].items():
            for name in row.keys() & after[table][number].keys():
                if (table, name) in among:
                    assert after[table][number][name] == row[name], f"{table}.{name}"


@pytest.fixture(scope="module")
def parent() -> Iterator[Zygote]:
    with zygote() as running:
        yield running


@pytest.fixture(scope="module")
def beginning(parent: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project at its first commit, to be copied."""
    folder = tmp_path_factory.mktemp("beginning") / "zoo"
    for package in (
        "",
        "zoo",
        *(f"zoo/{app}{part}" for app in APPS for part in ("", "/migrations")),
    ):
        (folder / package).mkdir()
        if package:
            (folder / package / "__init__.py").touch()
    (folder / "zoo/settings.py").write_text(SETTINGS)
    (folder / ".gitignore").write_text("__pycache__/\n.cache/\n")
    team = Team(folder, parent)
    team.git("init", "-q", "-b", "main")
    team.write(BASE)
    team.must("base", "makemigrations keepers houses", "migrate")
    team.commit()
    team.fill("base")
    return folder.parent


def work(team: Team, who: str, data: st.DataObject) -> None:
    """Let a developer change models on a branch of their own, and migrate now and then."""
    team.switch(who, "-c")
    shutil.copy(team.database("base"), team.database(who))
    schema = team.schemas[who]
    team.touched[who] = set()
    for step in range(data.draw(st.integers(1, 3))):
        before = {app: team.migrations(app) for app in APPS}
        changed = data.draw(changes(schema))
        note(f"{who}: {touched(schema, changed)}")
        team.touched[who] |= touched(schema, changed)
        team.removed |= {*columns(schema)} - {*columns(changed)}
        team.dropped |= tables(schema) - tables(changed)
        team.write(changed)
        # Two that chose one name for different files meet in git, before they meet here.
        team.must(who, f"makemigrations --noinput --name {who}_{step}")
        _maybe_fill(team, data, schema, changed, before)
        schema = changed
        if data.draw(st.booleans()):
            note(f"{who} migrates")
            team.must(who, "migrate")
            team.fill(who)
    team.commit()


def _maybe_fill(
    team: Team,
    data: st.DataObject,
    schema: Schema,
    changed: Schema,
    before: dict[str, list[str]],
) -> None:
    """Write a data migration for a new text field, or none."""
    for (app, model), fields in changed.items():
        new = set(fields) - set(schema.get((app, model), fields))
        texts = [name for name in new if fields[name] in {"text", "char", "indexed"}]
        wanted = bool(texts) and data.draw(st.booleans())
        if wanted:
            (leaf,) = set(team.migrations(app)) - set(before[app])
            note(f"and fills {texts[0]}")
            name = f"{int(leaf[:4]) + 1:04d}_fill_{leaf[5:]}"
            text = FILL.format(app=app, model=model, field=texts[0], parent=leaf)
            (team.folder / f"zoo/{app}/migrations/{name}.py").write_text(text)


def meet(team: Team, who: str) -> bool:
    """Merge main into a developer's branch, rebase, and merge it into main; False if refused."""
    team.switch(who)
    mine, theirs = team.schemas[who], team.schemas["main"]
    clash = overlaps(team.touched[who], team.touched.setdefault("main", set()))
    team.git("merge", "-q", "-s", "ours", "--no-commit", "main")
    team.git("checkout", "main", "--", ".")
    team.write(merged(mine, theirs, team.touched[who]))
    before, rows = team.files(), team.rows(who)
    (done,) = team.manage(who, "rebasemigrations --noinput --accept-unknown")
    if done.returncode != 0:
        assert done.returncode == 1, done.stderr
        assert "Nothing was changed." in done.stderr
        assert clash, done.stderr
        assert team.files() == before
        assert team.rows(who) == rows
        event("refused")
        team.git("reset", "-q", "--hard")
        team.git("clean", "-q", "-f", "-d")
        team.schemas[who] = mine
        return False
    event("rebased" if "Nothing to rebase" not in done.stdout else "no conflict")
    team.is_level(who)
    same_rows(rows, team.rows(who), {*columns(team.schemas[who])} - team.removed, team.dropped)
    team.fill(who)
    team.commit()
    team.git("branch", "-f", "main", who)
    team.schemas["main"] = team.schemas[who]
    team.touched["main"] |= team.touched[who]
    return True


@pytest.mark.parametrize("share", range(SHARES))
@given(data=st.data())
@settings(
    max_examples=HISTORIES // SHARES,
    deadline=None,
    phases=[Phase.generate, Phase.shrink] if SHRINK else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_a_team_ends_level_with_all_its_rows(
    parent: Zygote,
    beginning: Path,
    tmp_path_factory: pytest.TempPathFactory,
    share: int,
    data: st.DataObject,
) -> None:
    """Two to four developers branch from main, work, meet one by one, and switch branches.

    main - ana 1..3 migrations - merge, rebased - - - - - main
        \\- ben 1..3 migrations - - - - - - - - - merge, rebased
    """
    place = tmp_path_factory.mktemp("team")
    shutil.copytree(beginning, place, dirs_exist_ok=True)
    team = Team(place / "zoo", parent, {"main": BASE})
    try:
        developers = ["ana", "ben", "cleo", "dora"][: data.draw(st.integers(2, 4))]
        for who in developers:
            team.switch("main")
            work(team, who, data)
        merged_in = [who for who in developers if meet(team, who)]
        note(f"merged: {merged_in}")
        for who in developers:
            for branch in data.draw(
                st.lists(st.sampled_from(["main", *developers]), min_size=1, max_size=2)
            ):
                switch_and_sync(team, who, branch)
    finally:
        shutil.rmtree(place)


def switch_and_sync(team: Team, who: str, branch: str) -> None:
    """Check a branch out, and bring the database of `who` to it."""
    note(f"{who} goes to {branch}")
    rows = team.rows(who)
    team.switch(branch)
    (done,) = team.manage(who, "dbsync --noinput --allow-data-loss")
    assert done.returncode == 0, done.stdout + done.stderr
    team.is_level(who)
    # A column that one branch alone has goes and comes back empty.
    same_rows(rows, team.rows(who), {*columns(BASE)} - team.removed, team.dropped)
    team.fill(who)
