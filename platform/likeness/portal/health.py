"""How the log is: its newest checkpoint, whether it covers every entry, who signs it and who witnesses it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from audit import selectors
from audit.errors import AuditError
from audit.sequencer import LOCK

_SIGNING = """
    SELECT EXISTS (
      SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
      WHERE datname = current_database() AND locktype = 'advisory' AND granted
        AND classid::bigint = %s AND objid::bigint = %s AND objsubid = 1)
"""


@dataclass(frozen=True, slots=True)
class LogHealth:
    """``state`` is healthy, late, stopped or silent; the rest is empty while nothing is signed."""

    state: str
    size: int = 0
    root: str = ""
    note: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Witnessing:
    """What a banner says of the log's witnesses: ``tone`` is bad, warn or empty, ``code`` names the state."""

    tone: str = ""
    code: str = "unwitnessed"
    by: str = ""
    at: datetime | None = None
    link: bool = False


NOBODY = Witnessing()
"""What somebody who is not signed in is told."""


def log_witnessing(*, link: bool = False) -> Witnessing:
    """Say the worst there is: a refusal, then a faulty policy, then an old cosignature."""
    known = selectors.witness_standing()
    if known.frozen:
        return Witnessing("bad", "frozen", known.frozen_by, known.frozen_at, link)
    if known.fault:
        return Witnessing("warn", "policy", link=link)
    if known.stale:
        return Witnessing("warn", "stale", at=known.time, link=link)
    return Witnessing(code="cosigned" if known.time else "unwitnessed", at=known.time, link=link)


def log_health() -> LogHealth:
    """Ask for the newest checkpoint; a log that does not answer is silent, never healthy.

    The age of a checkpoint says nothing on a quiet day: a log signs when it grows. What counts is that a
    sequencer holds its lock and that the checkpoint covers the newest entry.
    """
    try:
        head = selectors.checkpoint()
    except AuditError:
        return LogHealth("silent")
    newest = selectors.latest(1)
    if not sequencer_runs():
        state = "stopped"
    elif newest and newest[0].index >= head.size:
        state = "late"
    else:
        state = "healthy"
    return LogHealth(state, head.size, head.root, head.note, head.signed_at)


def sequencer_runs() -> bool:
    """Tell whether some session holds the sequencer's advisory lock of this database."""
    with connection.cursor() as cursor:
        cursor.execute(_SIGNING, [LOCK >> 32, LOCK & 0xFFFFFFFF])
        row = cursor.fetchone()
    return bool(row and row[0])
