"""The check of one range of entries by itself: bodies, search keys, signatures; ranges run side by side.

Plain Python over a cursor, so that a process of its own needs no Django. Processes that share the work share
one snapshot of the database.
"""

import multiprocessing
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg

from audit import leaf, merkle, store
from audit.checkpoint import VerifierKey, open_checkpoint
from audit.errors import EventError, FormatError
from audit.leaf import KeyKind

RANGE = 8192  # entries; about 10 MB of rows
_AHEAD = 3  # ranges a process may be ahead of the tree
_ENTRIES = "SELECT idx, leaf_hash, event_id, body FROM audit_entry WHERE idx >= %s AND idx < %s ORDER BY idx"
_HEADS = "SELECT size, root, note FROM audit_checkpoint WHERE size > %s AND size <= %s ORDER BY size"
# One value for each entry: a row for each key would cost more than everything else together.
_KEYS = """
    SELECT idx, string_agg(int2send(kind) || k, ''::bytea ORDER BY kind, k)
    FROM audit_key WHERE idx >= %s AND idx < %s GROUP BY idx
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
    """Check the entries start..end-1 and the heads of the trees that end among them."""
    problems: list[Problem] = []
    cursor.execute(_KEYS, [start, end])
    known = {index: bytes(value) for index, value in cursor.fetchall()}
    cursor.execute(_ENTRIES, [start, end])
    hashes, at = [], start
    for index, leaf_hash, event_id, body in cursor.fetchall():
        while at < index:
            problems.append(Problem(at, "entry", f"Entry {at} is missing."))
            hashes.append(bytes(merkle.HASH_BYTES))
            at += 1
        hashes.append(merkle.leaf_hash(body))
        problems += _entry(index, bytes(leaf_hash), event_id, bytes(body), known.get(index, b""))
        at += 1
    heads = _heads(cursor, start, end, keys, problems)
    return Scanned(start, at, b"".join(hashes), tuple(heads), tuple(problems))


def _entry(index: int, leaf_hash: bytes, event_id: object, body: bytes, keys: bytes) -> Iterator[Problem]:
    actual = merkle.leaf_hash(body)
    if actual != leaf_hash:
        yield Problem(index, "entry", f"Entry {index} was changed: its body does not match its leaf hash.")
    expected: frozenset[tuple[int, bytes]] = frozenset()
    try:
        if leaf.read(body).event_id != event_id:
            yield Problem(index, "entry", f"Entry {index} was changed: its row names another event.")
        expected = leaf.keys(body)
    except EventError:
        yield Problem(index, "entry", f"Entry {index} was changed: it is not an event.")
    if keys == b"".join(kind.to_bytes(2, "big") + key for kind, key in sorted(expected)) and expected:
        return
    known = {keys[at : at + 2 + leaf.KEY_BYTES] for at in range(0, len(keys), 2 + leaf.KEY_BYTES)}
    if KeyKind.LEAF.to_bytes(2, "big") + leaf.key(KeyKind.LEAF, actual.hex()) not in known:
        yield Problem(
            index, "entry", f"Entry {index} or its search keys were changed: its leaf is not known."
        )
    else:
        yield Problem(index, "key", f"The search keys of entry {index} were changed.")


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
