"""The parts of JPEG and PNG files that hold metadata: found, read and written without decoding a picture.

A file is hostile until read: sizes are checked against the file and against limits before anything is loaded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from watermark import mp4
from watermark.errors import ContainerError

PICTURE_MAX = 512 << 20
METADATA_MAX = 1 << 20
"""Octets of one metadata part that are loaded."""

_PNG = b"\x89PNG\r\n\x1a\n"
XMP_PNG_KEYWORD = b"XML:com.adobe.xmp"
XMP_JPEG_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"


class Kind(StrEnum):
    """A kind of file that carries our metadata; the value is its media type."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    MP4 = "video/mp4"


@dataclass(frozen=True, slots=True)
class Part:
    """A segment, chunk or box: its kind, and where its payload lies in the file."""

    name: bytes
    start: int
    """First octet of the part, header included."""
    payload: int
    end: int


def kind_of(path: Path) -> Kind:
    """What kind of file this is, by its first octets.

    Raises:
        ContainerError: none that carries our metadata.
    """
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise ContainerError(f"{path.name} cannot be opened: {error.strerror}.") from error
    return _kind(head, path.name)


def kind_of_octets(data: bytes) -> Kind:
    """As ``kind_of``, for a picture in memory.

    Raises:
        ContainerError: none that carries our metadata.
    """
    return _kind(data[:12], "The picture")


def _kind(head: bytes, name: str) -> Kind:
    if head.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if head.startswith(_PNG):
        return Kind.PNG
    if head[4:8] == b"ftyp":
        return Kind.MP4
    raise ContainerError(f"{name} is not a JPEG, PNG or MP4 file.")


def load_picture(path: Path) -> bytes:
    """The octets of a picture file.

    Raises:
        ContainerError: it is too large.
    """
    size = path.stat().st_size
    if size > PICTURE_MAX:
        raise ContainerError(f"{path.name} has {size} octets: more than a picture may have.")
    return path.read_bytes()


# ---- JPEG ---------------------------------------------------------------------------------------


def jpeg_segments(data: bytes) -> Iterator[Part]:
    """The segments before the picture data.

    Raises:
        ContainerError: the file is cut off or malformed.
    """
    at = 2
    while True:
        if len(data) < at + 4 or data[at] != 0xFF:
            raise ContainerError("The JPEG file is cut off or malformed.")
        marker, (length,) = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])
        if marker == 0xDA:  # start of scan: the picture follows
            return
        if length < 2 or at + 2 + length > len(data):
            raise ContainerError("The JPEG file has a segment that runs over its end.")
        yield Part(bytes([marker]), at, at + 4, at + 2 + length)
        at += 2 + length


def jpeg_segment(marker: int, payload: bytes) -> bytes:
    """One segment.

    Raises:
        ContainerError: the payload does not fit.
    """
    if len(payload) > 65533:
        raise ContainerError(f"{len(payload)} octets do not fit a JPEG segment.")
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _jpeg_manifest(data: bytes) -> bytes:
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
    at = len(_PNG)
    while at < len(data):
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


def png_chunk(name: bytes, payload: bytes) -> bytes:
    """One chunk with its checksum."""
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", zlib.crc32(name + payload))


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


def manifest_store(path: Path) -> bytes:
    """The C2PA manifest store inside a file, or nothing.

    Raises:
        ContainerError: the file is cut off, malformed or of another kind.
    """
    kind = kind_of(path)
    if kind is Kind.MP4:
        return mp4.manifest(path)
    data = load_picture(path)
    if kind is Kind.JPEG:
        return _jpeg_manifest(data)
    return b"".join(data[part.payload : part.end - 4] for part in png_chunks(data) if part.name == b"caBX")
