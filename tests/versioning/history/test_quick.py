"""Nothing to find, told quickly: only where the whole check finds nothing either."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shelter.versioning.conflicts.explaining import Origins, explain
from shelter.versioning.history import quick, scanning
from shelter.versioning.history.git import Repository
from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.packages import read_packages
from shelter.versioning.history.quick import Look, git_is_waiting, package_folders
from shelter.versioning.history.scanning import MAX_SOURCE_BYTES

Files = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of what is remembered, the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/shelter-versioning"


def nothing_to_find(
    packages: list[tuple[str, str]],
    swappable: dict[str, str] | None = None,
    closed: bool = False,
) -> bool:
    return Look(packages, swappable=swappable, closed=closed).nothing_to_find()


def body(*lists: str) -> str:
    lines = "".join(f"    {line}\n" for line in lists)
    return f"class Migration(migrations.Migration):\n{lines}    operations = []\n"


def write(top: Path, files: Files) -> list[tuple[str, str]]:
    packages = []
    for app, migrations in files.items():
        folder = top / app / "migrations"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "__init__.py").touch()
        for name, source in migrations.items():
            (folder / f"{name}.py").write_text(source)
        packages.append((app, str(folder)))
    return packages


PLAIN: Files = {
    "zoo": {
        "0001_initial": body("initial = True"),
        "0002_a": body("dependencies = [('zoo', '0001_initial'), ('auth', '0001_initial')]"),
    },
    "cages": {"0001_initial": body("dependencies = [('zoo', '__first__')]")},
}


KEY, FIRST_KEY = ("auth", "0001_initial"), ("zoo", "0001_initial")
SOUTH = body("dependencies = [('zoo', '0002_a')]").replace("migrations.Mig", "v2.DataMig")


def test_a_plain_project_has_nothing_to_find(tmp_path: Path) -> None:
    packages = write(tmp_path, PLAIN)
    assert nothing_to_find(packages)
    # Where every app must be there, that of the dependency is missing.
    assert not nothing_to_find(packages, closed=True)


@pytest.mark.parametrize(
    ("app", "name", "source"),
    [
        ("zoo", "0002_b", body("dependencies = [('zoo', '0001_initial')]")),
        ("zoo", "0003_b", body("dependencies = [('zoo', '0002_lost')]")),
        ("zoo", "0001_initial", body("dependencies = [('zoo', '0002_a')]")),
        ("zoo", "0001_initial", body("dependencies = [('cages', '0001_initial')]")),
        ("zoo", "0001_other", body()),
        ("cages", "0002_b", body("dependencies = [('zoo', '0009_lost')]")),
        ("zoo", "0003_b", body("dependencies = [('zoo', '0002_a')]", "run_before = [('x', 'y')]")),
        ("zoo", "0003_b", body("dependencies = [('zoo', '0002_a')]", f"replaces = [{FIRST_KEY}]")),
        ("cages", "0001_initial", body(f"dependencies = [{KEY}]", f"replaces = [{KEY}]")),
        ("zoo", "0003_b", body("dependencies = find()")),
        ("zoo", "0003_b", SOUTH),
        ("zoo", "0003_b", "class Migration(migrations.Migration):\n    (\n"),
        ("zoo", "0003_b", body("dependencies = [('zoo', '__latest__')]")),
        ("cages", "0002_b", body("dependencies = [('cages', '__first__')]")),
        ("zoo", "helper", "x = 1\n"),
    ],
)
def test_what_is_not_plain_is_left_to_the_whole_check(
    tmp_path: Path, app: str, name: str, source: str
) -> None:
    files = {label: dict(migrations) for label, migrations in PLAIN.items()}
    files[app][name] = source
    assert not nothing_to_find(write(tmp_path, files))


@pytest.mark.parametrize(
    ("app", "name", "source"),
    [
        ("zoo", "0003_b", body("dependencies = [('zoo', '0002' '_a')]")),
        ("zoo", "0003_b", body("dependencies = [('zoo', '0002_a')]") + "print(Migration)\n"),
        ("zoo", "0002_a", body(f"dependencies = [{FIRST_KEY}]", "replaces = [('old', '0002_a')]")),
        ("zoo", "0002_a", body(f"dependencies = [{FIRST_KEY}]", "run_before = [('cages', 'x')]")),
    ],
)
def test_other_forms_with_nothing_to_find_are_read_too(
    tmp_path: Path, app: str, name: str, source: str
) -> None:
    files = {label: dict(migrations) for label, migrations in PLAIN.items()}
    files["cages"] = {"x": files["cages"]["0001_initial"]}
    files[app][name] = source
    assert nothing_to_find(write(tmp_path, files))


@pytest.mark.parametrize(("more", "is_read"), [(0, True), (1, False)])
def test_a_file_that_is_too_large_is_left_to_the_whole_check(
    tmp_path: Path, more: int, is_read: bool
) -> None:
    files = {label: dict(migrations) for label, migrations in PLAIN.items()}
    source = files["zoo"]["0002_a"]
    files["zoo"]["0002_a"] = source.ljust(MAX_SOURCE_BYTES + more, "#")
    packages = write(tmp_path, files)
    assert nothing_to_find(packages) is is_read
    history = read_packages({app: Path(folder) for app, folder in packages}, tmp_path)
    assert [place.reason for place in history.unreadable] == (
        [] if is_read else ["The file has 4,000,001 bytes."]
    )


EXTRAS = (
    "",
    "migrations.swappable_dependency(settings.AUTH_USER_MODEL)",
    "run_before = [('cages', '0002_b')]",
    "replaces = [('auth', '0001_a')]",
)
NAMES = ("0001_a", "0002_b", "0003_c")
KEYS = st.tuples(st.sampled_from(["zoo", "cages", "auth"]), st.sampled_from([*NAMES, "__first__"]))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    migrations=st.dictionaries(
        st.tuples(st.sampled_from(["zoo", "cages"]), st.sampled_from(NAMES)),
        st.tuples(st.lists(KEYS, max_size=2), st.sampled_from(EXTRAS)),
        max_size=6,
    ),
    swappable=st.sampled_from([None, {"AUTH_USER_MODEL": "zoo"}, {"AUTH_USER_MODEL": "cages"}]),
    closed=st.booleans(),
)
@example(
    migrations={("zoo", "0001_a"): ([("cages", "__first__")], "")}, swappable=None, closed=True
)
def test_it_never_says_so_where_the_whole_check_finds_something(
    tmp_path_factory: pytest.TempPathFactory,
    migrations: dict[tuple[str, str], tuple[list[tuple[str, str]], str]],
    swappable: dict[str, str] | None,
    closed: bool,
) -> None:
    top = tmp_path_factory.mktemp("quick")
    files: Files = {"zoo": {}, "cages": {}}
    for (app, name), (dependencies, extra) in migrations.items():
        entries = [repr(key) for key in dependencies]
        lists = []
        if extra.startswith("migrations."):
            entries.append(extra)
        elif extra:
            lists.append(extra)
        files[app][name] = body(f"dependencies = [{', '.join(entries)}]", *lists)
    packages = write(top, files)
    if nothing_to_find(packages, swappable=swappable, closed=closed):
        history = read_packages({app: Path(folder) for app, folder in packages}, top)
        graph = build_graph(history.migrations, swappable=swappable, foreign=not closed)
        assert explain(history, graph, Origins(Repository(top))) == ()


# --- Remembering ---------------------------------------------------------------------------------


def settled(packages: list[tuple[str, str]]) -> None:
    """Make the files old enough to be remembered."""
    time.sleep(quick._RACY_NS / 1e9 + 0.05)
    assert nothing_to_find(packages)


def test_unchanged_files_are_not_read_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = write(tmp_path, PLAIN)
    settled(packages)
    assert len(list(cache.iterdir())) == 1
    reads: list[bytes] = []
    scan = scanning.scan

    def counted(source: bytes) -> scanning.Scanned | None:
        reads.append(source)
        return scan(source)

    monkeypatch.setattr(scanning, "scan", counted)
    assert nothing_to_find(packages)
    assert reads == []
    # It is forgotten with the file, and nothing else is lost.
    next(cache.iterdir()).unlink()
    assert nothing_to_find(packages)
    assert len(reads) == 3


def test_what_the_whole_check_found_nothing_in_is_remembered_too(tmp_path: Path) -> None:
    files = {label: dict(migrations) for label, migrations in PLAIN.items()}
    files["zoo"]["0003_b"] = body("dependencies = [('zoo', '0002_a')]", "run_before = [('x', 'y')]")
    packages = write(tmp_path, files)
    time.sleep(quick._RACY_NS / 1e9 + 0.05)
    look = Look(packages)
    assert not look.nothing_to_find()
    look.remember_nothing()
    assert nothing_to_find(packages)
    # Of another question nothing is remembered.
    assert not nothing_to_find(packages, closed=True)


@pytest.mark.parametrize("change", ["content", "new", "gone", "renamed"])
def test_a_changed_file_is_seen(tmp_path: Path, change: str) -> None:
    packages = write(tmp_path, PLAIN)
    settled(packages)
    folder = tmp_path / "zoo/migrations"
    if change == "content":
        path = folder / "0002_a.py"
        before = path.stat()
        path.write_text(path.read_text().replace("0001_initial'), (", "0001_initiaX'), ("))
        # Even with its old size and time.
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "new":
        (folder / "0002_b.py").write_text(body("dependencies = [('zoo', '0001_initial')]"))
    elif change == "gone":
        (folder / "0001_initial.py").unlink()
    else:
        (folder / "0001_initial.py").rename(folder / "0001_start.py")
    assert not nothing_to_find(packages)


def test_files_that_were_changed_just_now_are_not_remembered(tmp_path: Path, cache: Path) -> None:
    packages = write(tmp_path, PLAIN)
    (tmp_path / "zoo/migrations/0001_initial.py").touch()
    assert nothing_to_find(packages)
    assert list(cache.iterdir()) == []


def test_without_a_place_nothing_is_remembered_and_all_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = write(tmp_path, PLAIN)
    (tmp_path / "file").touch()
    for place in (str(tmp_path / "file"), "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", place)
        settled(packages)
        assert nothing_to_find(packages)


# --- Places --------------------------------------------------------------------------------------


def test_packages_are_looked_for_where_code_of_the_project_is(tmp_path: Path) -> None:
    write(tmp_path, PLAIN)
    for folder in (".hidden/migrations", "venv/x/migrations", "node_modules/migrations"):
        write(tmp_path / folder, {"no": PLAIN["zoo"]})
    (tmp_path / "venv/pyvenv.cfg").touch()
    numbered = tmp_path / "history"
    numbered.mkdir()
    for name in ("__init__.py", "0001_initial.py"):
        (numbered / name).touch()
    (tmp_path / "plain/migrations").mkdir(parents=True)
    (tmp_path / "plain/migrations/0001_x.py").touch()
    (tmp_path / "away").symlink_to(tmp_path / "zoo")
    found = {os.path.relpath(folder, tmp_path) for folder in package_folders(str(tmp_path))}
    assert found == {"zoo/migrations", "cages/migrations", "history"}


@pytest.mark.parametrize("name", ["MERGE_HEAD", "rebase-merge", "rebase-apply"])
def test_a_merge_or_a_rebase_is_left_to_the_whole_check(tmp_path: Path, name: str) -> None:
    below = tmp_path / "a/b"
    below.mkdir(parents=True)
    assert not git_is_waiting(str(below))
    (tmp_path / ".git").mkdir()
    assert not git_is_waiting(str(below))
    (tmp_path / ".git" / name).touch()
    assert git_is_waiting(str(below))


def test_a_linked_work_tree_is_left_to_the_whole_check(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /elsewhere\n")
    assert git_is_waiting(str(tmp_path))
