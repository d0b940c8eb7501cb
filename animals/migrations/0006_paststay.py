import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("animals", "0005_registration"),
    ]

    operations = [
        migrations.CreateModel(
            name="PastStay",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("intake_date", models.DateField()),
                (
                    "intake_type",
                    models.CharField(
                        choices=[
                            ("stray", "Stray"),
                            ("owner_surrender", "Surrendered by its owner"),
                            ("return", "Returned after adoption"),
                            ("wildlife", "Wildlife"),
                            ("seized", "Seized or confiscated"),
                            ("quarantine", "Quarantine"),
                            ("safe_keeping", "Safe keeping"),
                            ("trap_neuter_return", "Trap, neuter, return"),
                            ("euthanasia_request", "Euthanasia requested"),
                            ("foster", "Back from foster care"),
                            ("born_here", "Born in the shelter"),
                            ("transfer", "Transferred in"),
                            ("other", "Other"),
                        ],
                        max_length=20,
                    ),
                ),
                ("outcome_date", models.DateField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("adopted", "Adopted"),
                            ("fostered", "Fostered"),
                            ("returned_to_owner", "Returned to owner"),
                            ("transferred", "Transferred"),
                            ("released", "Released"),
                            ("died", "Died"),
                            ("euthanised", "Euthanised"),
                            ("missing", "Missing"),
                            ("other_outcome", "Other outcome"),
                        ],
                        max_length=20,
                    ),
                ),
                ("notes", models.TextField(blank=True)),
                (
                    "animal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="past_stays",
                        to="animals.animal",
                    ),
                ),
            ],
            options={
                "ordering": ("-intake_date", "-id"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "intake_type__in",
                                [
                                    "born_here",
                                    "euthanasia_request",
                                    "foster",
                                    "other",
                                    "owner_surrender",
                                    "quarantine",
                                    "return",
                                    "safe_keeping",
                                    "seized",
                                    "stray",
                                    "transfer",
                                    "trap_neuter_return",
                                    "wildlife",
                                ],
                            )
                        ),
                        name="paststay_intake_type",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "outcome__in",
                                [
                                    "",
                                    "adopted",
                                    "died",
                                    "euthanised",
                                    "fostered",
                                    "missing",
                                    "other_outcome",
                                    "released",
                                    "returned_to_owner",
                                    "transferred",
                                ],
                            )
                        ),
                        name="paststay_outcome",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome_date__isnull", True),
                            ("outcome_date__gte", models.F("intake_date")),
                            _connector="OR",
                        ),
                        name="paststay_outcome_after_intake",
                        violation_error_message="The outcome date is before the intake date.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("outcome", ""), ("outcome_date__isnull", True)),
                            models.Q(
                                ("outcome_date__isnull", False),
                                models.Q(("outcome", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="paststay_outcome_date_with_outcome",
                        violation_error_message="An outcome date goes with an outcome: set both, or neither.",
                    ),
                    models.UniqueConstraint(
                        fields=("animal", "intake_date", "intake_type", "outcome_date", "outcome"),
                        name="paststay_once",
                        violation_error_message="This stay is recorded already.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("outcome_date__isnull", True)),
                        fields=("animal", "intake_date", "intake_type"),
                        name="paststay_without_outcome_once",
                        violation_error_message="This stay is recorded already.",
                    ),
                ],
            },
        ),
    ]
