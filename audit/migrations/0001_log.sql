-- The append-only log. Every table is INSERT-only but the outbox, which the sequencer drains.
-- The roles likeness_app, likeness_sequencer and likeness_audit exist before this runs.

-- The event's id stands in the body too; a body that is not JSON or names another id never gets in.
CREATE TABLE audit_outbox (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id uuid NOT NULL UNIQUE,
  body bytea NOT NULL,
  CONSTRAINT audit_outbox_body_size CHECK (octet_length(body) BETWEEN 2 AND 65535),
  CONSTRAINT audit_outbox_body_id CHECK (coalesce((convert_from(body, 'UTF8')::jsonb ->> 'event_id')::uuid = event_id, false))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE audit_entry (
  idx bigint PRIMARY KEY CHECK (idx >= 0),
  leaf_hash bytea NOT NULL,
  event_id uuid NOT NULL UNIQUE,
  body bytea NOT NULL,
  CONSTRAINT audit_entry_body_size CHECK (octet_length(body) BETWEEN 2 AND 65535),
  CONSTRAINT audit_entry_leaf_hash CHECK (leaf_hash = sha256('\x00'::bytea || body))  -- RFC 6962, 2.1
);

-- Full tiles only: partial ones are derived, so that no row ever changes.
CREATE TABLE audit_tile (
  level smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
  n bigint NOT NULL CHECK (n >= 0),
  root bytea NOT NULL CHECK (octet_length(root) = 32),
  hashes bytea NOT NULL CHECK (octet_length(hashes) = 8192),
  PRIMARY KEY (level, n)
);
ALTER TABLE audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;  -- hashes do not compress

-- The primary key forbids two heads of one size.
CREATE TABLE audit_checkpoint (
  size bigint PRIMARY KEY CHECK (size >= 0),
  root bytea NOT NULL CHECK (octet_length(root) = 32),
  note text NOT NULL
);

CREATE TABLE audit_cosignature (
  size bigint NOT NULL REFERENCES audit_checkpoint (size),
  witness text NOT NULL,
  line text NOT NULL,
  PRIMARY KEY (size, witness)
);

-- What entries can be found by; derived from the entries, outside the trusted core.
CREATE TABLE audit_key (
  kind smallint NOT NULL,
  k bytea NOT NULL CHECK (octet_length(k) = 16),
  idx bigint NOT NULL,
  PRIMARY KEY (kind, k, idx)
);

-- Outbox rows that the sequencer could not log: an id that was logged with other bytes.
CREATE TABLE audit_refused (
  seq bigint PRIMARY KEY,
  event_id uuid NOT NULL,
  body bytea NOT NULL,
  reason text NOT NULL,
  created timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION audit_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % on % refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END $$;

-- Per statement, so that neither a gap nor a fork ever commits.
CREATE FUNCTION audit_contiguous() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  first bigint; last bigint; number bigint;
BEGIN
  SELECT min(idx), max(idx), count(*) INTO first, last, number FROM new_rows;
  IF number = 0 THEN
    RETURN NULL;
  END IF;
  IF last - first + 1 <> number THEN
    RAISE EXCEPTION 'gap inside a batch of audit entries' USING ERRCODE = 'check_violation';
  END IF;
  IF first > 0 AND NOT EXISTS (SELECT 1 FROM audit_entry WHERE idx = first - 1) THEN
    RAISE EXCEPTION 'gap before audit entry %', first USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER audit_entry_contiguous AFTER INSERT ON audit_entry
  REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION audit_contiguous();
ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_contiguous;

-- ENABLE ALWAYS: they fire under session_replication_role = replica too.
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['audit_entry', 'audit_tile', 'audit_checkpoint', 'audit_cosignature', 'audit_key', 'audit_refused'] LOOP
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION audit_immutable()', name || '_immutable', name);
    EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_immutable()', name || '_untruncatable', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', name, name || '_immutable');
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER %I', name, name || '_untruncatable');
  END LOOP;
END $$;

-- Default rights would let the application change every table: take them back first.
REVOKE ALL ON audit_outbox, audit_entry, audit_tile, audit_checkpoint, audit_cosignature, audit_key, audit_refused
  FROM PUBLIC, likeness_app, likeness_sequencer, likeness_audit;
REVOKE ALL ON SEQUENCE audit_outbox_seq_seq FROM PUBLIC, likeness_app, likeness_sequencer, likeness_audit;
GRANT INSERT ON audit_outbox TO likeness_app;
GRANT SELECT ON audit_entry, audit_tile, audit_checkpoint, audit_cosignature, audit_key TO likeness_app;
GRANT SELECT, DELETE ON audit_outbox TO likeness_sequencer;
GRANT SELECT, INSERT ON audit_entry, audit_tile, audit_checkpoint, audit_cosignature, audit_key, audit_refused TO likeness_sequencer;
GRANT SELECT ON audit_entry, audit_tile, audit_checkpoint, audit_cosignature, audit_key, audit_refused TO likeness_audit;
