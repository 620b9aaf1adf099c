"""Searching the log through its key index: newest first, page by page, and never longer than a budget.

The index is outside the trusted core: it can hide an entry, but not invent one. Every entry has its proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from audit import leaf
from audit.events import SYSTEM
from audit.leaf import KeyKind
from audit.models import Entry as Row
from audit.selectors import MAX_INDEX, Entry

BATCH = 500
BUDGET = 2_000
"""Entries that one question may read; where it stops, the next one goes on."""
SLACK = timedelta(minutes=15)
"""How far the order of the log may differ from that of the clock: the length of the longest transaction."""
COUNTED = 1_000
_NEWEST = """
    SELECT DISTINCT found.idx FROM unnest(%(kinds)s::smallint[], %(keys)s::bytea[]) AS asked (kind, k),
    LATERAL (
        SELECT idx FROM audit_key
        WHERE kind = asked.kind AND k = asked.k AND idx < %(below)s AND idx >= %(start)s
        ORDER BY idx DESC LIMIT %(limit)s
    ) AS found
    ORDER BY idx DESC LIMIT %(limit)s
"""
_MOMENT = "SELECT convert_from(body, 'UTF8')::json ->> 'ts' FROM audit_entry WHERE idx = %s"

Alternatives = Sequence[tuple[KeyKind, str]]
"""Keys of which an entry must have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an entry must have: of each of ``keys`` one alternative, and each token in a field of that name.

    ``tokens`` are for fields without an index key, such as a model's digest in ``models``. ``since`` is the
    first moment, ``until`` the first one that is too late.
    """

    tenant: str
    keys: Sequence[Alternatives] = ()
    tokens: Sequence[tuple[tuple[str, ...], str]] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Entries, newest first; when ``next`` is not None, older ones lie below that index, or may."""

    entries: tuple[Entry, ...]
    next: int | None


def find(wanted: Wanted, *, limit: int, before: int | None = None) -> Found:
    """The newest entries below ``before`` that have all that is wanted, the tenant's and the log's own."""
    below = MAX_INDEX if before is None else min(max(before, 0), MAX_INDEX)
    start, end = _span(wanted)
    below = min(below, end)
    driver = _narrowest(wanted, start=start, below=below)
    found: list[Entry] = []
    left = BUDGET
    while left > 0:
        indexes = _indexes(driver, start=start, below=below, limit=min(BATCH, left))
        if not indexes:
            return Found(tuple(found), None)
        for entry in _entries(indexes):
            if not _has(entry, wanted):
                continue
            if len(found) == limit:
                return Found(tuple(found), found[-1].index)
            found.append(entry)
        below, left = indexes[-1], left - len(indexes)
    return Found(tuple(found), below)


def entries(alternatives: Alternatives, *, limit: int) -> list[Entry]:
    """The newest entries that have one of the keys, newest first, of any tenant."""
    return _entries(_indexes(alternatives, start=0, below=MAX_INDEX, limit=limit))


def _narrowest(wanted: Wanted, *, start: int, below: int) -> Alternatives:
    """The alternatives with the fewest entries: they are walked, the others are looked for in each entry."""
    all_of_them: Alternatives = [(KeyKind.TENANT, wanted.tenant), (KeyKind.TENANT, SYSTEM)]
    if len(wanted.keys) < 2:
        return wanted.keys[0] if wanted.keys else all_of_them
    sizes = [len(_indexes(each, start=start, below=below, limit=COUNTED)) for each in wanted.keys]
    return wanted.keys[sizes.index(min(sizes))]


def _indexes(alternatives: Alternatives, *, start: int, below: int, limit: int) -> list[int]:
    asked: dict[str, Any] = {
        "kinds": [int(kind) for kind, _value in alternatives],
        "keys": [leaf.key(kind, value) for kind, value in alternatives],
        "below": below,
        "start": start,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, asked)
        return [row[0] for row in cursor.fetchall()]


def _entries(indexes: Sequence[int]) -> list[Entry]:
    rows = Row.objects.filter(idx__in=indexes).order_by("-idx")
    return [_entry(row) for row in rows]


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


def _has(entry: Entry, wanted: Wanted) -> bool:
    if entry.tenant not in {wanted.tenant, SYSTEM} or not _within(entry.ts, wanted):
        return False
    if not all(_names(entry, fields, value) for fields, value in wanted.tokens):
        return False
    if not wanted.keys:
        return True
    held = leaf.keys(entry.body)
    return all(
        any((kind.value, leaf.key(kind, value)) in held for kind, value in alternatives)
        for alternatives in wanted.keys
    )


def _names(entry: Entry, fields: Sequence[str], value: str) -> bool:
    for field in fields:
        held = entry.event.get(field, ())
        if value == held or (isinstance(held, list) and value in held):
            return True
    return False


def _within(ts: str, wanted: Wanted) -> bool:
    since, until = _text(wanted.since), _text(wanted.until)
    return (not since or ts >= since) and (not until or ts < until)


def _text(at: datetime | None) -> str:
    """A moment as leaves write it, so that texts compare as moments do."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _span(wanted: Wanted) -> tuple[int, int]:
    """The indexes between which the time span lies, a little wider than it."""
    start = 0 if wanted.since is None else _index_at(_moved(wanted.since, -SLACK))
    end = MAX_INDEX if wanted.until is None else _index_at(_moved(wanted.until, SLACK))
    return start, end


def _moved(at: datetime, by: timedelta) -> datetime:
    try:
        return at + by
    except OverflowError:
        return at


def _index_at(at: datetime) -> int:
    """The first index whose time is not before a moment; by bisection, since the log runs with the clock."""
    moment = _text(at)
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(idx) + 1, 0) FROM audit_entry")
        low, high = 0, int(cursor.fetchone()[0])
        while low < high:
            middle = (low + high) // 2
            cursor.execute(_MOMENT, [middle])
            row = cursor.fetchone()
            low, high = (middle + 1, high) if row[0] < moment else (low, middle)
    return low
