"""The platform: settings, accounts, API conventions, portal, command line and local engines."""

from likeness.celery import app as celery_app

__all__ = ["celery_app"]
