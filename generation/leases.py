"""Who works on a job or a chunk: a session advisory lock, which the server frees when the worker dies.

Needs a real session for the whole work: no pgbouncer in transaction mode between.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import DatabaseError, connection

from generation.errors import LeaseLostError

CHUNKS = 7001
JOBS = 7002
PRESENTATIONS = 7004
QUOTAS = 7005
"""First keys of the two-key advisory locks; both keys are int4."""
_INT4 = 0x7FFF_FFFF


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lock; ``backend`` is the server process that holds it."""

    space: int
    key: int
    backend: int

    def check(self) -> None:
        """Make sure that the lock is still ours; ask before every write of results.

        Raises:
            LeaseLostError: the connection was made anew in between, so the server freed the lock.
        """
        if _backend() != self.backend:
            raise LeaseLostError(f"The lease {self.space}/{self.key} was lost with its connection.")


def queue_up(space: int, name: str) -> None:
    """Go on when no other transaction counts under this name; the lock ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [space, name])


def chunk_key(chunk_id: int) -> int:
    """The lock key of a chunk: ids beyond int4 fold, which at worst delays one chunk behind another."""
    return chunk_id & _INT4


def job_key(job_id: uuid.UUID) -> int:
    """The lock key of a job: the first bits of its random id."""
    return int.from_bytes(job_id.bytes[:4]) & _INT4


@contextmanager
def hold(space: int, key: int) -> Iterator[Lease | None]:
    """The lease inside, or None when somebody else holds it: then the message is a duplicate."""
    taken = _ask("pg_try_advisory_lock", space, key)
    lease = Lease(space, key, _backend()) if taken else None
    try:
        yield lease
    finally:
        if lease is not None:
            _release(lease)


def _release(lease: Lease) -> None:
    try:
        if _backend() == lease.backend:
            _ask("pg_advisory_unlock", lease.space, lease.key)
    except DatabaseError:
        # The connection is gone or broken: closing it frees the lock on the server.
        connection.close()


def _ask(function: str, space: int, key: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"select {function}(%s, %s)", [space, key])
        row = cursor.fetchone()
    return bool(row and row[0])


def _backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
