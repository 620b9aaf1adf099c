"""The search keys of a range of entries, in pages: rows lie in the order of their entries."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_witness")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX audit_key_range ON audit_key USING brin (idx) WITH (pages_per_range = 16)",
            "DROP INDEX audit_key_range",
        )
    ]
