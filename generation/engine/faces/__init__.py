"""Find, track, measure and embed faces."""
