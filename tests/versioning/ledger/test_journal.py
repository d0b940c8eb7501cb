"""How far a migration came, and whether it can be carried on from there."""

from typing import Any

import pytest

from shelter.versioning.ledger.journal import Progress, Step

FIELD = Step("Add field", again=False, whole=False, writes_rows=False)
CODE = Step("Run code", again=False, whole=False, writes_rows=True)
CODE_WHOLE = Step("Run code", again=False, whole=True, writes_rows=True)
FILL = Step("Fill in batches", again=True, whole=False, writes_rows=True)


def at(*steps: Step, **others: Any) -> Progress:
    return Progress(backwards=False, steps=steps, **others)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (at(FIELD, FIELD), True),
        (at(FIELD, FIELD, done=1), True),
        (at(FIELD, FIELD, done=2), True),
        (at(FIELD, statements=("ALTER",)), False),
        (at(FIELD, running="ALTER"), False),
        # Rows that code wrote before it was stopped cannot be told from none.
        (at(CODE), False),
        (at(CODE_WHOLE), True),
        (at(CODE_WHOLE, statements=("CREATE",)), False),
        (at(FILL, running="ALTER"), True),
        (at(CODE, FIELD, done=1), True),
    ],
)
def test_it_goes_on_where_nothing_is_half_done(progress: Progress, expected: bool) -> None:
    assert progress.can_go_on is expected


def test_it_is_written_and_read() -> None:
    progress = Progress(
        backwards=True,
        steps=(FIELD, CODE),
        done=1,
        statements=("ALTER TABLE \N{BULLET}",),
        running="DROP",
    )
    assert Progress.loads(progress.dumps()) == progress
    assert progress.at_its_step() == Progress(backwards=True, steps=(FIELD, CODE), done=1)
