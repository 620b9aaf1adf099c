"""Scripts are found by the hash of their words (``selectors.SCRIPT_SHA256``)."""

from django.db import migrations

HASH = "encode(sha256(convert_to(btrim(script, E' \\n\\t\\r'), 'UTF8')), 'hex')"


class Migration(migrations.Migration):
    dependencies = [("generation", "0007_templates")]

    operations = [
        # convert_to is only stable, because encodings can be created; ours is UTF8 and stays so
        migrations.RunSQL(
            f"""
            CREATE FUNCTION generation_script_sha256(script text) RETURNS text
            LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT {HASH} $$;
            CREATE INDEX presentation_by_script ON generation_presentation
                (tenant, generation_script_sha256(script));
            """,
            """
            DROP INDEX presentation_by_script;
            DROP FUNCTION generation_script_sha256(text);
            """,
        )
    ]
