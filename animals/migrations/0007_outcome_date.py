from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("animals", "0006_paststay"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="animal",
            index=models.Index(fields=["outcome_date"], name="animal_outcome_date"),
        ),
    ]
