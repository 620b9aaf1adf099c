"""The portal as a Django app: template tags and no tables."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """HTML over the same services as the API."""

    name = "likeness.portal"
    label = "portal"
