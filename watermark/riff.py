"""The chunks of a RIFF file (WAV, AVI, WebP): sizes are little-endian, parts begin at even places.

Own code with bounds: a size that runs over the file, and more chunks than any file of ours has, are refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from watermark.containers import METADATA_MAX
from watermark.errors import ContainerError

LABEL = b"AIGC"
XMP = frozenset({b"_PMX", b"XMP "})
"""Adobe's names for XMP in WAV and AVI, and in WebP."""
_CHUNKS_MAX, _LISTS_MAX = 10_000, 100
_MANIFEST_MAX = 32 << 20
_SIZE_MAX = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its name, and where it lies; ``start`` is that of its header, ``end`` is without padding."""

    name: bytes
    start: int
    payload: int
    end: int


def chunks(file: BinaryIO, start: int, end: int) -> Iterator[Chunk]:
    """The chunks between two places.

    Raises:
        ContainerError: one runs over the end, or there are too many.
    """
    for _ in range(_CHUNKS_MAX):
        if start + 8 > end:
            return
        file.seek(start)
        name, size = struct.unpack("<4sI", file.read(8))
        if start + 8 + size > end:
            raise ContainerError(f"The RIFF file has a chunk {name!r} that runs over its end.")
        yield Chunk(name, start, start + 8, start + 8 + size)
        start += 8 + size + size % 2
    raise ContainerError("The RIFF file has too many chunks.")


def top_level(file: BinaryIO) -> list[Chunk]:
    """The chunks of the form itself.

    Raises:
        ContainerError: the file is cut off or malformed.
    """
    length = file.seek(0, 2)
    file.seek(4)
    head = file.read(4)
    if len(head) < 4 or 8 + struct.unpack("<I", head)[0] > length:
        raise ContainerError("The RIFF file is cut off.")
    return list(chunks(file, 12, 8 + struct.unpack("<I", head)[0]))


def load(file: BinaryIO, part: Chunk, limit: int = METADATA_MAX) -> bytes:
    """The payload of a chunk.

    Raises:
        ContainerError: it has more octets than are loaded.
    """
    if part.end - part.payload > limit:
        raise ContainerError(
            f"The chunk {part.name!r} has {part.end - part.payload} octets: too many to read."
        )
    file.seek(part.payload)
    return file.read(part.end - part.payload)


def metadata(path: Path) -> list[tuple[bytes, bytes]]:
    """(name, payload) of the label, XMP and EXIF chunks; a label in ``LIST INFO`` counts as one.

    Raises:
        ContainerError: the file is cut off or malformed, or one of them is too large.
    """
    found = []
    with path.open("rb") as file:
        parts = top_level(file)
        if sum(part.name == b"LIST" for part in parts) > _LISTS_MAX:
            raise ContainerError("The RIFF file has too many lists.")
        for part in parts:
            if part.name == LABEL or part.name in XMP or part.name == b"EXIF":
                found.append((part.name, load(file, part)))
            elif part.name == b"LIST":
                found += [
                    (inner.name, load(file, inner)) for inner in _info(file, part) if inner.name == LABEL
                ]
    return found


def _info(file: BinaryIO, part: Chunk) -> Iterator[Chunk]:
    file.seek(part.payload)
    if file.read(4) == b"INFO":
        yield from chunks(file, part.payload + 4, part.end)


def manifest(path: Path) -> bytes:
    """The C2PA store of the chunk of that name, or nothing.

    Raises:
        ContainerError: the file is cut off or malformed.
    """
    with path.open("rb") as file:
        stores = [load(file, part, _MANIFEST_MAX) for part in top_level(file) if part.name == b"C2PA"]
    return stores[0] if len(stores) == 1 else b""


def with_chunks(file: BinaryIO, drop: set[Chunk], new: list[tuple[bytes, bytes]]) -> bytes:
    """The whole file without some chunks, and with new ones just after the format of its sound.

    Raises:
        ContainerError: it has no format chunk, is cut off, or grows too large.
    """
    parts = top_level(file)
    if not any(part.name == b"fmt " for part in parts):
        raise ContainerError("The WAV file has no format chunk.")
    body = []
    for part in (part for part in parts if part not in drop):
        file.seek(part.start)
        body.append(file.read(part.end - part.start) + b"\0" * ((part.end - part.start) % 2))
        if part.name == b"fmt ":
            body += [
                struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2) for name, data in new
            ]
    size = 4 + sum(len(text) for text in body)
    if size > _SIZE_MAX:
        raise ContainerError(f"{size} octets do not fit a RIFF file.")
    file.seek(8)
    return b"".join([b"RIFF", struct.pack("<I", size), file.read(4), *body])


def labelled(file: BinaryIO, part: Chunk) -> bool:
    """Whether a chunk is, or as a list holds, an AIGC label."""
    if part.name == b"LIST":
        return any(inner.name == LABEL for inner in _info(file, part))
    return part.name == LABEL
