-- A witness confirms the newest head again while the log rests: one line for each time.
ALTER TABLE audit_cosignature ADD COLUMN time bigint NOT NULL DEFAULT 0 CHECK (time >= 0);
ALTER TABLE audit_cosignature ALTER COLUMN time DROP DEFAULT;
ALTER TABLE audit_cosignature DROP CONSTRAINT audit_cosignature_pkey;
ALTER TABLE audit_cosignature ADD PRIMARY KEY (size, witness, time);

-- When a witness refused a head, and when a person let the log go on; the newest row decides.
CREATE TABLE audit_alarm (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  frozen boolean NOT NULL,
  witness text NOT NULL,
  evidence text NOT NULL,
  created timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER audit_alarm_immutable BEFORE UPDATE OR DELETE ON audit_alarm
  FOR EACH ROW EXECUTE FUNCTION audit_immutable();
CREATE TRIGGER audit_alarm_untruncatable BEFORE TRUNCATE ON audit_alarm
  FOR EACH STATEMENT EXECUTE FUNCTION audit_immutable();
ALTER TABLE audit_alarm ENABLE ALWAYS TRIGGER audit_alarm_immutable;
ALTER TABLE audit_alarm ENABLE ALWAYS TRIGGER audit_alarm_untruncatable;
REVOKE ALL ON audit_alarm FROM PUBLIC, likeness_app, likeness_sequencer, likeness_audit;
REVOKE ALL ON SEQUENCE audit_alarm_seq_seq FROM PUBLIC, likeness_app, likeness_sequencer, likeness_audit;
GRANT SELECT ON audit_alarm TO likeness_app, likeness_audit;
GRANT SELECT, INSERT ON audit_alarm TO likeness_sequencer;
