"""The Django application ``generation``."""

from django.apps import AppConfig


class GenerationConfig(AppConfig):
    """Jobs, their chunks, and the media that they use."""

    name = "generation"
    label = "generation"
    default_auto_field = "django.db.models.BigAutoField"
