#!/usr/bin/env python
"""Bring a developer's database up to date: migrations, sample animals, a first admin.

One process for all of it, since each start of Django takes half a second. What is there already is
left as it is.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "animals" / "sample" / "longbeach_500.csv"


def main() -> None:
    """Run the commands, ending with exit code 1 and its message when one cannot be carried out."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shelter.settings")
    import django  # noqa: PLC0415
    from django.core.management import CommandError, call_command  # noqa: PLC0415

    django.setup()
    try:
        call_command("checkmigrations")
    except CommandError:
        # It has said what it found, and `migrate` knows what cannot go on.
        sys.stdout.flush()
    try:
        call_command("migrate", skip_checks=True)
        call_command("importanimals", str(SAMPLE), verbosity=0)
        call_command("firstadmin")
    except CommandError as error:
        raise SystemExit(f"{error}") from error


if __name__ == "__main__":
    main()
