"""The search index made anew from the log: after a damage that the check found, or by a migration.

As the owner of the tables, and while the sequencer works: it waits where it would index a block meanwhile.
"""

from collections.abc import Callable

from django.db import connections, transaction

from audit import leaf, store

ALIAS = "owner"
PIECE = 1024 * leaf.BLOCK  # entries
_UNLOCK = "ALTER TABLE audit_key DISABLE TRIGGER audit_key_untruncatable"
_LOCK = "ALTER TABLE audit_key ENABLE ALWAYS TRIGGER audit_key_untruncatable"
_INSERT = "INSERT INTO audit_key (k, block) SELECT * FROM unnest(%s::bigint[], %s::bigint[])"
Progress = Callable[[int, int], None]
"""(entries indexed, entries in all)"""


def rebuild(progress: Progress | None = None) -> int:
    """Drop every search key and make them from the entries, in one transaction; how many entries are indexed.

    Raises:
        EventError: an entry is no event; the check names it.
    """
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(_UNLOCK)
        cursor.execute("TRUNCATE audit_key")
        indexed = fill(cursor, progress)
        cursor.execute(_LOCK)
    return indexed


def fill(cursor: store.Cursor, progress: Progress | None = None) -> int:
    """Write the keys of every full block into the empty index; how many entries it covers then."""
    full = store.size(cursor) // leaf.BLOCK * leaf.BLOCK
    for start in range(0, full, PIECE):
        bodies = store.bodies(cursor, start, min(start + PIECE, full))
        rows = [
            (key, (start + at) // leaf.BLOCK)
            for at in range(0, len(bodies), leaf.BLOCK)
            for key in leaf.keys_of(bodies[at : at + leaf.BLOCK])
        ]
        cursor.execute(_INSERT, [[key for key, _block in rows], [block for _key, block in rows]])
        if progress is not None:
            progress(start + len(bodies), full)
    return full
