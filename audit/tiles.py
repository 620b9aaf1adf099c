"""The tree as C2SP tlog-tiles: paths, entry bundles, a tree read from tiles and the edge that grows it.

https://c2sp.org/tlog-tiles, height 8: a full tile holds 256 hashes.
"""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from audit import merkle
from audit.errors import TileError

HEIGHT = 8
WIDTH = 1 << HEIGHT
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 65_535  # an entry bundle writes its length as uint16
MAX_SIZE = 2**63 - 1

TileReader = Callable[[int, int, int], bytes]
"""(level, n, width) -> width * 32 bytes of the tile's hashes."""

_PATH = re.compile(
    r"(?P<level>entries|0|[1-9][0-9]?)/(?P<n>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class TilePath:
    """One tile or entry bundle; `level` is None for an entry bundle, `width` 256 for a full one."""

    level: int | None
    n: int
    width: int = WIDTH

    def __str__(self) -> str:
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_number(self.n)}{partial}"

    @property
    def first(self) -> int:
        """The first leaf under this tile."""
        return self.n * WIDTH << (HEIGHT * (self.level or 0))

    @property
    def last(self) -> int:
        """One past the last leaf under this tile: the smallest tree that has all of it."""
        return (self.n * WIDTH + self.width) << (HEIGHT * (self.level or 0))


def _number(n: int) -> str:
    text = f"{n % 1000:03d}"
    while n := n // 1000:
        text = f"x{n % 1000:03d}/{text}"
    return text


def parse_path(text: str) -> TilePath:
    """Read `<L>/<N>[.p/<W>]`, the part of a tile's path after `tile/`.

    Raises:
        TileError: the path is not the one way to write it.
    """
    match = _PATH.fullmatch(text)
    if match is None:
        raise TileError("The tile path is malformed.")
    level = None if match["level"] == "entries" else int(match["level"])
    width = int(match["width"]) if match["width"] else WIDTH
    n = int(match["n"].replace("x", "").replace("/", ""))
    path = TilePath(level, n, width)
    if (level or 0) > MAX_LEVEL or (match["width"] and width >= WIDTH) or str(path) != f"tile/{text}":
        raise TileError("The tile path is malformed.")
    if path.last > MAX_SIZE:
        raise TileError("The tile is beyond any tree.")
    return path


def partial_width(size: int, level: int) -> int:
    """The width of the partial tile of a level, 0 where there is none."""
    return (size >> (HEIGHT * level)) % WIDTH


def paths(size: int) -> Iterable[TilePath]:
    """Every hash tile and entry bundle of a tree of `size`, partial ones at that size."""
    for level in (None, *range(MAX_LEVEL // HEIGHT + 1)):
        count = size >> (HEIGHT * (level or 0))
        for n in range(count // WIDTH):
            yield TilePath(level, n)
        if count % WIDTH:
            yield TilePath(level, count // WIDTH, count % WIDTH)


def split(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    if len(tile) % merkle.HASH_BYTES:
        raise TileError("The tile is not a whole number of hashes.")
    return [tile[i : i + merkle.HASH_BYTES] for i in range(0, len(tile), merkle.HASH_BYTES)]


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: each entry after its length as big-endian uint16."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise TileError(f"An entry has {len(entry)} bytes; {MAX_ENTRY_BYTES} is the most.")
        parts.append(struct.pack(">H", len(entry)) + entry)
    return b"".join(parts)


def unbundle(data: bytes) -> list[bytes]:
    """The entries of a bundle.

    Raises:
        TileError: the bundle is cut or longer than its entries.
    """
    entries, at = [], 0
    while at < len(data):
        end = at + 2
        if end <= len(data):
            end += int.from_bytes(data[at : at + 2], "big")
        if end > len(data):
            raise TileError("The entry bundle is cut short.")
        entries.append(data[at + 2 : end])
        at = end
    return entries


class TileTree:
    """A tree of `size` that reads its hashes from tiles, each tile once."""

    def __init__(self, size: int, read: TileReader) -> None:
        self.size = size
        self._read = read
        self._rows: dict[tuple[int, int], list[list[bytes]]] = {}

    def _levels(self, level: int, n: int) -> list[list[bytes]]:
        rows = self._rows.get((level, n))
        if rows is None:
            width = min(WIDTH, (self.size >> (HEIGHT * level)) - n * WIDTH)
            row = split(self._read(level, n, width))
            if len(row) != width:
                raise TileError(f"Tile {level}/{n} holds {len(row)} hashes, not {width}.")
            rows = [row]
            while len(row) > 1:
                row = [merkle.node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
                rows.append(row)
            self._rows[level, n] = rows
        return rows

    def node(self, height: int, index: int) -> bytes:
        """The hash of one complete subtree."""
        level, inside = divmod(height, HEIGHT)
        n, offset = divmod(index << inside, WIDTH)
        return self._levels(level, n)[inside][offset >> inside]

    def root(self) -> bytes:
        """The root of the tree."""
        return merkle.range_hash(0, self.size, self.node)

    def inclusion(self, index: int) -> tuple[bytes, ...]:
        """The inclusion proof of one entry."""
        return merkle.inclusion(index, self.size, self.node)

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """The proof that this tree extends its first `old` entries."""
        return merkle.consistency(old, self.size, self.node)


@dataclass(frozen=True, slots=True)
class FullTile:
    """A tile that is complete and will never change."""

    level: int
    n: int
    root: bytes
    hashes: bytes


class Edge:
    """The right edge of a growing tree: the hashes of the partial tile of each level."""

    def __init__(self, size: int, rows: Sequence[Sequence[bytes]]) -> None:
        self.size = size
        self._rows = [list(row) for row in rows]

    @classmethod
    def load(cls, size: int, read: TileReader) -> "Edge":
        """The edge of a stored tree."""
        rows: list[list[bytes]] = []
        while count := size >> (HEIGHT * len(rows)):
            level, width = len(rows), count % WIDTH
            rows.append(split(read(level, count // WIDTH, width)) if width else [])
            if len(rows[-1]) != width:
                raise TileError(f"Tile {level}/{count // WIDTH} holds {len(rows[-1])} hashes, not {width}.")
        return cls(size, rows)

    @property
    def rows(self) -> Sequence[Sequence[bytes]]:
        """The hashes of the partial tile of each level, lowest first."""
        return self._rows

    def copy(self) -> "Edge":
        """An edge that grows on its own."""
        return Edge(self.size, self._rows)

    def append(self, leaf: bytes) -> list[FullTile]:
        """Add the next leaf hash and return the tiles that it completes, lowest first."""
        self.size += 1
        full: list[FullTile] = []
        carried, level = leaf, 0
        while True:
            if level == len(self._rows):
                self._rows.append([])
            row = self._rows[level]
            row.append(carried)
            if len(row) < WIDTH:
                return full
            carried = merkle.fold(row)
            n = (self.size >> (HEIGHT * (level + 1))) - 1
            full.append(FullTile(level, n, carried, b"".join(row)))
            self._rows[level] = []
            level += 1

    def root(self) -> bytes:
        """The root of the whole tree, from the edge alone."""
        root: bytes | None = None
        for row in self._rows:
            for peak in reversed(_peaks(row)):
                root = peak if root is None else merkle.node_hash(peak, root)
        return merkle.EMPTY_ROOT if root is None else root


def _peaks(row: Sequence[bytes]) -> list[bytes]:
    """The complete subtrees of a partial tile, largest first."""
    peaks, at = [], 0
    while at < len(row):
        width = 1 << ((len(row) - at).bit_length() - 1)
        peaks.append(merkle.fold(row[at : at + width]))
        at += width
    return peaks
