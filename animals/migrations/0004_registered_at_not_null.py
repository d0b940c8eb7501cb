import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models

from shelter.versioning.operations import SetNotNull


class Migration(migrations.Migration):
    """Every record has its `registered_at` now: hold the database to it."""

    atomic = False

    dependencies = [
        ("animals", "0003_fill_registered_at"),
    ]

    operations = [
        SetNotNull(
            model_name="animal",
            name="registered_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(),
                default=django.utils.timezone.now,
                editable=False,
            ),
        ),
    ]
