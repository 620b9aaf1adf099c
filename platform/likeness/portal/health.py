"""How the log is: the newest signed checkpoint and its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from audit import selectors
from audit.errors import AuditError

LATE_AFTER = timedelta(minutes=5)
"""A checkpoint older than this raises the operators' alarm (platform.md, 9)."""


@dataclass(frozen=True, slots=True)
class LogHealth:
    """``state`` is healthy, late or silent; the rest is empty while nothing is signed."""

    state: str
    size: int = 0
    root: str = ""
    note: str = ""
    signed_at: datetime | None = None


def log_health() -> LogHealth:
    """Ask for the newest checkpoint; a log that does not answer is silent, never healthy."""
    try:
        head = selectors.checkpoint()
    except AuditError:
        return LogHealth("silent")
    late = timezone.now() - head.signed_at > LATE_AFTER
    return LogHealth("late" if late else "healthy", head.size, head.root, head.note, head.signed_at)
