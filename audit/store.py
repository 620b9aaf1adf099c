"""Rows as tiles: what the tree is made of, read through any database cursor."""

from collections.abc import Sequence
from typing import Any, Protocol

from audit.tiles import WIDTH, TileReader


class Cursor(Protocol):
    """What Django's and psycopg's cursors have in common."""

    def execute(self, query: Any, params: Any = ..., /) -> Any:
        """Run one statement."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> Sequence[Any]:
        """The rows that are left."""


_FULL = "SELECT hashes FROM audit_tile WHERE level = %s AND n = %s"
_LEAVES = "SELECT leaf_hash FROM audit_entry WHERE idx >= %s AND idx < %s ORDER BY idx"
_ROOTS = "SELECT root FROM audit_tile WHERE n >= %s AND n < %s AND level = %s ORDER BY n"
_BODIES = "SELECT body FROM audit_entry WHERE idx >= %s AND idx < %s ORDER BY idx"


def size(cursor: Cursor) -> int:
    """How many entries the log holds."""
    cursor.execute("SELECT coalesce(max(idx) + 1, 0) FROM audit_entry")
    return int(cursor.fetchone()[0])


def signed_size(cursor: Cursor) -> int:
    """The size of the newest signed head, 0 before the first."""
    cursor.execute("SELECT coalesce(max(size), 0) FROM audit_checkpoint")
    return int(cursor.fetchone()[0])


def tile(cursor: Cursor, level: int, n: int, width: int) -> bytes:
    """The first `width` hashes of a tile; shorter where the log has fewer.

    A full tile is stored. A partial one is derived: from the leaf hashes, or from the roots one level down.
    """
    if width == WIDTH:
        cursor.execute(_FULL, [level, n])
        row = cursor.fetchone()
        if row is not None:
            return bytes(row[0])
    start = n * WIDTH
    if level == 0:
        cursor.execute(_LEAVES, [start, start + width])
    else:
        cursor.execute(_ROOTS, [start, start + width, level - 1])
    return b"".join(bytes(row[0]) for row in cursor.fetchall())


def reader(cursor: Cursor) -> TileReader:
    """A tile reader over one cursor."""
    return lambda level, n, width: tile(cursor, level, n, width)


def bodies(cursor: Cursor, start: int, end: int) -> list[bytes]:
    """The entries of a range of indexes."""
    cursor.execute(_BODIES, [start, end])
    return [bytes(row[0]) for row in cursor.fetchall()]
