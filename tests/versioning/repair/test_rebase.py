"""What a rebase makes of histories, by their files alone."""

import pytest

from shelter.versioning.history.graph import build_graph
from shelter.versioning.history.packages import History, read_folders
from shelter.versioning.repair.rebase import CannotRebaseError, plan_rebase, sides_of

ADD = "migrations.RunSQL('SELECT 1')"
FOLDER = "zoo/migrations"


def migration(*parents: str, does: str = ADD, before: str = "") -> bytes:
    dependencies = ", ".join(f'("zoo", "{parent}")' for parent in parents)
    return (
        f"from django.db import migrations\n{before}\n\nclass Migration(migrations.Migration):\n"
        f"    dependencies = [{dependencies}]\n    operations = [{does}]\n"
    ).encode()


def history_of(files: dict[str, bytes]) -> History:
    return read_folders({FOLDER: dict(files)})


def rebased(files: dict[str, bytes], mine: set[str]) -> dict[str, bytes]:
    """Return the files after mine were put after theirs; there is one leaf then."""
    history = history_of(files)
    plan = plan_rebase(
        history,
        *sides_of(history, {"zoo"}, "main", lambda path: path.split("/")[-1][:-3] not in mine),
    )
    after = dict(files)
    for edit in plan.edits:
        del after[edit.path.split("/")[-1].removesuffix(".py")]
    for edit in plan.edits:
        if edit.new_path is not None:
            after[edit.new_path.split("/")[-1].removesuffix(".py")] = edit.after
    graph = build_graph(history_of(after).migrations)
    assert (graph.conflicts(), graph.missing) == ({}, ())
    return after


BASE = {"0001_initial": migration(), "0002_theirs": migration("0001_initial")}


def test_a_merge_of_two_of_mine_stays() -> None:
    """
    0001 -- 0002_x -- 0003_merge
        \\-- 0002_y --/
        \\-- 0002_theirs
    """
    mine = {
        "0002_x": migration("0001_initial"),
        "0002_y": migration("0001_initial"),
        "0003_merge": migration("0002_x", "0002_y", does=""),
    }
    assert rebased(BASE | mine, set(mine)) == BASE | {
        "0003_x": migration("0002_theirs"),
        "0004_y": migration("0002_theirs"),
        "0005_merge": migration("0003_x", "0004_y", does=""),
    }


def test_merges_with_theirs_go_one_after_the_other() -> None:
    """
    0001 -- 0002_x -- 0003_merge -- 0005_merge -- 0006_z
        \\-- 0002_theirs -/            /
                      \\-- 0004_more -/
    """
    base = BASE | {"0004_more": migration("0002_theirs")}
    mine = {
        "0002_x": migration("0001_initial"),
        "0003_merge": migration("0002_theirs", "0002_x", does=""),
        "0005_merge": migration("0003_merge", "0004_more", does=""),
        "0006_z": migration("0005_merge"),
    }
    assert rebased(base | mine, set(mine)) == base | {
        "0005_x": migration("0004_more"),
        "0006_z": migration("0005_x"),
    }


def test_a_merge_that_does_something_stays() -> None:
    mine = {
        "0002_x": migration("0001_initial"),
        "0003_merge": migration("0002_x", "0002_theirs"),
    }
    base = BASE | {"0003_more": migration("0002_theirs")}
    assert rebased(base | mine, set(mine)) == base | {
        "0004_x": migration("0003_more"),
        "0005_merge": migration("0004_x", "0003_more"),
    }


def test_a_file_of_python_2_goes_with_the_others() -> None:
    old = 'def forwards(apps, schema_editor):\r\n    print "x"\r\n'
    mine = {
        "0002_old": migration("0001_initial", does="migrations.RunPython(forwards)", before=old)
    }
    assert rebased(BASE | mine, set(mine)) == BASE | {
        "0003_old": migration("0002_theirs", does="migrations.RunPython(forwards)", before=old)
    }


def test_what_theirs_lost_to_my_side_is_named() -> None:
    mine = {"0002_renamed": migration("0001_initial")}
    files = {
        "0001_initial": migration(),
        "0003_theirs": migration("0002_before_it_was_renamed"),
        **mine,
    }
    with pytest.raises(CannotRebaseError) as error:
        rebased(files, set(mine))
    assert str(error.value) == (
        "zoo.0003_theirs depends on zoo.0002_before_it_was_renamed, which no file provides: a side "
        "renamed or deleted it. Put that right first."
    )
