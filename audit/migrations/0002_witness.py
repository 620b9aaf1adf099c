"""What witnesses say, from 0002_witness.sql: confirmations with their time, and alarms."""

from pathlib import Path

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_log")]
    operations = [
        migrations.RunSQL(
            Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"),
            state_operations=[
                migrations.DeleteModel("Cosignature"),
                migrations.CreateModel(
                    "Cosignature",
                    [
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "size",
                                "witness",
                                "time",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("size", models.BigIntegerField()),
                        ("witness", models.TextField()),
                        ("time", models.BigIntegerField()),
                        ("line", models.TextField()),
                    ],
                    {"db_table": "audit_cosignature", "managed": False},
                ),
                migrations.CreateModel(
                    "Alarm",
                    [
                        ("seq", models.BigIntegerField(primary_key=True, serialize=False)),
                        ("frozen", models.BooleanField()),
                        ("witness", models.TextField()),
                        ("evidence", models.TextField()),
                        ("created", models.DateTimeField()),
                    ],
                    {"db_table": "audit_alarm", "managed": False},
                ),
            ],
        )
    ]
