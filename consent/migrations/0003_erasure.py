"""A person who is erased keeps their row, their hashes and nothing else; the guards allow exactly that."""

from django.db import migrations, models

CONSENT = """
CREATE OR REPLACE FUNCTION consent_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.document, NEW.signature) IS DISTINCT FROM (OLD.document, OLD.signature)
        AND NEW.document = ''::bytea AND NEW.signature = ''::bytea
        AND NEW.state IN ('revoked', 'expired', 'superseded', 'rejected', 'draft')
        AND EXISTS (SELECT 1 FROM consent_identity i WHERE i.id = OLD.identity_id AND i.erased IS NOT NULL)
    THEN
        OLD.document := NEW.document;
        OLD.signature := NEW.signature;
    END IF;
    IF (NEW.id, NEW.tenant, NEW.identity_id, NEW.submitted_by, NEW.created)
        IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.identity_id, OLD.submitted_by, OLD.created)
        OR OLD.state <> 'draft' AND
        (NEW.document, NEW.document_sha256, NEW.signature, NEW.revision, NEW.not_before, NEW.not_after, NEW.sample)
        IS DISTINCT FROM
        (OLD.document, OLD.document_sha256, OLD.signature, OLD.revision, OLD.not_before, OLD.not_after, OLD.sample)
    THEN
        PERFORM consent_refuse('consent_document', 'the document of a submitted consent is never changed');
    END IF;
    IF NEW.epoch < OLD.epoch OR OLD.withdrawn IS NOT NULL AND NEW.withdrawn IS DISTINCT FROM OLD.withdrawn THEN
        PERFORM consent_refuse('consent_withdrawn', 'a withdrawal is never undone');
    END IF;
    IF NEW.withdrawn IS DISTINCT FROM OLD.withdrawn AND NEW.epoch <= OLD.epoch THEN
        PERFORM consent_refuse('consent_epoch', 'a withdrawal begins a new epoch');
    END IF;
    IF NEW.state <> OLD.state THEN
        PERFORM consent_move(OLD.state, NEW.state);
        IF NEW.state = 'active' THEN
            PERFORM consent_activate(NEW.id, NEW.identity_id, NEW.document_sha256, NEW.submitted_by);
        END IF;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION consent_step_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    blanked consent_step%ROWTYPE := OLD;
BEGIN
    blanked.reason := '';
    IF NEW IS DISTINCT FROM blanked OR NOT EXISTS (
        SELECT 1 FROM consent_consent c JOIN consent_identity i ON i.id = c.identity_id
        WHERE c.id = OLD.consent_id AND i.erased IS NOT NULL
    ) THEN
        PERFORM consent_refuse('consent_step_frozen', 'consent_step rows are never changed or deleted');
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER step_frozen ON consent_step;
CREATE TRIGGER step_frozen BEFORE DELETE ON consent_step
    FOR EACH ROW EXECUTE FUNCTION consent_frozen();
CREATE TRIGGER step_changes BEFORE UPDATE ON consent_step
    FOR EACH ROW EXECUTE FUNCTION consent_step_changes();
ALTER TABLE consent_step ENABLE ALWAYS TRIGGER step_frozen, ENABLE ALWAYS TRIGGER step_changes;
"""

IDENTITY = """
CREATE FUNCTION consent_identity_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased IS NOT NULL AND (NEW.erased, NEW.name) IS DISTINCT FROM (OLD.erased, OLD.name) THEN
        PERFORM consent_refuse('identity_erased', 'an erasure is never undone');
    END IF;
    IF NEW.erased IS NOT NULL AND (
        NEW.name <> NEW.id OR EXISTS (SELECT 1 FROM consent_portrait p WHERE p.identity_id = NEW.id)
        OR EXISTS (SELECT 1 FROM consent_asset a WHERE a.identity_id = NEW.id AND a.wrapped_key IS NOT NULL)
        OR EXISTS (SELECT 1 FROM consent_consent c WHERE c.identity_id = NEW.id
            AND c.state IN ('subject_signed', 'in_review', 'active', 'suspended'))
    ) THEN
        PERFORM consent_refuse('identity_erased', 'an erased person has no name, no picture, no key, no licence');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION consent_nothing_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM consent_identity i WHERE i.id = NEW.identity_id AND i.erased IS NOT NULL) THEN
        PERFORM consent_refuse('identity_erased', 'nothing is added to an erased person');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER identity_erased BEFORE UPDATE ON consent_identity
    FOR EACH ROW EXECUTE FUNCTION consent_identity_erased();
ALTER TABLE consent_identity ENABLE ALWAYS TRIGGER identity_erased;
CREATE TRIGGER asset_of_present BEFORE INSERT ON consent_asset
    FOR EACH ROW EXECUTE FUNCTION consent_nothing_new();
ALTER TABLE consent_asset ENABLE ALWAYS TRIGGER asset_of_present;
CREATE TRIGGER consent_of_present BEFORE INSERT ON consent_consent
    FOR EACH ROW EXECUTE FUNCTION consent_nothing_new();
ALTER TABLE consent_consent ENABLE ALWAYS TRIGGER consent_of_present;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0002_guards")]
    operations = [
        migrations.AddField("identity", "erased", models.DateTimeField(null=True)),
        migrations.RunSQL([CONSENT, IDENTITY], migrations.RunSQL.noop),
    ]
