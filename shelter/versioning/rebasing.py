"""My migrations after theirs, in the files of this checkout and in its databases."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from django.db import DatabaseError, connections
from django.db.migrations.loader import MigrationLoader

from shelter.versioning import project
from shelter.versioning.checkout import compare_states
from shelter.versioning.conflicts.judging import judge
from shelter.versioning.history.git import GitError, Repository
from shelter.versioning.history.graph import Graph, build_graph
from shelter.versioning.history.migration import Key
from shelter.versioning.history.packages import History, read_packages, with_imported
from shelter.versioning.ledger.keeping import PREFIX, database_id, follow, keep
from shelter.versioning.ledger.marks import database_is_there
from shelter.versioning.ledger.recording import applied_rows
from shelter.versioning.ledger.rows import ends_as, whole_plan
from shelter.versioning.migrating import locked, plain_executor
from shelter.versioning.repair.carrying_out import Steps, carry_out, finish, steps_of
from shelter.versioning.repair.losses import what_speaks_against_redoing
from shelter.versioning.repair.rebase import CannotRebaseError, RebasePlan, plan_rebase, sides_of
from shelter.versioning.report.findings import Finding, Level, Report, Verdict

COMMAND = "rebasemigrations"
JOURNAL = "versioning-rebase.json"


@dataclass(frozen=True, slots=True)
class Rebasing:
    """A rebase that can be carried out: the plan, what it goes onto, and the databases it moves.

    `applied` is what each database has applied that answers; `first` are, by database, theirs that
    are applied before rows are moved; `again` are mine, the last first, that are taken back and
    applied once more, after theirs; `silent` are the databases that did not answer.
    """

    plan: RebasePlan
    onto: str
    applied: Mapping[str, frozenset[Key]]
    first: Mapping[str, tuple[Key, ...]]
    again: Mapping[str, tuple[Key, ...]]
    silent: tuple[str, ...]

    def report(self) -> Report:
        """Return what the rebase does, a finding an app."""
        return Report(
            COMMAND, tuple(self._finding(number) for number in range(len(self.plan.apps)))
        )

    def _finding(self, number: int) -> Finding:
        rebase = self.plan.apps[number]
        moves = [
            f"{old} becomes {new}" if old != new else f"{old} keeps its name"
            for old, new in rebase.names
        ]
        moves += [f"the merge {name} is no longer needed" for name in rebase.dropped]
        mine = {(rebase.app, name) for name, _ in rebase.names}
        moved = [
            alias for alias, keys in self.applied.items() if mine & keys and alias not in self.again
        ]
        before = []
        for alias, keys in self.again.items():
            names = [name for app, name in reversed(keys) if app == rebase.app]
            if names:
                before.append(
                    f"In the database {alias!r} {', '.join(names)} {_verb(names)} taken back, and "
                    "applied again after theirs: no data goes."
                )
        for alias, keys in self.first.items():
            names = [name for app, name in keys if app == rebase.app]
            if names:
                before.append(f"{', '.join(names)} is applied first in the database {alias!r}.")
        return Finding(
            "versioning.I005",
            Level.INFO,
            rebase.app,
            "",
            f"{rebase.app}: yours go after {rebase.onto} of {self.onto}: {'; '.join(moves)}.",
            reason=" ".join(
                before
                + [f"The rows of the database {alias!r} move along." for alias in moved]
                + [f"The database {alias!r} does not answer and is left." for alias in self.silent]
            ),
            next=("python manage.py migrate",),
        )


def _verb(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def plan_rebasing(
    apps: Collection[str] | None,
    onto: str | None,
    *,
    accept_unknown: bool = False,
    ask: Callable[[Sequence[str]], str | None] = lambda _: None,
) -> Rebasing | None:
    """Return the rebase of `apps` onto a ref; None where there is nothing to do.

    Without `apps`, of those with conflicting leaves.

    Without `onto`: in a merge or rebase in progress the other side, by git's own state; else the
    branch that work goes back to; else what `ask` chooses of the other branches. Mine is what that
    ref does not have. Raises CannotRebaseError with the reason where it cannot be done, GitError,
    and OSError.
    """
    root = project.root()
    repository = Repository(root)
    onto, commit = _onto(repository, onto, ask)
    history = read_packages(project.packages(), root)
    history = with_imported(history, project.imported(history.unreadable))
    if history.unreadable:
        place = history.unreadable[0]
        raise CannotRebaseError(f"{place.path}:{place.line} cannot be read: {place.reason}")
    graph = build_graph(history.migrations, swappable=project.swappable_apps())
    chosen = set(graph.conflicts()) if apps is None else set(apps)
    if not chosen:
        return None
    top = repository.top() or Path()
    there = repository.files(commit)

    def is_theirs(path: str) -> bool:
        place = (root / path).resolve()
        return not place.is_relative_to(top) or place.relative_to(top).as_posix() in there

    mine, leaves = sides_of(history, chosen, onto, is_theirs)
    plan = plan_rebase(history, mine, leaves)
    if not plan.edits:
        return None
    applied, silent = _applied()
    reordered = _judge(graph, history, mine, accept_unknown=accept_unknown)
    first = {
        alias: _missing(graph, [(app, leaves[app]) for app in mine], keys)
        for alias, keys in applied.items()
        if any((app, name) in keys for app, names in mine.items() for name in names)
    }
    again = {}
    for alias, theirs in first.items():
        loader = MigrationLoader(connections[alias])
        held = reordered | _cut_short(loader, applied[alias], mine, theirs)
        if order := _to_run_again(alias, loader, applied[alias], mine, held):
            again[alias] = order
    return Rebasing(plan, onto, applied, first, again, silent)


def _onto(
    repository: Repository, onto: str | None, ask: Callable[[Sequence[str]], str | None]
) -> tuple[str, str]:
    if onto is None:
        waiting = repository.in_progress()
        if waiting is not None:
            return waiting.theirs if waiting.mine_is_ours else waiting.ours
        onto = repository.default_branch()
    if onto is None:
        current = repository.head().branch
        others = [branch.name for branch in repository.branches() if branch.name != current]
        onto = ask(others) if others else None
    if onto is None:
        raise CannotRebaseError(
            "Which side is yours cannot be told: there is no merge or rebase in progress, no "
            "origin/HEAD, and no other branch main or master. Say what yours go after: "
            "python manage.py rebasemigrations --onto REF"
        )
    return onto, repository.commit_of(onto)


def _applied() -> tuple[dict[str, frozenset[Key]], tuple[str, ...]]:
    applied, silent = {}, []
    for alias in connections:
        if not database_is_there(alias):
            continue
        try:
            applied[alias] = frozenset(applied_rows(alias))
        except DatabaseError:
            silent.append(alias)
    return applied, tuple(silent)


def _missing(graph: Graph, targets: Sequence[Key], applied: Collection[Key]) -> tuple[Key, ...]:
    plan = dict.fromkeys(key for target in targets for key in graph.forwards_plan(target))
    return tuple(key for key in plan if key not in applied)


def _judge(
    graph: Graph, history: History, mine: Mapping[str, Collection[str]], *, accept_unknown: bool
) -> dict[str, str]:
    """Return the apps whose sides may change places only where mine ran nowhere yet, and why.

    Raises CannotRebaseError where the sides must not change places at all.
    """
    exactly = compare_states()
    reordered = {}
    for app in sorted(set(mine) & set(graph.conflicts())):
        judgement = judge(graph.fork(app), graph, history, exactly)
        told = f"The sides of {app} are {judgement.verdict}: {judgement.reason}"
        if judgement.verdict is Verdict.CONTRADICTORY:
            raise CannotRebaseError(
                f"{told} A person must decide which operation stays, and change a side by hand: "
                f"python manage.py checkmigrations {app}"
            )
        if judgement.verdict is Verdict.UNKNOWN and not accept_unknown:
            raise CannotRebaseError(
                f"{told} Look at it; if the two do not touch the same rows and tables: "
                "python manage.py rebasemigrations --accept-unknown"
            )
        if judgement.verdict is Verdict.ORDER_DEPENDENT:
            reordered[app] = told
    return reordered


def _cut_short(
    loader: MigrationLoader,
    applied: Collection[Key],
    mine: Mapping[str, Collection[str]],
    theirs: Sequence[Key],
) -> dict[str, str]:
    """Return the apps of which a part of mine is applied that theirs cannot come after, and why.

    Whole sides may change places where a part of one may not: it deleted what it makes anew.
    """
    plan = whole_plan(loader)
    own = {
        key
        for app, names in mine.items()
        for name in names
        for key in loader.graph.backwards_plan((app, name))
    }
    order = sorted(plan, key=lambda key: (key not in applied, key not in theirs))
    if ends_as(loader, order, sorted(plan, key=lambda key: key in own)):
        return {}
    return {
        app: f"A part of yours is applied in {app}, after which theirs cannot be applied, or ends "
        "elsewhere."
        for app, names in mine.items()
        if any((app, name) in applied for name in names)
    }


def _to_run_again(
    alias: str,
    loader: MigrationLoader,
    applied: Collection[Key],
    mine: Mapping[str, Collection[str]],
    reordered: Mapping[str, str],
) -> tuple[Key, ...]:
    """Return what of mine ran before theirs and must run after, the last applied first.

    Raises CannotRebaseError where it cannot be taken back without losing data.
    """
    held = [(app, name) for app in reordered for name in mine[app] if (app, name) in applied]
    if not held:
        return ()
    above = {key for name in held for key in loader.graph.backwards_plan(name) if key in applied}
    order = tuple(key for key in reversed(whole_plan(loader)) if key in above)
    reason = what_speaks_against_redoing(loader, order, alias)
    strangers = [key for key in order if key[1] not in mine.get(key[0], ())]
    if reason is None and strangers:
        reason = f"{'.'.join(strangers[0])} rests on yours, and is not among what is rebased."
    if reason is not None:
        names = ", ".join(sorted(name for _, name in held))
        raise CannotRebaseError(
            f"{' '.join(reordered.values())} In the database {alias!r} yours ran first ({names}), "
            "so that it would differ from all others for good, and they cannot be taken back and "
            f"applied again: {reason}"
        )
    return order


def carry_out_rebasing(
    rebasing: Rebasing, say: Callable[[str], object], *, stage: bool = False
) -> Steps:
    """Carry a rebase out, all of it or nothing, and return what it did.

    Theirs are applied first where mine are; they stay applied if a later step fails, as after
    `migrate`. What must run again is taken back before that, and applied again in the end: when
    the files are in order, what is left to do is what `migrate` does.
    Raises LockError, and what a migration or a database raises.
    """
    repository = Repository(project.root())
    with ExitStack() as stack:
        for alias in rebasing.first:
            stack.enter_context(locked(alias, say))
        try:
            for alias, keys in rebasing.again.items():
                _take_back(alias, keys, say)
            for alias, keys in rebasing.first.items():
                if keys:
                    _apply(alias, keys, say)
            applied = {alias: frozenset(applied_rows(alias)) for alias in rebasing.applied}
            steps = steps_of(rebasing.plan, project.root(), applied)
            carry_out(
                steps,
                repository.git_path(JOURNAL),
                lambda steps: _follow(repository, steps, say, stage=stage),
            )
        except BaseException:
            for alias, keys in rebasing.again.items():
                _apply(alias, keys[::-1], say)
            raise
        names = dict(rebasing.plan.renames)
        for alias, keys in rebasing.again.items():
            _forget_modules(steps)
            _apply(alias, [names.get(key, key) for key in keys[::-1]], say)
    return steps


def _take_back(alias: str, keys: Sequence[Key], say: Callable[[str], object]) -> None:
    executor = plain_executor(connections[alias], say)
    nodes = executor.loader.graph.nodes
    executor.migrate(None, plan=[(nodes[key], True) for key in keys])


def _forget_modules(steps: Steps) -> None:
    """Let what was rewritten be imported anew: Django's loader takes what is imported already."""
    for app, name in steps.files:
        package, _ = MigrationLoader.migrations_module(app)
        sys.modules.pop(f"{package}.{name}", None)
    importlib.invalidate_caches()


def _apply(alias: str, keys: Sequence[Key], say: Callable[[str], object]) -> None:
    """Apply what `keys` need, and them. Django's guard against several leaves is in its command."""
    connection = connections[alias]
    executor = plain_executor(connection, say)
    migrations = [migration for migration, _ in executor.migration_plan(list(keys))]
    problem = keep(connection, migrations, project.root())
    if problem is not None:
        say(f"The code is not kept in git: {problem}")
    executor.migrate(list(keys))


def finish_interrupted(say: Callable[[str], object], *, stage: bool = False) -> bool:
    """Finish a rebase that was killed; False where none was. Raises GitError."""
    repository = Repository(project.root())
    return finish(
        repository.git_path(JOURNAL), lambda steps: _follow(repository, steps, say, stage=stage)
    )


def _follow(
    repository: Repository, steps: Steps, say: Callable[[str], object], *, stage: bool
) -> None:
    """Let the ledger and what git keeps follow names and files, and stage those if asked to."""
    for alias in steps.before:
        database = database_id(connections[alias])
        moves = {
            f"{PREFIX}/{database}/{app}/{old}": f"{PREFIX}/{database}/{app}/{new}"
            for (app, old), (_, new) in steps.renames
        }
        problem = None
        try:
            if database is not None:
                repository.move_refs(moves)
        except GitError as error:
            problem = str(error)
        problem = follow(connections[alias], steps.files, project.root()) or problem
        if problem is not None:
            say(f"The code is not kept in git: {problem}")
    if stage:
        repository.stage(steps.paths)
