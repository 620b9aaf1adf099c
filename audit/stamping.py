"""The newest head gets a timestamp of the configured authority; without one nothing is ever sent."""

import logging
from enum import StrEnum
from pathlib import Path

from django.conf import settings

from audit import pushing, timestamps
from audit.errors import TimestampError
from audit.pushing import Connection
from audit.timestamps import Authority

_STAMPED = "SELECT 1 FROM audit_timestamp WHERE size = %s AND authority = %s"
_STORE = """
    INSERT INTO audit_timestamp (size, authority, token, time) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
log = logging.getLogger(__name__)


class Standing(StrEnum):
    """Whether a token holds; one of an authority that is not configured now cannot be checked here."""

    VERIFIED = "verified"
    INVALID = "invalid"
    UNCHECKED = "unchecked"


def state(token: bytes, note: str, by: str) -> Standing:
    """Whether the token of an authority's address is on this head and leads to the configured roots."""
    try:
        known = configured()
    except TimestampError:
        known = None
    if known is None or known.url != by:
        return Standing.UNCHECKED
    try:
        timestamps.verify(token, note.encode(), known.roots)
    except TimestampError:
        return Standing.INVALID
    return Standing.VERIFIED


def configured() -> Authority | None:
    """The authority of LIKENESS_TSA_URL and LIKENESS_TSA_ROOTS; None where no address is set.

    Raises:
        TimestampError: an address that cannot be used, or roots that cannot be read.
    """
    url: str = settings.LIKENESS_TSA_URL
    return timestamps.authority(url, settings.LIKENESS_TSA_ROOTS) if url else None


def roots() -> str:
    """The certificates that tokens have to lead to here, as PEM; empty where none can be used."""
    try:
        return Path(settings.LIKENESS_TSA_ROOTS).read_text(encoding="ascii") if configured() else ""
    except (TimestampError, OSError, UnicodeDecodeError):
        return ""


def stamp_newest(connection: Connection, by: Authority) -> int:
    """Have the newest head stamped; its size, or 0 where nothing is signed or it was stamped before.

    The connection is of the sequencer's role.

    Raises:
        TimestampError, TimestampUnavailableError: there is no good token; nothing is stored.
    """
    head = pushing.newest(connection)
    if head is None:
        return 0
    size, note = head
    if connection.execute(_STAMPED, [size, by.url]).fetchone() is not None:
        return 0
    token = timestamps.stamp(note.encode(), by)
    connection.execute(_STORE, [size, by.url, token.data, token.time])
    log.info("%s stamped the head of %d at %s", by.url, size, token.time.isoformat())
    return size
