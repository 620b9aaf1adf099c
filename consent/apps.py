"""The Django app of the consent package."""

from django.apps import AppConfig


class ConsentConfig(AppConfig):
    """Identities, licences, approvals and the block list."""

    name = "consent"
    label = "consent"
    default_auto_field = "django.db.models.BigAutoField"
