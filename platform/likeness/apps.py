"""The platform as a Django application."""

from django.apps import AppConfig


class PlatformConfig(AppConfig):
    """Registers the system checks and the schema's extensions."""

    name = "likeness"
    label = "likeness"

    def ready(self) -> None:
        """Import what registers itself, and stop here where production has weak settings.

        Neither a web server nor a worker runs Django's system checks.
        """
        from likeness import checks, schema  # noqa: F401  schema registers itself

        checks.refuse_weak_settings()
