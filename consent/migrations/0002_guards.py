"""The database's own rules; they hold for whoever writes SQL as the application.

ENABLE ALWAYS: they also fire under ``session_replication_role = replica``.
"""

from django.db import migrations

REFUSE = """
CREATE FUNCTION consent_refuse(fact text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'check_violation', CONSTRAINT = fact;
END $$;

CREATE FUNCTION consent_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM consent_refuse(TG_TABLE_NAME || '_frozen', TG_TABLE_NAME || ' rows are never changed or deleted');
    RETURN NULL;
END $$;
"""

CONSENT = """
CREATE FUNCTION consent_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state NOT IN ('draft', 'in_review') OR NEW.epoch <> 0 OR NEW.withdrawn IS NOT NULL THEN
        PERFORM consent_refuse('consent_begins', 'a consent begins as a draft or in review');
    END IF;
    IF NOT EXISTS (SELECT 1 FROM consent_identity i WHERE i.id = NEW.identity_id AND i.tenant = NEW.tenant) THEN
        PERFORM consent_refuse('consent_tenant', 'the identity belongs to another tenant');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION consent_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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

CREATE FUNCTION consent_move(source text, target text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF source IN ('revoked', 'expired', 'superseded', 'rejected') THEN
        PERFORM consent_refuse('consent_terminal', 'a consent that is ' || source || ' stays so');
    END IF;
    IF (source, target) NOT IN (
        ('draft', 'subject_signed'), ('draft', 'in_review'), ('subject_signed', 'in_review'),
        ('subject_signed', 'draft'), ('subject_signed', 'revoked'),
        ('in_review', 'active'), ('in_review', 'rejected'), ('in_review', 'revoked'),
        ('active', 'suspended'), ('active', 'expired'), ('active', 'superseded'), ('active', 'revoked'),
        ('suspended', 'active'), ('suspended', 'expired'), ('suspended', 'superseded'), ('suspended', 'revoked')
    ) THEN
        PERFORM consent_refuse('consent_move', 'a consent does not go from ' || source || ' to ' || target);
    END IF;
END $$;

CREATE FUNCTION consent_activate(consent text, identity text, sha256 text, submitter text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(DISTINCT person) FROM consent_approval a
        WHERE a.consent_id = consent AND a.document_sha256 = sha256
        AND a.role IN ('legal', 'business') AND a.person <> submitter) < 2
        OR (SELECT count(DISTINCT role) FROM consent_approval a
        WHERE a.consent_id = consent AND a.document_sha256 = sha256 AND a.role IN ('legal', 'business')) < 2
    THEN
        PERFORM consent_refuse('consent_four_eyes', 'legal and business, two people, approve this very document');
    END IF;
    IF EXISTS (SELECT 1 FROM consent_identity i WHERE i.id = identity AND i.status <> 'living')
        AND NOT EXISTS (SELECT 1 FROM consent_approval a
        WHERE a.consent_id = consent AND a.document_sha256 = sha256 AND a.role = 'expert')
    THEN
        PERFORM consent_refuse('consent_expert', 'an expert approves for a person who is not living');
    END IF;
    IF NOT EXISTS (SELECT 1 FROM consent_asset a WHERE a.identity_id = identity AND a.wrapped_key IS NOT NULL) THEN
        PERFORM consent_refuse('consent_material', 'the licensed material was destroyed');
    END IF;
END $$;

CREATE FUNCTION consent_shreds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM consent_asset a WHERE a.identity_id = NEW.identity_id AND a.wrapped_key IS NOT NULL)
        AND NOT EXISTS (SELECT 1 FROM consent_consent c WHERE c.identity_id = NEW.identity_id
        AND c.state IN ('active', 'suspended') AND c.withdrawn IS NULL)
    THEN
        PERFORM consent_refuse('consent_key_left', 'a withdrawn consent leaves no data key behind');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER consent_begins BEFORE INSERT ON consent_consent
    FOR EACH ROW EXECUTE FUNCTION consent_begins();
CREATE TRIGGER consent_changes BEFORE UPDATE ON consent_consent
    FOR EACH ROW EXECUTE FUNCTION consent_changes();
CREATE TRIGGER consent_kept BEFORE DELETE ON consent_consent
    FOR EACH ROW EXECUTE FUNCTION consent_frozen();
CREATE CONSTRAINT TRIGGER consent_shreds AFTER UPDATE ON consent_consent
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.withdrawn IS NOT NULL AND OLD.withdrawn IS NULL) EXECUTE FUNCTION consent_shreds();
ALTER TABLE consent_consent ENABLE ALWAYS TRIGGER consent_begins, ENABLE ALWAYS TRIGGER consent_changes,
    ENABLE ALWAYS TRIGGER consent_kept, ENABLE ALWAYS TRIGGER consent_shreds;
"""

APPROVAL = """
CREATE FUNCTION consent_approval_begins() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    c consent_consent%ROWTYPE;
BEGIN
    SELECT * INTO c FROM consent_consent WHERE id = NEW.consent_id FOR SHARE;
    IF c.state <> 'in_review' OR c.tenant <> NEW.tenant OR c.document_sha256 <> NEW.document_sha256 THEN
        PERFORM consent_refuse('approval_of_this_document', 'only the document that is in review is approved');
    END IF;
    IF NEW.person = c.submitted_by
        OR EXISTS (SELECT 1 FROM consent_identity i WHERE i.id = c.identity_id AND i.enrolled_by = NEW.person)
        OR EXISTS (SELECT 1 FROM consent_portrait p WHERE p.identity_id = c.identity_id AND p.added_by = NEW.person)
    THEN
        PERFORM consent_refuse('approval_by_another', 'nobody approves what they submitted or enrolled');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER approval_begins BEFORE INSERT ON consent_approval
    FOR EACH ROW EXECUTE FUNCTION consent_approval_begins();
CREATE TRIGGER approval_frozen BEFORE UPDATE OR DELETE ON consent_approval
    FOR EACH ROW EXECUTE FUNCTION consent_frozen();
ALTER TABLE consent_approval ENABLE ALWAYS TRIGGER approval_begins, ENABLE ALWAYS TRIGGER approval_frozen;

CREATE TRIGGER step_frozen BEFORE UPDATE OR DELETE ON consent_step
    FOR EACH ROW EXECUTE FUNCTION consent_frozen();
ALTER TABLE consent_step ENABLE ALWAYS TRIGGER step_frozen;
"""

MATERIAL = """
CREATE FUNCTION consent_identity_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.tenant, NEW.subject, NEW.status, NEW.kind, NEW.enrolled_by)
        IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.subject, OLD.status, OLD.kind, OLD.enrolled_by)
    THEN
        PERFORM consent_refuse('identity_fixed', 'who a person is does not change after enrolment');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION consent_asset_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.tenant, NEW.identity_id) IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.identity_id)
        OR OLD.wrapped_key IS NULL AND NEW.wrapped_key IS NOT NULL
        OR NEW.wrapped_key IS DISTINCT FROM OLD.wrapped_key AND NEW.wrapped_key IS NOT NULL
        AND NEW.kek_id = OLD.kek_id
    THEN
        PERFORM consent_refuse('asset_fixed', 'a data key is wrapped again under a new key, or destroyed');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION consent_portrait_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.tenant, NEW.identity_id, NEW.asset_id, NEW.sha256, NEW.added_by)
        IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.identity_id, OLD.asset_id, OLD.sha256, OLD.added_by)
    THEN
        PERFORM consent_refuse('portrait_fixed', 'a portrait is not exchanged for another');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER identity_changes BEFORE UPDATE ON consent_identity
    FOR EACH ROW EXECUTE FUNCTION consent_identity_changes();
ALTER TABLE consent_identity ENABLE ALWAYS TRIGGER identity_changes;
CREATE TRIGGER asset_changes BEFORE UPDATE ON consent_asset
    FOR EACH ROW EXECUTE FUNCTION consent_asset_changes();
ALTER TABLE consent_asset ENABLE ALWAYS TRIGGER asset_changes;
CREATE TRIGGER portrait_changes BEFORE UPDATE ON consent_portrait
    FOR EACH ROW EXECUTE FUNCTION consent_portrait_changes();
ALTER TABLE consent_portrait ENABLE ALWAYS TRIGGER portrait_changes;
"""

DROP = """
DROP FUNCTION consent_begins, consent_changes, consent_move, consent_activate, consent_shreds,
    consent_approval_begins, consent_identity_changes, consent_asset_changes, consent_portrait_changes,
    consent_frozen, consent_refuse CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [("consent", "0001_initial")]
    operations = [migrations.RunSQL([REFUSE, CONSENT, APPROVAL, MATERIAL], [DROP])]
