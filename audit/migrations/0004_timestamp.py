"""Timestamps on signed heads, from 0004_timestamp.sql."""

from pathlib import Path

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_key_range")]
    operations = [
        migrations.RunSQL(
            Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"),
            state_operations=[
                migrations.CreateModel(
                    "Timestamp",
                    [
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "size",
                                "authority",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("size", models.BigIntegerField()),
                        ("authority", models.TextField()),
                        ("token", models.BinaryField()),
                        ("time", models.DateTimeField()),
                    ],
                    {"db_table": "audit_timestamp", "managed": False},
                ),
            ],
        )
    ]
