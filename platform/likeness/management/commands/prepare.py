"""``manage.py prepare``: server, roles, migrations."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from likeness.embedded.prepare import prepare_database


class Command(BaseCommand):
    """Starts the embedded server if it is used, prepares the roles and migrates."""

    help = "Start the embedded database if it is used, prepare its roles and migrate."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        """Do it."""
        prepare_database()
