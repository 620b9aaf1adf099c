"""Words beside the log: never changed, and gone only together with their data key."""

import django.db.models.deletion
from django.db import migrations, models

GUARDS = """
CREATE FUNCTION consent_disclosure_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (
        SELECT 1 FROM consent_asset a WHERE a.id = OLD.asset_id AND a.wrapped_key IS NOT NULL
    ) THEN
        PERFORM consent_refuse('disclosure_kept', 'a disclosure is kept as it is until its data key is destroyed');
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER disclosure_kept BEFORE UPDATE OR DELETE ON consent_disclosure
    FOR EACH ROW EXECUTE FUNCTION consent_disclosure_kept();
ALTER TABLE consent_disclosure ENABLE ALWAYS TRIGGER disclosure_kept;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0003_erasure")]
    operations = [
        migrations.CreateModel(
            name="Disclosure",
            fields=[
                ("event_id", models.UUIDField(primary_key=True, serialize=False)),
                ("tenant", models.CharField(max_length=64)),
                ("sealed", models.BinaryField()),
                (
                    "asset",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disclosures",
                        to="consent.asset",
                    ),
                ),
            ],
        ),
        migrations.RunSQL(GUARDS, "DROP FUNCTION consent_disclosure_kept CASCADE;"),
    ]
