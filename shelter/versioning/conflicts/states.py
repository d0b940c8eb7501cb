"""The verdict told by what both orders of two sides make of the models' state.

Of this checkout's own migrations alone: they are imported for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.postgres import operations as postgres_operations
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from shelter.versioning.conflicts.judging import Exact, Judgement
from shelter.versioning.history.migration import Key
from shelter.versioning.replay import CannotRunError, Step, replay, same, steps_of
from shelter.versioning.report.findings import Verdict

_MODULES = (operations.__name__, postgres_operations.__name__)


class States:
    """What the migrations of a loader make of the models' state."""

    def __init__(self, loader: MigrationLoader) -> None:
        self.loader = loader

    def compare(self, one: Sequence[Key], two: Sequence[Key]) -> Exact:
        """Return the judgement on two sides: what leads to each leaf and not to the other's."""
        graph = self.loader.graph
        base = ProjectState(real_apps=self.loader.unmigrated_apps)
        for key in graph.forwards_plan(one[-1]):
            if key not in one:
                graph.nodes[key].mutate_state(base, preserve=False)
        mine, other = self._steps(one), self._steps(two)
        both = [operation for _, operation in (*mine, *other)]
        return Exact(
            judge_steps(base, mine, other),
            code=any(map(_has_code, both)),
            beside=any(map(_acts_beside_the_state, both)),
        )

    def _steps(self, keys: Sequence[Key]) -> list[Step]:
        return list(steps_of(self.loader.graph.nodes[key] for key in keys))


def judge_steps(base: ProjectState, mine: Sequence[Step], other: Sequence[Step]) -> Judgement:
    """Return the verdict on two sides by the states that both orders lead to from `base`.

    SQL and Python of migrations are not looked at.
    """
    try:
        after_mine, after_other = _made(base, mine), _made(base, other)
    except CannotRunError as error:
        return Judgement(Verdict.UNKNOWN, f"By itself one side cannot run: {error}.")
    try:
        one = _made(after_mine, other)
    except CannotRunError as error:
        cause = _cause(base, mine, other)
        return _contradiction(cause, error.step, error)
    try:
        two = _made(after_other, mine)
    except CannotRunError as error:
        cause = _cause(base, other, mine)
        return _contradiction(error.step, cause, error)
    if same(one, two):
        return Judgement(Verdict.INDEPENDENT, "")
    first, second = _rivals(base, mine, other)
    return Judgement(
        Verdict.ORDER_DEPENDENT,
        f"Whichever comes last wins: {first[1].describe()}; {second[1].describe()}.",
    )


def _made(state: ProjectState, steps: Sequence[Step]) -> ProjectState:
    """Return the state after `steps`; its models can be made, as `migrate` makes them."""
    after = replay(state, steps)
    try:
        _ = after.apps
    except Exception as error:  # what cannot be made is told by many kinds of errors
        raise CannotRunError(steps[-1], str(error)) from error
    return after


def _contradiction(mine: Step, other: Step, error: CannotRunError) -> Judgement:
    if _is_same(mine, other):
        said = f"Both sides do this, which works once: {mine[1].describe()}."
    else:
        said = (
            f"One of them cannot run after the other: {mine[1].describe()}; "
            f"{other[1].describe()} ({error.reason})."
        )
    return Judgement(Verdict.CONTRADICTORY, said)


def _is_same(one: Step, two: Step) -> bool:
    return one[0] == two[0] and one[1].describe() == two[1].describe()


def _cause(base: ProjectState, first: Sequence[Step], then: Sequence[Step]) -> Step:
    """Return the step of `first` after which `then` cannot run."""
    for count, step in enumerate(first, 1):
        try:
            _made(replay(base, first[:count]), then)
        except CannotRunError:
            return step
    return first[-1]


def _rivals(base: ProjectState, mine: Sequence[Step], other: Sequence[Step]) -> tuple[Step, Step]:
    """Return the first step of each side with which the order begins to matter."""
    first = next(
        (count for count in range(1, len(mine)) if not _commute(base, mine[:count], other)),
        len(mine),
    )
    second = next(
        (
            count
            for count in range(1, len(other))
            if not _commute(base, mine[:first], other[:count])
        ),
        len(other),
    )
    return mine[first - 1], other[second - 1]


def _commute(base: ProjectState, one: Sequence[Step], two: Sequence[Step]) -> bool:
    try:
        return same(replay(base, [*one, *two]), replay(base, [*two, *one]))
    except CannotRunError:
        return False


def _has_code(operation: Operation) -> bool:
    """Return whether `operation` does what a state does not show."""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return any(map(_has_code, (*operation.database_operations, *operation.state_operations)))
    if isinstance(operation, operations.RunPython | operations.RunSQL):
        return True
    return not type(operation).__module__.startswith(_MODULES)


def _acts_beside_the_state(operation: Operation) -> bool:
    """Return whether `operation` changes tables in ways that its state does not tell."""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return not all(
            isinstance(part, operations.RunPython | operations.RunSQL)
            for part in operation.database_operations
        ) or any(map(_acts_beside_the_state, operation.state_operations))
    return not type(operation).__module__.startswith(_MODULES)
