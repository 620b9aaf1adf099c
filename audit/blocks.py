"""Reading the log through its search index: which blocks hold a key, and which of their entries do.

- The index is derived and outside the trusted core: it can hide an entry, but not invent one. Every candidate
  is held against what its leaf says.
- A block is indexed when it is full, in the transaction that fills it; the fewer than ``leaf.BLOCK`` entries
  after the last full block are always looked at.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from audit import leaf, store
from audit.leaf import BLOCK, KeyKind
from audit.models import Entry

Alternatives = Sequence[tuple[KeyKind, str]]
"""Keys of which an entry must have one."""

FIRST, MOST = 8, 128  # blocks that are read at once: few, where most entries are hits, then ever more
COUNTED = 1_000
FEW = 8
_BLOCKS = """
    SELECT DISTINCT found.block FROM unnest(%(keys)s::bigint[]) AS asked (k),
    LATERAL (
        SELECT block FROM audit_key
        WHERE k = asked.k AND block <= %(last)s AND block >= %(first)s
        ORDER BY block DESC LIMIT %(limit)s
    ) AS found
    ORDER BY block DESC LIMIT %(limit)s
"""
_BOTH = "SELECT DISTINCT block FROM audit_key WHERE k = ANY(%s) AND block = ANY(%s)"
# Every index by itself: from ranges the planner may make a scan of the whole log.
_THESE = "SELECT idx, leaf_hash, event_id, body FROM audit_entry WHERE idx = ANY(%s) ORDER BY idx DESC"
_TAIL = (
    "SELECT idx, leaf_hash, event_id, body FROM audit_entry WHERE idx >= %s AND idx < %s ORDER BY idx DESC"
)


@dataclass(frozen=True, slots=True)
class Step:
    """Some entries that have all that was asked for, newest first, and how far down the log was read.

    Every such entry at ``reached`` or above, and below the step before, is among them; ``cost`` entries were
    read for it.
    """

    entries: tuple[Entry, ...]
    reached: int
    cost: int


def walk(all_of: Sequence[Alternatives], *, start: int, below: int) -> Iterator[Step]:
    """Walk down the entries start..below-1 that have, of each of the alternatives, one."""
    with connection.cursor() as cursor:
        size = store.size(cursor)
    indexed = size - size % BLOCK
    if below > indexed:
        yield _step(_rows(_TAIL, [max(start, indexed), below]), all_of, max(start, indexed))
    if not all(all_of):
        return
    driver, others = _narrowest(all_of, start=start, below=min(below, indexed))
    end, limit = min(below, indexed), FIRST
    while end > start:
        blocks = _blocks(driver, start=start, below=end, limit=limit)
        if not blocks:
            return
        reached = max(start, blocks[-1] * BLOCK)
        for other in others:
            blocks = [row[0] for row in _rows(_BOTH, [_keys(other), blocks])]
        spans = (range(max(start, block * BLOCK), min(end, (block + 1) * BLOCK)) for block in blocks)
        indexes = list(itertools.chain.from_iterable(spans))
        rows = _rows(_THESE, [indexes]) if indexes else []
        yield _step(rows, all_of, reached, least=limit)
        end, limit = reached, min(MOST, limit * 2)


def find(all_of: Sequence[Alternatives]) -> list[Entry]:
    """Every entry that has, of each of the alternatives, one; newest first."""
    steps = walk(all_of, start=0, below=leaf.MAX_INTEGER)
    return [entry for step in steps for entry in step.entries]


def _narrowest(
    all_of: Sequence[Alternatives], *, start: int, below: int
) -> tuple[Alternatives, list[Alternatives]]:
    """The alternatives with the fewest blocks, which are walked, and the others."""
    if len(all_of) == 1:
        return all_of[0], []
    sizes = [len(_blocks(each, start=start, below=below, limit=COUNTED)) for each in all_of]
    least = sizes.index(min(sizes))
    return all_of[least], [each for at, each in enumerate(all_of) if at != least]


def _keys(alternatives: Alternatives) -> list[int]:
    return [leaf.key(kind, value) for kind, value in alternatives]


def _blocks(alternatives: Alternatives, *, start: int, below: int, limit: int) -> list[int]:
    asked = {
        "keys": _keys(alternatives),
        "first": start // BLOCK,
        "last": (below - 1) // BLOCK,
        "limit": limit,
    }
    return [row[0] for row in _rows(_BLOCKS, asked)]


def _rows(statement: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class _Asked:
    """One set of alternatives; with few of them, an entry that has none is known by its bytes, unread."""

    terms: frozenset[tuple[KeyKind, str]]
    texts: tuple[bytes, ...]

    @classmethod
    def of(cls, alternatives: Alternatives) -> "_Asked":
        few = len(alternatives) <= FEW and all(kind is not KeyKind.LEAF for kind, _value in alternatives)
        texts = tuple(leaf.quoted(value) for _kind, value in alternatives) if few else (b"",)
        return cls(frozenset(alternatives), texts)


def _step(
    rows: Sequence[tuple[Any, ...]], all_of: Sequence[Alternatives], reached: int, *, least: int = 0
) -> Step:
    asked = [_Asked.of(each) for each in all_of]
    found = tuple(
        Entry(idx=idx, leaf_hash=leaf_hash, event_id=event_id, body=body)
        for idx, leaf_hash, event_id, body in rows
        if _has(bytes(body), asked)
    )
    return Step(found, reached, max(least, len(rows)))


def _has(body: bytes, asked: Sequence[_Asked]) -> bool:
    if not all(any(text in body for text in each.texts) for each in asked):
        return False
    held = leaf.terms(body)
    return all(held & each.terms for each in asked)
