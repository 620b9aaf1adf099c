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


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    for _ in range(_BOXES_MAX):
        if start + 8 > end:
            return
        file.seek(start)
        header = file.read(16)
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
        yield Box(name, body, start + size)
        start += size
    raise ContainerError("The MP4 file has too many boxes.")


def _load(file: BinaryIO, part: Box, limit: int) -> bytes:
    if part.end - part.start > limit:
        raise ContainerError(f"The box {part.name!r} has {part.end - part.start} octets: too many to read.")
    file.seek(part.start)
    return file.read(part.end - part.start)


def metadata(path: Path) -> list[tuple[str, bytes]]:
    """All pairs of ``moov.udta.meta`` and ``moov.meta`` keys and ilst values (QuickTime metadata).

    Raises:
        ContainerError: the file is cut off, malformed or has no moov.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        moov = [part for part in _boxes(file, 0, size) if part.name == b"moov"]
        if not moov:
            raise ContainerError(f"{path.name} has no moov box.")
        pairs = []
        for box in moov:
            for child in _boxes(file, box.start, box.end):
                metas = list(_boxes(file, child.start, child.end)) if child.name == b"udta" else [child]
                for meta in metas:
                    if meta.name == b"meta":
                        pairs += _pairs(file, meta)
        return pairs


def _pairs(file: BinaryIO, meta: Box) -> list[tuple[str, bytes]]:
    data = _load(file, meta, METADATA_MAX)
    file.seek(meta.start)
    plain = data[4:8] == b"hdlr"  # QuickTime writes meta without version and flags
    parts = list(_boxes(file, meta.start + (0 if plain else 4), meta.end))
    keys = [name for part in parts if part.name == b"keys" for name in _keys(_load(file, part, METADATA_MAX))]
    pairs = []
    for ilst in (part for part in parts if part.name == b"ilst"):
        for item in _boxes(file, ilst.start, ilst.end):
            inside = list(_boxes(file, item.start, item.end))
            index = int.from_bytes(item.name, "big")
            if item.name == b"----":  # iTunes: the name stands in the item itself
                names = [_load(file, part, METADATA_MAX)[4:] for part in inside if part.name == b"name"]
                name = names[0].decode("utf-8", "replace") if names else ""
            else:
                name = keys[index - 1] if 1 <= index <= len(keys) else ""
            pairs += [
                (name, _load(file, part, METADATA_MAX)[8:])
                for part in inside
                if name and part.name == b"data"
            ]
    return pairs


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
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for part in _boxes(file, 0, size):
            if part.name != b"uuid":
                continue
            body = _load(file, part, MANIFEST_MAX)
            if body[:16] == _C2PA_UUID and body[20:29] == b"manifest\0":
                return body[37:]
    return b""


def packets(path: Path) -> list[bytes]:
    """The XMP packets of top-level uuid boxes (ISO 16684-3).

    Raises:
        ContainerError: the file is cut off or malformed, or a packet is too large.
    """
    found = []
    with path.open("rb") as file:
        for part in _boxes(file, 0, file.seek(0, 2)):
            if part.name == b"uuid" and part.end - part.start > 16:
                file.seek(part.start)
                if file.read(16) == _XMP_UUID:
                    found.append(_load(file, part, METADATA_MAX)[16:])
    return found
