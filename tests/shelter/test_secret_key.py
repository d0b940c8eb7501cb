"""A developer's secret key, made once."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from shelter.secret_key import development_secret_key
from tests.checkout import ROOT


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / ".secret_key"
    key = development_secret_key(path)
    assert re.fullmatch(r"[\w-]{86}", key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.stat()
    assert development_secret_key(path) == key
    assert path.stat() == before
    assert list(tmp_path.iterdir()) == [path]


def test_eight_that_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    path = tmp_path / ".secret_key"
    source = (
        "import sys, pathlib; from shelter.secret_key import development_secret_key as key; "
        "sys.stdin.read(); print(key(pathlib.Path(sys.argv[1])))"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", source, str(path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for start in starts:
        # They have imported what they need, and wait for this.
        assert start.stdin is not None
        start.stdin.close()
        start.stdin = None
    keys = {start.communicate(timeout=60)[0] for start in starts}
    assert keys == {path.read_text() + "\n"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b" \n", b"short", b"\xff" * 86])
def test_a_file_that_holds_no_key_is_named_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / ".secret_key"
    path.write_bytes(content)
    with pytest.raises(ImproperlyConfigured) as refusal:
        development_secret_key(path)
    assert str(refusal.value) == (
        f"{path} holds no secret key. Delete it, and the next start makes one."
    )
    assert path.read_bytes() == content


def test_where_no_file_can_be_made_the_way_out_is_named(tmp_path: Path) -> None:
    path = tmp_path / "no folder" / ".secret_key"
    with pytest.raises(ImproperlyConfigured) as refusal:
        development_secret_key(path)
    assert str(refusal.value) == (
        f"The secret key cannot be kept in {path}: No such file or directory. "
        "Set SECRET_KEY in the environment, and no file is needed."
    )
