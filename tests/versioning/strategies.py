"""Generated migration histories."""

from __future__ import annotations

from hypothesis import strategies as st

from shelter.versioning.history.migration import FIRST, LATEST, Key, Migration

APPS = ("a", "b", "c")


def migration(
    key: str,
    *dependencies: str,
    run_before: tuple[str, ...] = (),
    replaces: tuple[str, ...] = (),
) -> Migration:
    """Return the migration `key`, all keys written `app.name`."""

    def keys(texts: tuple[str, ...]) -> tuple[Key, ...]:
        return tuple((text.split(".")[0], text.split(".")[1]) for text in texts)

    app, name = key.split(".")
    return Migration(
        app=app,
        name=name,
        path=f"{app}/migrations/{name}.py",
        line=1,
        dependencies=keys(dependencies),
        run_before=keys(run_before),
        replaces=keys(replaces),
    )


@st.composite
def histories(draw: st.DrawFn, *, broken: bool = False) -> list[Migration]:
    """Draw migrations of up to three apps: forks, merges, squashes, edges across apps.

    With `broken` some dependencies name what is not there, and circles may occur.
    """
    order: list[Key] = [
        (app, f"{number:04d}")
        for number in range(draw(st.integers(1, 6)))
        for app in APPS[: draw(st.integers(1, 3))]
    ]
    found: list[Migration] = []
    for position, (app, name) in enumerate(order):
        earlier = [key for key in order[:position] if key[0] == app]
        elsewhere = [key for key in order[:position] if key[0] != app]
        elsewhere += [(other, FIRST) for other, _ in elsewhere[:1]]
        elsewhere += [(other, LATEST) for other, _ in elsewhere[:1]]
        elsewhere += [(app, FIRST)]
        if broken:
            earlier = [*earlier, (app, "9999"), *order[position:]]
        later = [key for key in order[position + 1 :] if broken or key[0] != app]
        dependencies: list[Key] = []
        if earlier:
            dependencies += draw(st.lists(st.sampled_from(earlier), max_size=2))
            dependencies += draw(st.sampled_from([[], earlier[-1:]]))
        dependencies += draw(st.lists(st.sampled_from(elsewhere), max_size=1))
        run_before: list[Key] = []
        if later:
            run_before += draw(st.lists(st.sampled_from(later), max_size=1))
        found.append(
            Migration(
                app=app,
                name=name,
                path=f"{app}/{name}.py",
                line=1,
                dependencies=tuple(dependencies),
                run_before=tuple(run_before) if draw(st.integers(0, 4)) == 0 else (),
            )
        )
    return found + draw(_squashes(found))


@st.composite
def _squashes(draw: st.DrawFn, migrations: list[Migration]) -> list[Migration]:
    """Draw a squash of a run of an app's migrations, or none."""
    if draw(st.booleans()):
        return []
    app = draw(st.sampled_from(sorted({migration.app for migration in migrations})))
    own = [migration for migration in migrations if migration.app == app]
    start = draw(st.integers(0, len(own) - 1))
    run = own[start : start + draw(st.integers(1, 3))]
    names = {migration.key for migration in run}
    return [
        Migration(
            app=app,
            name=f"{run[0].name}_squashed",
            path=f"{app}/squashed.py",
            line=1,
            dependencies=tuple(
                dict.fromkeys(
                    key for migration in run for key in migration.dependencies if key not in names
                )
            ),
            replaces=tuple(migration.key for migration in run),
        )
    ]
