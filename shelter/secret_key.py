"""A secret key for a developer's machine, made once."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def development_secret_key(path: Path) -> str:
    """Return the key kept in the file at `path`, making that file if there is none.

    The file is readable by its owner alone. Two processes that start at once end with one key: the
    file appears whole or not at all, and whoever comes second reads what the first wrote.

    Raises ImproperlyConfigured where the file cannot be made or read, or holds no such key.
    """
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key cannot be kept in {path}: {error.strerror}. "
            "Set SECRET_KEY in the environment, and no file is needed."
        ) from error
    except UnicodeDecodeError:
        key = ""
    if len(key) < 50:
        raise ImproperlyConfigured(
            f"{path} holds no secret key. Delete it, and the next start makes one."
        )
    return key


def _make(path: Path) -> None:
    mine = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(64))
        # link() refuses to replace: the first to arrive wins, also over a network file system.
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()
