"""The one change that other packages make to the log: append."""

import uuid
from datetime import UTC, datetime

from django.db import connection

from audit import leaf
from audit.errors import NotInTransactionError
from audit.events import Actor, Event

# No conflict target and no RETURNING: both would need SELECT, which the application does not have here.
_INSERT = "INSERT INTO audit_outbox (event_id, body) VALUES (%s, %s) ON CONFLICT DO NOTHING"


def append(event: Event, *, actor: Actor, request: str = "") -> uuid.UUID:
    """Put an event into the log, together with the change that the caller's transaction makes.

    The entry has no index yet: after the commit, `selectors.receipt(event_id)` gives it.

    Raises:
        NotInTransactionError: there is no transaction to be part of.
        EventError: the event breaks a rule of the log.
    """
    if not connection.in_atomic_block:
        raise NotInTransactionError(f"{type(event).__name__} was appended outside a transaction.")
    event_id = uuid.uuid4()
    body = leaf.encode(event, actor=actor, event_id=event_id, at=datetime.now(UTC), request=request)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [event_id, body])
    return event_id
