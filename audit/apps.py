"""The Django application ``audit``."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The append-only log."""

    name = "audit"
    label = "audit"
