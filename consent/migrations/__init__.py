"""Database migrations of the consent package."""
