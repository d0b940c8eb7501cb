"""Whether the sides of a fork may be applied in either order.

It is told from the text of their files, and where the project may be run also by the models' states
(`conflicts/states.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from shelter.versioning.conflicts.footprints import Code, Effect, Footprint, Model, Touch
from shelter.versioning.history.graph import Fork, Graph
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import History
from shelter.versioning.history.reading import listed_operations
from shelter.versioning.report.findings import Verdict

# The gravest first: what is known for sure comes before what is not.
_ORDER = (
    Verdict.CONTRADICTORY,
    Verdict.ORDER_DEPENDENT,
    Verdict.UNKNOWN,
    Verdict.INDEPENDENT,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and why in one sentence that names the operations."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Exact:
    """What the models' states say of two sides, and what they do not know.

    `code`: there is SQL or Python; `beside`: there are operations that change tables in ways that
    their states do not tell.
    """

    judgement: Judgement
    code: bool
    beside: bool


Compare = Callable[[Sequence[Key], Sequence[Key]], Exact]
"""Judges two sides by the models' states: each what leads to its leaf and not to the other's."""


def judge(fork: Fork, graph: Graph, history: History, exactly: Compare | None = None) -> Judgement:
    """Return the verdict on the sides of `fork`, every two of them compared.

    It is told by what their operations touch; nothing is run. With `exactly`, that tells what
    Django's own operations do, and their text what SQL and Python do.
    """
    plans = [graph.forwards_plan(side.leaf) for side in fork.sides]
    judgements = [_compared(one, two, history, exactly) for one, two in combinations(plans, 2)]
    return _gravest(judgements)


def _gravest(judgements: Iterable[Judgement]) -> Judgement:
    return min(judgements, key=lambda judgement: _ORDER.index(judgement.verdict))


def _compared(
    one: Sequence[Key], two: Sequence[Key], history: History, exactly: Compare | None
) -> Judgement:
    mine, other = _without(one, two), _without(two, one)
    if not mine or not other:
        first = (two if mine else one)[-1][1]
        return Judgement(
            Verdict.INDEPENDENT, f"{first} comes first in any case, by way of another app."
        )
    ours, theirs = _footprint(mine, history), _footprint(other, history)
    exact = None if exactly is None else exactly(mine, other)
    found = []
    if exact is not None and exact.judgement.verdict is not Verdict.INDEPENDENT:
        found.append(exact.judgement)
    if exact is None or exact.beside or exact.judgement.verdict is Verdict.UNKNOWN:
        found += _clashes(ours, theirs)
    if exact is None or exact.code:
        found += (clash for code in ours.code for clash in _code_clashes(code, theirs))
        found += (clash for code in theirs.code for clash in _code_clashes(code, ours))
    if found:
        return _gravest(found)
    if any(code.models is None for code in (*ours.code, *theirs.code)):
        return Judgement(Verdict.INDEPENDENT, "Both orders give the same models.")
    return Judgement(Verdict.INDEPENDENT, _why_independent(ours, theirs))


def _without(plan: Sequence[Key], other: Collection[Key]) -> list[Key]:
    other = set(other)
    return [key for key in plan if key not in other]


def _footprint(keys: Sequence[Key], history: History) -> Footprint:
    footprint = Footprint()
    for app, name in keys:
        listed = listed_operations(history.sources[app, name].content)
        if listed is None:
            reason = f"the operations of {name} cannot be read without running it"
            footprint.code.append(Code(name, None, reason=reason))
        else:
            footprint.add(app, listed)
    return footprint


# --- Operations against operations ---------------------------------------------------------------


def _clashes(one: Footprint, two: Footprint) -> Iterator[Judgement]:
    by_model: dict[Model, list[Touch]] = {}
    for touch in two.touches:
        by_model.setdefault(touch.model, []).append(touch)
    for mine in one.touches:
        for other in by_model.get(mine.model, ()):
            judgement = _clash(mine, other)
            if judgement is not None:
                yield judgement


def _clash(mine: Touch, other: Touch) -> Judgement | None:
    """Return what is wrong with two touches of one model, if anything."""
    exists = (Effect.MAKE, Effect.DROP)
    whole = "" in (mine.part, other.part)
    if whole and mine.part != other.part:
        model = mine if mine.part == "" else other
        if model.effect not in exists:
            return None
    elif mine.part != other.part or _is_one_name(mine, other):
        return None
    if Effect.MAKE in (mine.effect, other.effect) or Effect.DROP in (mine.effect, other.effect):
        if mine.operation == other.operation and mine.effect is other.effect:
            return Judgement(
                Verdict.CONTRADICTORY,
                f"Both sides do this, which works once: {mine.operation}.",
            )
        return Judgement(
            Verdict.CONTRADICTORY,
            f"One of them cannot run after the other: {mine.operation}; {other.operation}.",
        )
    if mine.effect is other.effect is Effect.SET and mine.value != other.value:
        return Judgement(
            Verdict.ORDER_DEPENDENT,
            f"Whichever comes last wins: {mine.operation}; {other.operation}.",
        )
    return None


def _is_one_name(mine: Touch, other: Touch) -> bool:
    """Return whether both speak of one thing by its name in the database: that is told elsewhere.

    What is done to the thing itself has touches of its own.
    """
    return bool(mine.value) and mine.value == other.value and mine.effect is not Effect.SET


# --- Code against operations, and against code ---------------------------------------------------


def _code_clashes(code: Code, other: Footprint) -> Iterator[Judgement]:
    if code.models is None:
        if other.touches or any(_does_something(theirs) for theirs in other.code):
            yield _unknown(f"{_sentence(code.reason)}, so that what it touches is not known.")
        return
    if not _does_something(code):
        return
    for touch in other.touches:
        doubt = _doubt(code, touch)
        if doubt:
            yield _unknown(
                f"{code.operation} {doubt}, and the other side does this: {touch.operation}."
            )
            return
    for theirs in other.code:
        if theirs.models is not None and _meet(code, theirs):
            yield _unknown(f"{code.operation} and {theirs.operation} may touch the same rows.")
            return


def _does_something(code: Code) -> bool:
    return code.models is None or bool(code.models or code.words or code.tables)


def _doubt(code: Code, touch: Touch) -> str:
    """Return how `code` may depend on what `touch` changes; nothing where it does not."""
    assert code.models is not None
    if touch.effect is Effect.NEED or touch.model[0] == "*" or touch.part.startswith("column "):
        return ""
    if touch.model in code.models:
        return _doubt_of_own(code, touch)
    return _doubt_of_other(code, touch)


def _doubt_of_own(code: Code, touch: Touch) -> str:
    """Return the doubt where code works on the model that is touched."""
    sort, _, part = touch.part.partition(" ")
    name = ".".join(touch.model)
    if sort == "field" and touch.effect is Effect.MAKE:
        return f"adds rows to {name}" if code.inserts and not touch.harmless else ""
    if sort == "field" and touch.effect is Effect.SET:
        depends = part in code.words or code.inserts or code.saves
    elif sort == "option":
        depends = part in ("table", "unique_together", "order")
    elif sort == "index":
        depends = touch.effect is not Effect.DROP and "constraint" in touch.operation.lower()
    else:
        depends = True
    return f"uses {name}" if depends else ""


def _doubt_of_other(code: Code, touch: Touch) -> str:
    """Return the doubt where code may reach the model by a relation, or name its table in SQL."""
    if touch.effect is Effect.MAKE and (
        touch.part == "" or not (code.inserts or code.tables) or touch.harmless
    ):
        # What is new on the other side cannot be known here, and takes nothing away.
        return ""
    name = ".".join(touch.model)
    if any(touch.model[1] in word for word in code.words):
        return f"may reach {name}"
    part = touch.part.partition(" ")[2]
    if touch.effect is not Effect.MAKE and part and part in code.words:
        return f"names {part}, which {name} has"
    return ""


def _meet(code: Code, theirs: Code) -> bool:
    assert code.models is not None
    assert theirs.models is not None
    if code.models & theirs.models:
        return True
    for one, two in ((code, theirs), (theirs, code)):
        if any(model in word for _, model in one.models or () for word in two.words):
            return True
    if code.tables and theirs.tables:
        return bool({word for word in code.tables & theirs.tables if "_" in word})
    return False


def _unknown(reason: str) -> Judgement:
    return Judgement(Verdict.UNKNOWN, reason)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] if text else text


def _why_independent(one: Footprint, two: Footprint) -> str:
    mine, other = _models(one), _models(two)
    if not mine or not other:
        return "One side changes nothing that the other could depend on."
    code = [part.operation for part in (*one.code, *two.code) if _does_something(part)]
    read = f" {', '.join(dict.fromkeys(code))} was read for it." if code else ""
    both = sorted(mine & other)
    if both:
        return f"Both change {_listed(both)}, but no part of it in different ways.{read}"
    return f"One changes {_listed(sorted(mine))}, the other {_listed(sorted(other))}.{read}"


def _models(footprint: Footprint) -> set[str]:
    touched = {
        ".".join(touch.model)
        for touch in footprint.touches
        if touch.effect is not Effect.NEED and touch.model[0] != "*"
    }
    for code in footprint.code:
        touched |= {".".join(model) for model in code.models or ()}
        if code.tables and not code.models:
            touched.add("tables by SQL")
    return touched


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
