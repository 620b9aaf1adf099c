"""The platform as a Django application."""

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    """Registers the system checks and the schema's extensions."""

    name = "likeness"
    label = "likeness"

    def ready(self) -> None:
        """Import what registers itself."""
        from likeness import checks, schema  # noqa: F401  they register themselves
