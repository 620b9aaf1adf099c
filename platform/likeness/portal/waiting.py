"""What waits for a person: reviews in which their seat is still empty."""

from __future__ import annotations

from audit.events import Actor


def reviews_waiting(actor: Actor) -> int:
    """How many licences wait for one of this person's approvals."""
    return 0
