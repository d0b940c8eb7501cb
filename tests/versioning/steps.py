"""Operations in a row, in which every kind of Django's is found."""

from __future__ import annotations

from collections.abc import Sequence

from tests.versioning.projects import Project

# Each is a migration of one step; tables, columns, indexes and constraints come, change and go.
STEPS = (
    (
        'CreateModel("House", [("id", models.AutoField(primary_key=True)), ("name", '
        'models.CharField(max_length=20, unique=True)), ("code", models.SlugField())])'
    ),
    'AddField("keeper", "house", models.ForeignKey("House", models.CASCADE, null=True))',
    'AlterField("keeper", "house", models.OneToOneField("House", models.PROTECT, null=True))',
    'AlterField("keeper", "house", models.ForeignKey("House", models.SET_NULL, null=True))',
    'AddField("keeper", "friends", models.ManyToManyField("Keeper"))',
    'AddField("keeper", "houses", models.ManyToManyField("House", related_name="+"))',
    'RenameField("keeper", "houses", "homes")',
    'AddField("keeper", "age", models.IntegerField(default=3, db_index=True))',
    'AlterField("keeper", "age", models.BigIntegerField(null=True))',
    'AlterField("keeper", "age", models.PositiveSmallIntegerField(default=1))',
    'AddField("keeper", "rank", models.IntegerField(db_default=7))',
    'AlterField("keeper", "rank", models.IntegerField())',
    'AddField("keeper", "at", models.DateTimeField(auto_now=True))',
    'AlterField("house", "name", models.CharField(max_length=40))',
    'AlterField("house", "name", models.CharField(max_length=40, unique=True, db_index=True))',
    'AlterField("house", "code", models.CharField(max_length=9, db_column="the_code"))',
    'AlterUniqueTogether("house", {("name", "code")})',
    'AddIndex("house", models.Index(fields=["name", "-code"], name="house_both"))',
    'RenameIndex("house", new_name="house_two", old_name="house_both")',
    (
        'AddConstraint("keeper", models.CheckConstraint(name="old", condition='
        "models.Q(age__gte=0) & ~models.Q(rank=5)))"
    ),
    'AddConstraint("keeper", models.UniqueConstraint(fields=["age", "rank"], name="twice"))',
    (
        'AddConstraint("keeper", models.CheckConstraint(name="text", condition='
        "models.Q(house__isnull=False) | models.Q(rank__in=[1, 2])))"
    ),
    'RenameModel("House", "Building")',
    'RenameModel("Keeper", "Person")',
    'AlterModelTable("building", "buildings")',
    'AlterUniqueTogether("building", set())',
    'RemoveConstraint("person", "twice")',
    'AlterField("building", "id", models.BigAutoField(primary_key=True))',
    'RemoveField("person", "friends")',
    'RemoveField("person", "homes")',
    'RunSQL("CREATE TABLE made_by_sql (id int)")',
    'RemoveConstraint("person", "text")',
    'RemoveField("person", "house")',
    'DeleteModel("building")',
    # The last: SQLite makes a table anew when it changes, and Django without what it does not know.
    'RunSQL("CREATE INDEX made_by_sql_index ON keepers_person (age)")',
)


def write_steps(project: Project, steps: Sequence[str], *, atomic: bool = True) -> None:
    """Write a chain of migrations after the first one, a step each; `atomic` as of `write`."""
    before = "0001_initial"
    for number, step in enumerate(steps, start=2):
        name = f"{number:04}_step"
        project.write(name, before, f"migrations.{step}", atomic=atomic)
        before = name
