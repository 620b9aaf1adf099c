"""What waits for a person: reviews in which their seat is still empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from audit.events import Actor
from consent import selectors
from likeness.portal import access


def open_seats(row: Any, actor: Actor) -> tuple[str, ...]:
    """The seats of a licence that this person could take: theirs by role, and not by their own submission."""
    involved = {row.submitted_by, row.identity.enrolled_by} | {given.person for given in row.approvals.all()}
    if row.state != "in_review" or actor.id in involved:
        return ()
    return tuple(role for role in selectors.missing_approvals(row) if role in actor.roles)


def waiting_for(actor: Actor, rows: Iterable[Any] | None = None) -> list[Any]:
    """Licences in review that wait for this person, oldest first."""
    if not access.allows(access.REVIEWERS, actor.roles):
        return []
    queue = selectors.review_queue(tenant=actor.tenant) if rows is None else rows
    return [row for row in queue if open_seats(row, actor)]


def reviews_waiting(actor: Actor) -> int:
    """How many licences wait for one of this person's approvals."""
    return len(waiting_for(actor))
