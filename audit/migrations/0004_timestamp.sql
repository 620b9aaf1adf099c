-- What a timestamp authority (RFC 3161) signed about a head: `token` is its whole answer, `time` the one in it.
CREATE TABLE audit_timestamp (
  size bigint NOT NULL REFERENCES audit_checkpoint (size),
  authority text NOT NULL CHECK (authority <> ''),
  token bytea NOT NULL CHECK (octet_length(token) BETWEEN 1 AND 65536),
  time timestamptz NOT NULL,
  PRIMARY KEY (size, authority)
);
CREATE TRIGGER audit_timestamp_immutable BEFORE UPDATE OR DELETE ON audit_timestamp
  FOR EACH ROW EXECUTE FUNCTION audit_immutable();
CREATE TRIGGER audit_timestamp_untruncatable BEFORE TRUNCATE ON audit_timestamp
  FOR EACH STATEMENT EXECUTE FUNCTION audit_immutable();
ALTER TABLE audit_timestamp ENABLE ALWAYS TRIGGER audit_timestamp_immutable;
ALTER TABLE audit_timestamp ENABLE ALWAYS TRIGGER audit_timestamp_untruncatable;
REVOKE ALL ON audit_timestamp FROM PUBLIC, likeness_app, likeness_sequencer, likeness_audit;
GRANT SELECT ON audit_timestamp TO likeness_app, likeness_audit;
GRANT SELECT, INSERT ON audit_timestamp TO likeness_sequencer;
