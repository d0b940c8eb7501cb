from django.db import migrations, models
from django.db.models.functions import Cast

from shelter.versioning.operations import BatchedUpdate


class Migration(migrations.Migration):
    """Take the intake date as the moment a record was made, where that was not noted."""

    atomic = False

    dependencies = [
        ("animals", "0002_animal_registered_at"),
    ]

    operations = [
        BatchedUpdate(
            "animal",
            {"registered_at": Cast("intake_date", models.DateTimeField())},
            models.Q(registered_at__isnull=True),
        ),
    ]
