-- The search index by blocks of entries: derived, so that the old one goes and the new one is made from the log.
DROP TABLE audit_key;
CREATE TABLE audit_key (
  k bigint NOT NULL,
  block bigint NOT NULL,
  PRIMARY KEY (k, block)
);
-- Pages in the order of the blocks, for the check of a range.
CREATE INDEX audit_key_range ON audit_key USING brin (block) WITH (pages_per_range = 16);

CREATE TRIGGER audit_key_immutable BEFORE UPDATE OR DELETE ON audit_key
  FOR EACH ROW EXECUTE FUNCTION audit_immutable();
CREATE TRIGGER audit_key_untruncatable BEFORE TRUNCATE ON audit_key
  FOR EACH STATEMENT EXECUTE FUNCTION audit_immutable();
ALTER TABLE audit_key ENABLE ALWAYS TRIGGER audit_key_immutable;
ALTER TABLE audit_key ENABLE ALWAYS TRIGGER audit_key_untruncatable;
REVOKE ALL ON audit_key FROM PUBLIC, likeness_app, likeness_sequencer, likeness_audit;
GRANT SELECT ON audit_key TO likeness_app, likeness_audit;
GRANT SELECT, INSERT ON audit_key TO likeness_sequencer;

-- That the body is an event, and of which id, the sequencer reads; here only that the id stands in it: to parse
-- every body twice cost a tenth of an append.
ALTER TABLE audit_outbox DROP CONSTRAINT audit_outbox_body_id;
ALTER TABLE audit_outbox ADD CONSTRAINT audit_outbox_body_id
  CHECK (position(convert_to('"event_id":"' || event_id::text || '"', 'UTF8') IN body) > 0);
