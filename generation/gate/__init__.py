"""Who may be generated, decided before and checked after."""
