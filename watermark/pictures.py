"""The parts of JPEG and PNG files that hold metadata: found, read and written without decoding a picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from watermark.containers import METADATA_MAX
from watermark.errors import ContainerError

PNG_HEAD = 33
"""Where the first chunk after IHDR begins."""
XMP_PNG_KEYWORD = b"XML:com.adobe.xmp"
XMP_JPEG_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"
EXIF_JPEG_PREFIX = b"Exif\0\0"
_SEGMENTS_MAX, _CHUNKS_MAX = 20_000, 500_000
"""Of a file of half a gigabyte in parts of the usual sizes."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment or chunk: its kind, and where it lies; ``start`` is the first octet of its header."""

    name: bytes
    start: int
    payload: int
    end: int


# ---- JPEG ---------------------------------------------------------------------------------------


def jpeg_segments(data: bytes) -> Iterator[Part]:
    """The segments before the picture data.

    Raises:
        ContainerError: the file is cut off or malformed.
    """
    at = 2
    for _ in range(_SEGMENTS_MAX):
        if len(data) < at + 4 or data[at] != 0xFF:
            raise ContainerError("The JPEG file is cut off or malformed.")
        marker, (length,) = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])
        if marker == 0xDA:  # start of scan: the picture follows
            return
        if length < 2 or at + 2 + length > len(data):
            raise ContainerError("The JPEG file has a segment that runs over its end.")
        yield Part(bytes([marker]), at, at + 4, at + 2 + length)
        at += 2 + length
    raise ContainerError("The JPEG file has too many segments.")


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    """One segment.

    Raises:
        ContainerError: the payload does not fit.
    """
    if len(payload) > 65533:
        raise ContainerError(f"{len(payload)} octets do not fit a JPEG segment.")
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg_app1(data: bytes, prefix: bytes) -> list[tuple[Part, bytes]]:
    """The APP1 segments that begin with a prefix, and what follows it."""
    found = []
    for part in jpeg_segments(data):
        if part.name == b"\xe1" and data[part.payload : part.end].startswith(prefix):
            found.append((part, data[part.payload + len(prefix) : part.end]))
    return found


def jpeg_manifest(data: bytes) -> bytes:
    """JUMBF in APP11: ``JP``, box instance (2), sequence (4), then the box; later parts repeat its header."""
    out = b""
    for part in jpeg_segments(data):
        body = data[part.payload : part.end]
        if part.name != b"\xeb" or body[:2] != b"JP" or len(body) < 16:
            continue
        out += body[8:] if not out else body[16:]
    return out


# ---- PNG ----------------------------------------------------------------------------------------


def png_chunks(data: bytes) -> Iterator[Part]:
    """All chunks.

    Raises:
        ContainerError: the file is cut off.
    """
    at = 8
    for _ in range(_CHUNKS_MAX):
        if at >= len(data):
            return
        if at + 12 > len(data):
            raise ContainerError("The PNG file is cut off.")
        length, name = struct.unpack(">I4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data):
            raise ContainerError("The PNG file has a chunk that runs over its end.")
        yield Part(name, at, at + 8, end)
        at = end
        if name == b"IEND":
            return
    raise ContainerError("The PNG file has too many chunks.")


def png_chunk(name: bytes, payload: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


def png_with_one_idat(data: bytes) -> bytes:
    """The same PNG file with its picture data in one chunk instead of thousands of 8 kB.

    Whoever signs the file walks from chunk to chunk: for a picture of 36 MB that took 12 passes of SHA-256,
    and 6 with one chunk.

    Raises:
        ContainerError: the file is cut off.
    """
    parts = [part for part in png_chunks(data) if part.name == b"IDAT"]
    if len(parts) < 2:
        return data
    picture = b"".join(data[part.payload : part.end - 4] for part in parts)
    return data[: parts[0].start] + png_chunk(b"IDAT", picture) + data[parts[-1].end :]


def png_text(data: bytes, part: Part) -> tuple[bytes, bytes] | None:
    """(keyword, text) of an iTXt or tEXt chunk; None for other chunks and for text beyond the limit."""
    payload = data[part.payload : part.end - 4]
    if part.name == b"tEXt" and b"\0" in payload:
        keyword, text = payload.split(b"\0", 1)
        return keyword, text
    if part.name != b"iTXt" or payload.count(b"\0") < 4:
        return None
    keyword, rest = payload.split(b"\0", 1)
    packed, rest = rest[:1] == b"\1", rest[2:]
    _language, _translated, text = rest.split(b"\0", 2)
    if packed:
        stream = zlib.decompressobj()
        try:
            text = stream.decompress(text, METADATA_MAX)
        except zlib.error:
            return None
        if stream.unconsumed_tail:
            return None
    return keyword, text


def png_payloads(data: bytes, name: bytes) -> list[bytes]:
    """The payloads of all chunks of one kind."""
    return [data[part.payload : part.end - 4] for part in png_chunks(data) if part.name == name]
