"""Searching the log through its key index: newest first, page by page, and never longer than a budget.

The index is outside the trusted core: it can hide an entry, but not invent one. Every entry has its proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from audit import blocks, leaf
from audit.blocks import Alternatives
from audit.events import SYSTEM
from audit.leaf import KeyKind
from audit.models import Entry as Row
from audit.selectors import MAX_INDEX, Entry

BUDGET = 16_000
"""Entries that one question may read; where it stops, the next one goes on."""
SLACK = timedelta(minutes=15)
"""How far the order of the log may differ from that of the clock: the length of the longest transaction."""
_MOMENT = "SELECT convert_from(body, 'UTF8')::json ->> 'ts' FROM audit_entry WHERE idx = %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an entry must have: of each of ``keys`` one alternative.

    ``since`` is the first moment, ``until`` the first one that is too late.
    """

    tenant: str
    keys: Sequence[Alternatives] = ()
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
    tenants: Alternatives = [(KeyKind.TENANT, wanted.tenant), (KeyKind.TENANT, SYSTEM)]
    found: list[Entry] = []
    left = BUDGET
    for step in blocks.walk([*wanted.keys, tenants], start=start, below=min(below, end)):
        for entry in map(_entry, step.entries):
            if not _within(entry.ts, wanted):
                continue
            if len(found) == limit:
                return Found(tuple(found), found[-1].index)
            found.append(entry)
        left -= step.cost
        if left <= 0:
            return Found(tuple(found), step.reached)
    return Found(tuple(found), None)


def entries(alternatives: Alternatives, *, limit: int) -> list[Entry]:
    """The newest entries that have one of the keys, newest first, of any tenant."""
    found: list[Entry] = []
    for step in blocks.walk([alternatives], start=0, below=MAX_INDEX):
        found += map(_entry, step.entries)
        if len(found) >= limit:
            break
    return found[:limit]


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


def _within(ts: str, wanted: Wanted) -> bool:
    since, until = _text(wanted.since), _text(wanted.until)
    return (not since or ts >= since) and (not until or ts < until)


def _text(at: datetime | None) -> str:
    return "" if at is None else leaf.moment(at)


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
