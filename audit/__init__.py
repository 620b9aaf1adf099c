"""The append-only log: open formats, one sequencer, proofs for strangers."""
