import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add `registered_at` to a table that has rows: allowed to be NULL, so that nothing is rewritten.

    The default comes in a second step. Given with the column, it would fill the rows there are with
    the moment of the migration; given after it, it fills only those that are added from now on,
    also by a release that does not know the column.
    """

    dependencies = [
        ("animals", "0001_animal"),
    ]

    operations = [
        migrations.AddField(
            model_name="animal",
            name="registered_at",
            field=models.DateTimeField(null=True, editable=False),
        ),
        migrations.AlterField(
            model_name="animal",
            name="registered_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                default=django.utils.timezone.now,
                editable=False,
                null=True,
            ),
        ),
    ]
