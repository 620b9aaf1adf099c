"""Schema changes of the generation tables."""
