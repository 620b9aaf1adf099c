"""Management commands of the log."""
