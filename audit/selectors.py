"""Questions to the log: entries, receipts, proofs, checkpoints and tiles."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from audit import blocks, health, leaf, signer, store, tiles, witnesses
from audit.checkpoint import TlogProof, VerifierKey
from audit.errors import EntryNotFoundError, NoCheckpointError, PolicyError, ReceiptTimeoutError, TileError
from audit.health import Standing, WitnessHealth
from audit.leaf import KeyKind
from audit.models import Checkpoint, Timestamp
from audit.models import Entry as Row
from audit.tiles import TileTree

RECEIPT_POLL_S = 0.005
MAX_INDEX = 2**63 - 1
_RECEIPT = """
    SELECT idx, leaf_hash, (SELECT min(size) FROM audit_checkpoint WHERE size > idx) AS signed
    FROM audit_entry WHERE event_id = %s
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an event stands: its index, its leaf hash (hex) and the first signed tree that holds it."""

    index: int
    leaf_hash: str
    size: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the log; `body` are the bytes that were hashed, `event` the JSON in them."""

    index: int
    event_id: uuid.UUID
    type: str
    ts: str
    tenant: str
    actor: str
    body: bytes
    event: dict[str, Any]
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """A signed tree head; `root` is hex, `note` holds the log's and the witnesses' signatures.

    `signed_at` is the time of its last entry, which the signature covers.
    """

    size: int
    root: str
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class TimestampView:
    """An authority's RFC 3161 answer about the head of a size, `note` byte for byte; `time` is its word."""

    size: int
    authority: str
    token: bytes
    time: datetime
    note: str


def receipt(event_id: uuid.UUID, *, timeout_s: float = 1.0) -> Receipt:
    """The receipt of an event whose transaction has been committed; waits for a signed tree that holds it.

    Raises:
        ReceiptTimeoutError: the event is not in a signed tree in time.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_RECEIPT, [event_id])
            row = cursor.fetchone()
        if row is not None and row[2] is not None:
            return Receipt(index=row[0], leaf_hash=bytes(row[1]).hex(), size=row[2])
        if time.monotonic() >= deadline:
            state = "not in the log" if row is None else "in the log but not signed"
            raise ReceiptTimeoutError(f"After {timeout_s:g} s the event {event_id} is {state}.")
        time.sleep(RECEIPT_POLL_S)


def _entry(row: Row) -> Entry:
    body = bytes(row.body)
    read = leaf.read(body)
    return Entry(
        index=row.idx,
        event_id=row.event_id,
        type=read.type,
        ts=read.ts,
        tenant=read.tenant,
        actor=read.actor,
        body=body,
        event=read.event,
        leaf_hash=bytes(row.leaf_hash).hex(),
    )


def entry(index: int) -> Entry:
    """One entry.

    Raises:
        EntryNotFoundError: the log does not hold it.
    """
    row = Row.objects.filter(idx=index).first() if 0 <= index <= MAX_INDEX else None
    if row is None:
        raise EntryNotFoundError(f"The log holds no entry {index}.")
    return _entry(row)


def entry_of(event_id: uuid.UUID) -> Entry:
    """The entry of one event.

    Raises:
        EntryNotFoundError: the event is not in the log, or not yet.
    """
    row = Row.objects.filter(event_id=event_id).first()
    if row is None:
        raise EntryNotFoundError(f"The log holds no event {event_id}.")
    return _entry(row)


def entries(kind: KeyKind, value: str) -> list[Entry]:
    """Every entry about one job, consent, output or other key, oldest first."""
    return [_entry(row) for row in reversed(blocks.find([[(kind, value)]]))]


def latest(
    limit: int,
    before: int | None = None,
    *,
    tenant: str | None = None,
    about: tuple[KeyKind, str] | None = None,
) -> list[Entry]:
    """The newest entries below `before`, newest first; of one tenant and about one key, or all."""
    below = MAX_INDEX if before is None else min(max(before, 0), MAX_INDEX)
    wanted = [about] if about is not None else []
    wanted += [(KeyKind.TENANT, tenant)] if tenant is not None else []
    if not wanted:
        return [_entry(row) for row in Row.objects.order_by("-idx").filter(idx__lt=below)[:limit]]
    found: list[Row] = []
    for step in blocks.walk([[each] for each in wanted], start=0, below=below):
        found += step.entries
        if len(found) >= limit:
            break
    return [_entry(row) for row in found[:limit]]


def checkpoint() -> CheckpointView:
    """The newest signed tree head.

    Raises:
        NoCheckpointError: nothing was signed yet.
    """
    head = Checkpoint.objects.order_by("-size").first()
    if head is None:
        raise NoCheckpointError("The log has no signed head.")
    return _view(head)


def _view(head: Checkpoint) -> CheckpointView:
    signed_at = datetime.fromisoformat(entry(head.size - 1).ts)
    return CheckpointView(head.size, bytes(head.root).hex(), head.note + health.lines(head.size), signed_at)


def witnessed(index: int = 0) -> CheckpointView:
    """The head that proofs of an entry are given against.

    The newest whose cosignatures satisfy the quorum of log.policy; where none does, or the entry is younger
    than it, the newest that is signed.

    Raises:
        NoCheckpointError: nothing was signed yet.
    """
    try:
        cosigned = health.cosigned(witnesses.load())
    except PolicyError:
        cosigned = None
    if cosigned is None or cosigned.size <= index:
        return checkpoint()
    return _view(Checkpoint.objects.get(size=cosigned.size))


def witness_standing() -> Standing:
    """Whether the log is frozen, stale or at fault, in two queries: what every page asks."""
    return health.standing()


def timestamps(size: int) -> list[TimestampView]:
    """The timestamps on the head of a size; none where it was not stamped."""
    rows = Timestamp.objects.filter(size=size).order_by("time", "authority")
    note = Checkpoint.objects.filter(size=size).values_list("note", flat=True).first()
    return [TimestampView(row.size, row.authority, bytes(row.token), row.time, note or "") for row in rows]


def stamps(limit: int, before: int | None = None) -> list[TimestampView]:
    """Every timestamp on the newest `limit` stamped heads of fewer than `before` entries, newest first."""
    below = MAX_INDEX if before is None else min(max(before, 0), MAX_INDEX)
    sizes = Timestamp.objects.filter(size__lt=below).order_by("-size").values_list("size", flat=True)
    return [found for size in sizes.distinct()[:limit] for found in timestamps(size)]


def stamped(index: int, *, within: int) -> int:
    """The size of the first stamped head that holds an entry, of those up to a size; 0 for none."""
    ours = Checkpoint.objects.filter(size__gt=index, size__lte=within, note__startswith=f"{log_key().name}\n")
    sizes = Timestamp.objects.filter(size__in=ours.values("size")).order_by("size")
    return sizes.values_list("size", flat=True).first() or 0


def witness_health() -> WitnessHealth:
    """Whether the log is witnessed, and whether a witness refused it; for banners and alarms."""
    return health.health()


def log_key() -> VerifierKey:
    """The log's public key, as its signer published it.

    Raises:
        LogKeyMissingError: no sequencer ever started here.
    """
    return signer.published_key()


def proofs(indexes: Iterable[int], head: CheckpointView) -> Iterable[tuple[int, str]]:
    """The .tlog-proof of each index, all against one head.

    Raises:
        EntryNotFoundError: the head does not cover an index.
    """
    with connection.cursor() as cursor:
        tree = TileTree(head.size, store.reader(cursor))
        for index in indexes:
            if not 0 <= index < head.size:
                raise EntryNotFoundError(f"The signed tree of {head.size} holds no entry {index}.")
            yield index, str(TlogProof(index, tree.inclusion(index), head.note))


def proof(index: int) -> str:
    """The .tlog-proof of one entry against the newest head with a quorum of witnesses, or that is signed.

    Raises:
        EntryNotFoundError: the signed tree does not hold it.
        NoCheckpointError: nothing was signed yet.
    """
    return dict(proofs([index], witnessed(index)))[index]


def tile(path: str, *, size: int | None = None) -> bytes:
    """A hash tile or an entry bundle by its path after `tile/`; of any width that the signed tree has had.

    Raises:
        TileError: the path is malformed or beyond the signed tree.
    """
    wanted = tiles.parse_path(path)
    with connection.cursor() as cursor:
        if wanted.last > (store.signed_size(cursor) if size is None else size):
            raise TileError("The tile is beyond the signed tree.")
        if wanted.level is None:
            return tiles.bundle(store.bodies(cursor, wanted.first, wanted.last))
        return store.tile(cursor, wanted.level, wanted.n, wanted.width)
