"""The metadata of an MP4 or PNG, read by our own code: what other readers will find there.

MP4: keys and values in ``moov.udta.meta`` (QuickTime File Format, metadata item keys and list). PNG: iTXt.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from generation.engine.errors import UnreadableMediaError
from generation.engine.media import boxes
from generation.engine.media.info import MediaLimits

MAX_META_BYTES = 1 << 20
MAX_ITEMS = 1000
UTF8_TYPE = 1
PNG_HEAD = 33  # signature and IHDR


def read_mp4_tags(path: Path) -> dict[str, str]:
    """Every text in ``moov.udta.meta`` by its key; empty when there is none.

    Raises:
        UnreadableMediaError: the structure is broken.
    """
    try:
        meta = _meta(path)
        parts = dict(_items(meta, 4)) if meta else {}
        keys = _keys(parts.get(b"keys", b""))
        return dict(_values(parts.get(b"ilst", b""), keys))
    except struct.error as error:
        raise UnreadableMediaError("The file's metadata is cut off.") from error


def read_png_tags(path: Path) -> dict[str, str]:
    """Every uncompressed international text (iTXt) by its keyword."""
    data, at = path.read_bytes(), 8
    tags = {}
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"iTXt":
            keyword, _, rest = data[at + 8 : at + 8 + length].partition(b"\0")
            if rest[:1] == b"\0":
                tags[keyword.decode("latin-1")] = rest[2:].split(b"\0", 2)[-1].decode()
        at += 12 + length
    return tags


def with_png_tags(data: bytes, tags: Mapping[str, str]) -> bytes:
    """The PNG file with one iTXt chunk for each tag after its header (ISO/IEC 15948, 11.3.4.5)."""
    chunks = b""
    for key, text in tags.items():
        body = b"iTXt" + key.encode("latin-1") + b"\0\0\0\0\0" + text.encode()
        chunks += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:PNG_HEAD] + chunks + data[PNG_HEAD:]


def _meta(path: Path) -> bytes | None:
    """The body of the metadata box of the whole presentation."""
    with path.open("rb") as file:
        for box in boxes.walk(file, MediaLimits()):
            if box.kind == b"udta" and box.depth == 1:
                if box.length > MAX_META_BYTES:
                    raise UnreadableMediaError("The file's metadata is too large.")
                file.seek(box.start)
                return dict(_items(file.read(box.length), 0)).get(b"meta")
    return None


def _items(data: bytes, at: int) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each box from ``at`` on."""
    for _ in range(MAX_ITEMS):
        if at + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > len(data):
            raise UnreadableMediaError("The file's metadata is broken: a box does not fit.")
        yield kind, data[at + 8 : at + size]
        at += size


def _keys(data: bytes) -> list[str]:
    if len(data) < 8:
        return []
    return [body.decode() for kind, body in _items(data, 8) if kind == b"mdta"]


def _values(data: bytes, keys: list[str]) -> Iterator[tuple[str, str]]:
    for number, item in _items(data, 0):
        index = int.from_bytes(number, "big") - 1
        body = dict(_items(item, 0)).get(b"data", b"")
        if 0 <= index < len(keys) and body[:4] == struct.pack(">I", UTF8_TYPE):
            yield keys[index], body[8:].decode()
