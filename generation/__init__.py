"""From an admitted request to a delivered video."""
