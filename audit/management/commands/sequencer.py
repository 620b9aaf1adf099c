"""`manage.py sequencer`: the process that writes and signs the log."""

import signal
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from audit import sequencer
from audit.errors import AuditError


class Command(BaseCommand):
    """Runs the sequencer until SIGTERM or SIGINT."""

    help = "Give appended events their index in the log and sign it, until told to stop."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        """Run; the batch at work is finished before the process ends."""
        stop = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
            stop.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        try:
            sequencer.run(stop)
        except AuditError as error:
            raise CommandError(f"{error} {error.hint}") from error
