"""The check of one range of entries by itself: bodies, search keys, signatures; ranges run side by side.

Plain Python over a cursor, so that a process of its own needs no Django. Processes that share the work share
one snapshot of the database.
"""

import multiprocessing
import struct
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg

from audit import leaf, merkle, store
from audit.checkpoint import VerifierKey, open_checkpoint
from audit.errors import EventError, FormatError
from audit.leaf import BLOCK, KeyKind

RANGE = 8192  # entries; about 10 MB of rows
_AHEAD = 3  # ranges a process may be ahead of the tree
_ENTRIES = "SELECT idx, leaf_hash, event_id, body FROM audit_entry WHERE idx >= %s AND idx < %s ORDER BY idx"
_HEADS = "SELECT size, root, note FROM audit_checkpoint WHERE size > %s AND size <= %s ORDER BY size"
_KEYS = """
    SELECT block, string_agg(int8send(k), ''::bytea)
    FROM audit_key WHERE block >= %s AND block < %s GROUP BY block
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that does not hold: which entry, if one can be named, what it is about, and in words."""

    index: int | None
    what: str
    message: str


@dataclass(frozen=True, slots=True)
class Head:
    """A signed tree head whose signature holds."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Scanned:
    """One range: its leaf hashes in one piece (32 bytes each), its heads, and what does not hold in it."""

    start: int
    end: int
    leaf_hashes: bytes
    heads: tuple[Head, ...]
    problems: tuple[Problem, ...]


def scan(cursor: store.Cursor, start: int, end: int, keys: Sequence[VerifierKey]) -> Scanned:
    """Check the entries start..end-1, the blocks and the heads of the trees that end among them."""
    problems: list[Problem] = []
    blocks = _Blocks(cursor, start, end)
    cursor.execute(_ENTRIES, [start - start % BLOCK, end])
    hashes, at = [], start
    for index, leaf_hash, event_id, body in cursor.fetchall():
        actual = merkle.leaf_hash(body)
        if index < start:  # the range before has checked it, but not its block
            blocks.add(index, actual, _said(bytes(body)), bytes(body))
            continue
        while at < index:
            problems.append(Problem(at, "entry", f"Entry {at} is missing."))
            hashes.append(bytes(merkle.HASH_BYTES))
            at += 1
        said = _said(bytes(body))
        problems += _entry(index, bytes(leaf_hash), actual, event_id, said)
        blocks.add(index, actual, said, bytes(body))
        hashes.append(actual)
        at += 1
    problems += blocks.check()
    heads = _heads(cursor, start, end, keys, problems)
    return Scanned(start, at, b"".join(hashes), tuple(heads), tuple(problems))


def _said(body: bytes) -> leaf.Leaf | None:
    try:
        return leaf.read(body)
    except EventError:
        return None


def _entry(
    index: int, leaf_hash: bytes, actual: bytes, event_id: object, said: leaf.Leaf | None
) -> Iterator[Problem]:
    if actual != leaf_hash:
        yield Problem(index, "entry", f"Entry {index} was changed: its body does not match its leaf hash.")
    if said is None:
        yield Problem(index, "entry", f"Entry {index} was changed: it is not an event.")
    elif said.event_id != event_id:
        yield Problem(index, "entry", f"Entry {index} was changed: its row names another event.")


class _Blocks:
    """The search keys of the blocks that end in a range, against what their entries say."""

    def __init__(self, cursor: store.Cursor, start: int, end: int) -> None:
        self._ends = range(start // BLOCK, end // BLOCK)
        cursor.execute(_KEYS, [self._ends.start, self._ends.stop])
        self._known = {
            block: frozenset(struct.unpack(f">{len(packed) // 8}q", packed))
            for block, packed in cursor.fetchall()
        }
        self._said: dict[int, dict[int, frozenset[int]]] = {block: {} for block in self._ends}
        self._leaves: dict[int, int] = {}

    def add(self, index: int, leaf_hash: bytes, said: leaf.Leaf | None, body: bytes) -> None:
        """Take note of one entry."""
        if index // BLOCK in self._said:
            self._leaves[index] = leaf.key(KeyKind.LEAF, leaf_hash.hex())
            if said is not None:
                self._said[index // BLOCK][index] = leaf.keys(body, said)

    def check(self) -> Iterator[Problem]:
        """What does not hold: an entry that its block does not know, or other keys than its entries have."""
        strange = {
            index for index, key in self._leaves.items() if key not in self._known.get(index // BLOCK, ())
        }
        for index in sorted(strange):
            message = f"Entry {index} or its search keys were changed: its leaf is not known."
            yield Problem(index, "entry", message)
        strange_blocks = {index // BLOCK for index in strange}
        for block, said in self._said.items():
            if len(said) < BLOCK or block in strange_blocks:
                continue  # what was changed is named already
            if frozenset[int]().union(*said.values()) != self._known.get(block, frozenset()):
                first, last = block * BLOCK, (block + 1) * BLOCK - 1
                yield Problem(first, "key", f"The search keys of the entries {first} to {last} were changed.")


def _heads(
    cursor: store.Cursor, start: int, end: int, keys: Sequence[VerifierKey], problems: list[Problem]
) -> Iterator[Head]:
    cursor.execute(_HEADS, [start, end])
    for size, root, note in cursor.fetchall():
        name = f"checkpoint {size}"
        try:
            head = open_checkpoint(note, *keys)
        except FormatError as error:
            problems.append(Problem(None, name, f"The {name} was changed: {error}"))
            continue
        if (head.size, head.root) != (size, bytes(root)):
            problems.append(Problem(None, name, f"The {name} was changed: its row says other than its note."))
        yield Head(size, head.root)


def in_turn(cursor: store.Cursor, start: int, end: int, keys: Sequence[VerifierKey]) -> Iterator[Scanned]:
    """Check a long range a piece at a time, in this process."""
    for at in range(start, end, RANGE):
        yield scan(cursor, at, min(end, at + RANGE), keys)


def side_by_side(
    parameters: Mapping[str, Any],
    snapshot: str,
    start: int,
    end: int,
    keys: Sequence[VerifierKey],
    *,
    processes: int,
) -> Iterator[Scanned]:
    """Check a long range in several processes; the pieces come in order.

    `parameters` are psycopg's, of a role that reads the log; `snapshot` is what pg_export_snapshot() gave.
    """
    ahead: deque[Future[Scanned]] = deque()
    with ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(dict(parameters), snapshot, [str(key) for key in keys]),
    ) as pool:
        for at in range(start, end, RANGE):
            ahead.append(pool.submit(_scan, at, min(end, at + RANGE)))
            if len(ahead) > _AHEAD * processes:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


_held: list[tuple[psycopg.Connection[Any], list[VerifierKey]]] = []


def _begin(parameters: dict[str, Any], snapshot: str, keys: list[str]) -> None:
    connection = psycopg.connect(**parameters, autocommit=True)
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    connection.execute(psycopg.sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
    _held.append((connection, [VerifierKey.parse(key) for key in keys]))


def _scan(start: int, end: int) -> Scanned:
    connection, keys = _held[0]
    with connection.cursor(binary=True) as cursor:
        return scan(cursor, start, end, keys)
