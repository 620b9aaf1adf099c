"""The boxes of an MP4 file that hold metadata (ISO 14496-12; QuickTime metadata), read with bounds.

Own code, not the library that wrote the file: what is read back before delivery must not share its faults.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watermark.errors import ContainerError

METADATA_MAX = 1 << 20
"""Octets of one metadata box that are loaded."""
MANIFEST_MAX = 32 << 20
_BOXES_MAX = 20_000
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box lies: its payload from ``start`` to ``end``."""

    name: bytes
    start: int
    end: int


class _Walk:
    """Counts the boxes of one file, at whatever depth."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, _BOXES_MAX
        self.size = file.seek(0, 2)

    def boxes(self, start: int, end: int) -> Iterator[Box]:
        """The boxes between two places."""
        while start + 8 <= end:
            self._left -= 1
            if self._left < 0:
                raise ContainerError("The MP4 file has too many boxes.")
            part = self._box(start, end)
            yield part
            start = part.end

    def _box(self, start: int, end: int) -> Box:
        self._file.seek(start)
        header = self._file.read(16)
        if len(header) < 8:
            raise ContainerError("The MP4 file is cut off.")
        size, name = struct.unpack(">I4s", header[:8])
        body = start + 8
        if size == 1 and len(header) == 16:
            size, body = struct.unpack(">Q", header[8:])[0], start + 16
        elif size == 0:
            size = end - start
        if start + size < body or start + size > end:
            raise ContainerError(f"The MP4 file has a box {name!r} that runs over its end.")
        return Box(name, body, start + size)

    def inside(self, part: Box, skip: int = 0) -> list[Box]:
        """The boxes in a box."""
        return list(self.boxes(part.start + skip, part.end))

    def load(self, part: Box, limit: int) -> bytes:
        """The payload of a box."""
        if part.end - part.start > limit:
            raise ContainerError(
                f"The box {part.name!r} has {part.end - part.start} octets: too many to read."
            )
        self._file.seek(part.start)
        return self._file.read(part.end - part.start)


def metadata(path: Path) -> list[tuple[str, bytes]]:
    """All pairs of ``moov.udta.meta`` and ``moov.meta`` keys and ilst values (QuickTime metadata).

    Raises:
        ContainerError: the file is cut off, malformed or has no moov.
    """
    with path.open("rb") as file:
        walk = _Walk(file)
        moov = [part for part in walk.boxes(0, walk.size) if part.name == b"moov"]
        if not moov:
            raise ContainerError(f"{path.name} has no moov box.")
        pairs: list[tuple[str, bytes]] = []
        for child in (child for box in moov for child in walk.inside(box)):
            for meta in walk.inside(child) if child.name == b"udta" else [child]:
                if meta.name == b"meta":
                    pairs += _pairs(walk, meta)
        return pairs


def _pairs(walk: _Walk, meta: Box) -> list[tuple[str, bytes]]:
    plain = walk.load(meta, METADATA_MAX)[4:8] == b"hdlr"  # QuickTime writes no version and flags
    parts = walk.inside(meta, 0 if plain else 4)
    keys = [name for part in parts if part.name == b"keys" for name in _keys(walk.load(part, METADATA_MAX))]
    items = [item for part in parts if part.name == b"ilst" for item in walk.inside(part)]
    return [pair for item in items for pair in _values(walk, item, keys)]


def _values(walk: _Walk, item: Box, keys: list[str]) -> Iterator[tuple[str, bytes]]:
    inside, index = walk.inside(item), int.from_bytes(item.name, "big")
    if item.name == b"----":  # iTunes: the name stands in the item itself
        names = [walk.load(part, METADATA_MAX)[4:] for part in inside if part.name == b"name"]
        name = names[0].decode("utf-8", "replace") if names else ""
    else:
        name = keys[index - 1] if 1 <= index <= len(keys) else ""
    for part in inside:
        if name and part.name == b"data":
            yield name, walk.load(part, METADATA_MAX)[8:]


def _keys(body: bytes) -> list[str]:
    """Names of a ``keys`` box: version and flags, count, then size, namespace and name of each."""
    names, at = [], 8
    while at + 8 <= len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        if size < 8 or at + size > len(body):
            raise ContainerError("The MP4 file has a malformed keys box.")
        names.append(body[at + 8 : at + size].decode("utf-8", "replace"))
        at += size
    return names


def manifest(path: Path) -> bytes:
    """The C2PA store of a top-level uuid box (version and flags, purpose, an offset before it), or nothing.

    Raises:
        ContainerError: the file is cut off or malformed.
    """
    for body in _uuid_boxes(path, _C2PA_UUID, MANIFEST_MAX):
        if body[4:13] == b"manifest\0":
            return body[21:]
    return b""


def packets(path: Path) -> list[bytes]:
    """The XMP packets of top-level uuid boxes (ISO 16684-3).

    Raises:
        ContainerError: the file is cut off or malformed, or a packet is too large.
    """
    return _uuid_boxes(path, _XMP_UUID, METADATA_MAX)


def packet_box(packet: bytes) -> bytes:
    """An XMP packet as a box; at the end of a file it moves nothing that the file points to."""
    return struct.pack(">I4s", 24 + len(packet), b"uuid") + _XMP_UUID + packet


def _uuid_boxes(path: Path, name: bytes, limit: int) -> list[bytes]:
    """What follows this name in the top-level uuid boxes that have it."""
    found = []
    with path.open("rb") as file:
        walk = _Walk(file)
        for part in walk.boxes(0, walk.size):
            head = Box(part.name, part.start, min(part.end, part.start + 16))
            if part.name == b"uuid" and walk.load(head, 16) == name:
                found.append(walk.load(part, limit)[16:])
    return found
