"""The log's tables, guards and rights, from 0001_log.sql; Django only reads them."""

from pathlib import Path

from django.db import migrations, models


def _seen(name, table, **columns):
    return migrations.CreateModel(name, list(columns.items()), {"db_table": table, "managed": False})


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.RunSQL(
            Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"),
            state_operations=[
                _seen(
                    "Entry",
                    "audit_entry",
                    idx=models.BigIntegerField(primary_key=True, serialize=False),
                    leaf_hash=models.BinaryField(),
                    event_id=models.UUIDField(unique=True),
                    body=models.BinaryField(),
                ),
                _seen(
                    "Checkpoint",
                    "audit_checkpoint",
                    size=models.BigIntegerField(primary_key=True, serialize=False),
                    root=models.BinaryField(),
                    note=models.TextField(),
                ),
                _seen(
                    "Cosignature",
                    "audit_cosignature",
                    pk=models.CompositePrimaryKey(
                        "size", "witness", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                    size=models.BigIntegerField(),
                    witness=models.TextField(),
                    line=models.TextField(),
                ),
                _seen(
                    "Key",
                    "audit_key",
                    pk=models.CompositePrimaryKey(
                        "kind", "k", "idx", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                    kind=models.SmallIntegerField(),
                    k=models.BinaryField(),
                    idx=models.BigIntegerField(),
                ),
            ],
        )
    ]
