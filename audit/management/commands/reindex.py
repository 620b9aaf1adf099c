"""Make the log's search index anew: `manage.py reindex`."""

from typing import Any

from django.core.management.base import BaseCommand

from audit import reindexing


class Command(BaseCommand):
    """Make the search index anew from the entries, which stay as they are."""

    help = "Make the log's search index anew from its entries, after a check that found it changed."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Rebuild and say how much is indexed."""
        self.stdout.write(f"{reindexing.rebuild()} entries are indexed.")
