"""The one writer of the tree: outbox rows get their index, then the committed tree is signed.

- One session holds an advisory lock; a second sequencer waits for it.
- A batch commits before its tree is signed: a batch that was signed and then rolled back would be a fork.
- The edge of the tree in memory moves after the commit only; after any failure everything is read again.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import connections

from audit import events, leaf, merkle, signer, store
from audit.checkpoint import Checkpoint
from audit.errors import EventError, SequencerBusyError, SignerRefusedError, SignerUnavailableError
from audit.events import Actor
from audit.pushing import Pusher
from audit.signer import Signer
from audit.tiles import WIDTH, Edge, FullTile, TileTree

LOCK = 0x6C6B6175  # one active sequencer per database
RETRY_S = 0.5
LOCK_POLL_S = 0.25
_NOT_LIBPQ = ("context", "cursor_factory", "prepare_threshold")
_TAKE = """
    WITH taken AS (
      DELETE FROM audit_outbox WHERE seq IN (SELECT seq FROM audit_outbox ORDER BY seq LIMIT %s)
      RETURNING seq, event_id, body)
    SELECT seq, event_id, body FROM taken ORDER BY seq
"""
_COPY_ENTRIES = "COPY audit_entry (idx, leaf_hash, event_id, body) FROM STDIN (FORMAT BINARY)"
_COPY_KEYS = "COPY audit_key (k, block) FROM STDIN (FORMAT BINARY)"
log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the outbox."""

    seq: int
    event_id: uuid.UUID
    body: bytes


@dataclass(frozen=True, slots=True)
class _New:
    """One event that gets an index, and what it can be found by."""

    event_id: uuid.UUID
    body: bytes
    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class _End:
    """Where the log ends: the tree's edge and the search keys of the block that is not full yet."""

    edge: Edge
    keys: frozenset[int]


class Sequencer:
    """The writer of one log over one connection (autocommit, not through a transaction pooler)."""

    def __init__(self, connection: Connection, *, signer: Signer) -> None:
        self._connection = connection
        self._signer = signer
        self._end = _End(Edge(0, []), frozenset())
        self._signed = 0

    @property
    def size(self) -> int:
        """How many entries this sequencer knows to be committed."""
        return self._end.edge.size

    def lock(self) -> None:
        """Become the sequencer of this database.

        Raises:
            SequencerBusyError: another session is.
        """
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        if row is None or not row[0]:
            raise SequencerBusyError("Another sequencer works on this database.")

    def start(self) -> None:
        """Read the tree's edge, open a new log, and sign what a crash left unsigned.

        Raises:
            SignerRefusedError: the database holds less than, or other than, what was signed before.
        """
        self.load()
        mark = self._signer.mark()
        if mark is None and self._signed:
            raise SignerRefusedError(
                f"The log has a signed head of {self._signed}, the signer remembers none."
            )
        if mark is not None and mark.size > self.size:
            raise SignerRefusedError(f"The log holds {self.size} entries, {mark.size} were signed.")
        if self.size == 0:
            self._open()
        self.publish()

    def load(self) -> None:
        """Read where the log ends."""
        with self._connection.cursor() as cursor:
            size = store.size(cursor)
            edge = Edge.load(size, store.reader(cursor))
            last = store.bodies(cursor, size - size % leaf.BLOCK, size)
            self._end = _End(edge, leaf.keys_of(last))
            self._signed = store.signed_size(cursor)

    def take(self, batches: Iterable[Sequence[bytes]], *, check: Callable[[Edge], None]) -> None:
        """Write entries that come from no outbox, in one transaction; `check` may refuse a batch."""
        with self._connection.transaction():
            for bodies in batches:
                read = [(leaf.read(body), body) for body in bodies]
                new = [_New(said.event_id, body, leaf.keys(body, said)) for said, body in read]
                self._end = self._write(new)  # a refused writer is not used again
                check(self._end.edge)

    def _open(self) -> None:
        origin, event_id = self._signer.key.name, uuid.uuid4()
        opened = events.LogOpened(origin=origin, key=str(self._signer.key))
        actor = Actor(events.SYSTEM, events.SYSTEM)
        body = leaf.encode(opened, actor=actor, event_id=event_id, at=datetime.now(UTC))
        with self._connection.transaction():
            end = self._write([_New(event_id, body, leaf.keys(body))])
        self._end = end

    def pending(self) -> bool:
        """Whether the outbox holds anything."""
        return self._connection.execute("SELECT 1 FROM audit_outbox LIMIT 1").fetchone() is not None

    def step(self, limit: int) -> int:
        """Give one batch its indexes, in one transaction; returns how many rows left the outbox."""
        with self._connection.transaction():
            cursor = self._connection.execute(_TAKE, [limit], binary=True)
            rows = [_Row(*row) for row in cursor.fetchall()]
            end = self._write(self._sort_out(rows))
        self._end = end
        return len(rows)

    def _sort_out(self, rows: Sequence[_Row]) -> list[_New]:
        """The rows that are new events; one bad row must not stop all others."""
        ids = [row.event_id for row in rows]
        known = self._connection.execute(
            "SELECT event_id, body FROM audit_entry WHERE event_id = ANY(%s)", [ids]
        )
        logged = {event_id: bytes(body) for event_id, body in known.fetchall()}
        fresh = []
        for row in rows:
            if row.event_id not in logged:
                try:
                    said = leaf.read(row.body)
                    if said.event_id != row.event_id:
                        raise EventError("The leaf names another event.")
                    fresh.append(_New(row.event_id, row.body, leaf.keys(row.body, said)))
                except EventError as error:
                    self._refuse(row, str(error))
            elif logged[row.event_id] != row.body:
                self._refuse(row, "The event was logged before with other bytes.")
        return fresh

    def _refuse(self, row: _Row, reason: str) -> None:
        log.critical("outbox row %d, event %s, was refused: %s", row.seq, row.event_id, reason)
        self._connection.execute(
            "INSERT INTO audit_refused (seq, event_id, body, reason) VALUES (%s, %s, %s, %s)",
            [row.seq, row.event_id, row.body, reason],
        )

    def _write(self, rows: Sequence[_New]) -> _End:
        """Write entries, full tiles and the search keys of full blocks; the end that they lead to."""
        edge, full, open_keys = self._end.edge.copy(), list[FullTile](), set(self._end.keys)
        entries, keys = [], []
        for index, row in enumerate(rows, start=edge.size):
            leaf_hash = merkle.leaf_hash(row.body)
            full += edge.append(leaf_hash)
            entries.append((index, leaf_hash, row.event_id, row.body))
            open_keys |= row.keys
            block, place = divmod(index, leaf.BLOCK)
            if place == leaf.BLOCK - 1:
                keys += [(key, block) for key in open_keys]
                open_keys.clear()
        if entries:
            self._copy(_COPY_ENTRIES, ["int8", "bytea", "uuid", "bytea"], entries)
        if keys:
            self._copy(_COPY_KEYS, ["int8", "int8"], sorted(keys))
        for tile in full:
            self._connection.execute(
                "INSERT INTO audit_tile (level, n, root, hashes) VALUES (%s, %s, %s, %s)",
                [tile.level, tile.n, tile.root, tile.hashes],
            )
        return _End(edge, frozenset(open_keys))

    def _copy(self, statement: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)

    def publish(self) -> None:
        """Have the committed tree signed and store its checkpoint.

        Raises:
            SignerRefusedError: the tree does not extend what was signed before.
        """
        if self._signed == self.size:
            return
        mark, edge = self._signer.mark(), self._end.edge
        proof = TileTree(self.size, self._tile).consistency(mark.size) if mark else ()
        head = Checkpoint(self._signer.key.name, self.size, edge.root())
        note = self._signer.sign(head, proof)
        self._connection.execute(
            "INSERT INTO audit_checkpoint (size, root, note) VALUES (%s, %s, %s)",
            [head.size, head.root, note],
        )
        self._signed = head.size

    def _tile(self, level: int, n: int, width: int) -> bytes:
        """A tile of the tree; the unfinished ones are in memory."""
        rows = self._end.edge.rows
        if width < WIDTH and level < len(rows) and len(rows[level]) == width:
            return b"".join(rows[level])
        with self._connection.cursor(binary=True) as cursor:
            return store.tile(cursor, level, n, width)


def parameters(alias: str) -> dict[str, Any]:
    """What psycopg connects with, as the settings name a database now."""
    found = dict(connections[alias].get_connection_params())
    for name in _NOT_LIBPQ:
        found.pop(name, None)
    return found


def connect() -> Connection:
    """A session of the sequencer's role, on the database that the settings name now."""
    return psycopg.connect(**parameters("sequencer"), autocommit=True, application_name="likeness-sequencer")


def run(stop: threading.Event, *, batch: int = 1000, poll_s: float = 0.015) -> None:
    """Sequence until `stop` is set; a lost database and a full disk are waited for.

    Raises:
        SignerRefusedError: the database does not extend what was signed, or a witness refused it; nobody but
            a person can decide.
    """
    holder, pusher = signer.local(), Pusher(connect)
    try:
        while not stop.is_set():
            try:
                with connect() as connection:
                    _work(Sequencer(connection, signer=holder), pusher, stop, batch, poll_s)
            except psycopg.Error:
                log.exception("the sequencer lost its database or a batch failed; it starts again")
                stop.wait(RETRY_S)
            except SignerUnavailableError as error:
                log.error("%s Entries wait unsigned.", error)
                stop.wait(RETRY_S)
            except (
                OSError
            ):  # a full disk under the signer's mark: nothing was signed that it does not remember
                log.exception("the signer cannot write; entries wait unsigned")
                stop.wait(RETRY_S)
    finally:
        pusher.stop()


def _work(sequencer: Sequencer, pusher: Pusher, stop: threading.Event, batch: int, poll_s: float) -> None:
    waiting = False
    while not stop.is_set():
        try:
            sequencer.lock()
            break
        except SequencerBusyError as error:
            if not waiting:
                log.warning("%s It waits.", error)
            waiting = True
            stop.wait(LOCK_POLL_S)
    else:
        return
    sequencer.start()
    pusher.start()
    log.info("the sequencer works at size %d", sequencer.size)
    # Polling beats NOTIFY: a notification per append serialises commits (audit.md, 4). The same pause after a
    # batch gathers more rows for the next, whose head costs as much whether it holds one entry or a thousand.
    while not stop.is_set():
        if not sequencer.pending():
            stop.wait(poll_s)
            continue
        taken = sequencer.step(batch)
        sequencer.publish()
        pusher.note_head()
        if taken < batch:
            stop.wait(poll_s)
