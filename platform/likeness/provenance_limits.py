"""How often strangers may ask the detector: it holds the keys, and who may ask without end learns from it.

Counted in the database, so that all processes count together: by address (kept as a keyed hash of the day,
never as it is) and over everybody. Searches at a time are bounded for each machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.http import HttpRequest

from likeness.errors import TooLargeError, TooManyChecksError
from likeness.models import CheckCount

MAX_BYTES = 64 * 2**20
"""Of an upload to the public check."""
OVERHEAD_BYTES = 64 * 1024
AT_A_TIME = 2
BUSY_S = 10
_EVERYBODY = "everybody"
_LIMITS = ((60, 6, 30), (3600, 40, 600))  # seconds, then checks by one address and by everybody
_KEPT = timedelta(hours=2)
_COUNT = """
INSERT INTO likeness_checkcount (key, began, seconds, count) VALUES (%s, %s, %s, 1)
ON CONFLICT (key, began, seconds) DO UPDATE SET count = likeness_checkcount.count + 1 RETURNING count
"""


def address_of(request: HttpRequest) -> str:
    """Where a request comes from: of an IPv6 address its network, for one household has many addresses.

    A header is believed only as far as ``LIKENESS_PROXIES`` proxies of our own stand before us.
    """
    given = str(request.META.get("REMOTE_ADDR", ""))
    if settings.LIKENESS_PROXIES:
        named = [name.strip() for name in request.headers.get("X-Forwarded-For", "").split(",")]
        given = named[-min(settings.LIKENESS_PROXIES, len(named))] or given
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network(f"{address}/64", strict=False))
    return str(address)


def admit(address: str, *, now: datetime) -> None:
    """Count a check.

    Raises:
        TooManyChecksError: this address, or everybody together, asked too often; ``wait`` says for how long.
    """
    for seconds, by_one, by_all in _LIMITS:
        began = datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)
        wait = seconds - (now - began).total_seconds()
        if _count(_hashed(address, now), began, seconds) > by_one:
            raise TooManyChecksError("This address asked too often.", wait=wait)
        total = _count(_EVERYBODY, began, seconds)
        if total > by_all:
            raise TooManyChecksError("Too many people ask at once.", wait=wait)
        if total == 1:
            CheckCount.objects.filter(began__lt=now - _KEPT).delete()


def refuse_large(request: HttpRequest) -> None:
    """Refuse an upload by what its header says, before a byte of it is read; what is longer is never read.

    Raises:
        TooLargeError: it is larger than a check takes.
    """
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdigit() or int(length) > MAX_BYTES + OVERHEAD_BYTES:
        raise TooLargeError(f"A check takes files of at most {MAX_BYTES >> 20} MB.")


@contextmanager
def place() -> Iterator[None]:
    """One of the few searches that may run on this machine at a time.

    Raises:
        TooManyChecksError: none is free.
    """
    folder = Path(settings.LIKENESS_WORK)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(AT_A_TIME):
        handle = os.open(folder / f"check-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            yield
            return
        finally:
            os.close(handle)  # the system gives the lock back, also when this process dies
    raise TooManyChecksError("Other files are being checked.", wait=BUSY_S)


def _count(key: str, began: datetime, seconds: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [key, began, seconds])
        return int(cursor.fetchone()[0])


def _hashed(address: str, now: datetime) -> str:
    text = f"check {now.astimezone(UTC):%Y-%m-%d} {address}"
    return hmac.digest(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256)[:16].hex()
