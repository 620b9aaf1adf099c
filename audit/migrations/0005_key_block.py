"""The search index by blocks, from 0005_key_block.sql, made anew from the log."""

from pathlib import Path

from django.db import migrations, models

from audit import reindexing


def fill(_apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        reindexing.fill(cursor)


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_timestamp")]
    operations = [
        migrations.RunSQL(
            Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"),
            state_operations=[
                migrations.DeleteModel("Key"),
                migrations.CreateModel(
                    "Key",
                    [
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "k", "block", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("k", models.BigIntegerField()),
                        ("block", models.BigIntegerField()),
                    ],
                    {"db_table": "audit_key", "managed": False},
                ),
            ],
        ),
        migrations.RunPython(fill),
    ]
