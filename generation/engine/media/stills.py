"""What a picture file says of itself: size and orientation, read by our own code without decoding it.

PNG: ISO/IEC 15948, 5 and 11.2; eXIf. JPEG: ITU-T T.81, B.2; Exif APP1. WebP: RFC 9649.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from generation.engine.errors import UnreadableMediaError

ORIENTATION_TAG = 0x0112
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
START_OF_SCAN = 0xDA
BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD9)})
MAX_PARTS = 10_000


def read_header(data: bytes, container: str) -> tuple[int, int, int]:
    """Width, height and EXIF orientation (1 to 8) of a whole PNG, JPEG or WebP file.

    Raises:
        UnreadableMediaError: the structure is broken or the file is cut off.
    """
    try:
        return {"png": _png, "jpeg": _jpeg, "webp": _webp}[container](data)
    except (struct.error, IndexError) as error:
        raise UnreadableMediaError(f"The {container} picture is cut off.") from error


def _png(data: bytes) -> tuple[int, int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    orientation = 1
    for kind, body in _parts(data, 8, ">I", length_first=True, tail=4):
        if kind == b"eXIf":
            orientation = _orientation(body)
        if kind == b"IEND":
            return width, height, orientation
    raise UnreadableMediaError("The png picture is cut off before its end mark.")


def _webp(data: bytes) -> tuple[int, int, int]:
    if struct.unpack_from("<I", data, 4)[0] + 8 > len(data):
        raise UnreadableMediaError("The webp picture is cut off.")
    size, orientation = None, 1
    for kind, body in _parts(data, 12, "<I", length_first=False, tail=0):
        if kind == b"VP8X":
            size = tuple(1 + int.from_bytes(body[at : at + 3], "little") for at in (4, 7))
        elif kind == b"VP8 " and size is None:
            size = tuple(n & 0x3FFF for n in struct.unpack_from("<HH", body, 6))
        elif kind == b"VP8L" and size is None:
            bits = struct.unpack_from("<I", body, 1)[0]
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            orientation = _orientation(body.removeprefix(b"Exif\0\0"))
    if size is None:
        raise UnreadableMediaError("The webp picture has no size.")
    return size[0], size[1], orientation


def _parts(
    data: bytes, at: int, layout: str, *, length_first: bool, tail: int
) -> Iterator[tuple[bytes, bytes]]:
    """Chunks of PNG (length, type, body, 4 bytes of CRC) or RIFF (type, length, body, padded to even)."""
    for _ in range(MAX_PARTS):
        if at + 8 > len(data):
            return
        length = struct.unpack_from(layout, data, at if length_first else at + 4)[0]
        kind = data[at + 4 : at + 8] if length_first else data[at : at + 4]
        if at + 8 + length + tail > len(data):
            raise UnreadableMediaError("The picture is cut off inside a chunk.")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + tail + (0 if length_first else length % 2)
    raise UnreadableMediaError("The picture has too many chunks.")


def _jpeg(data: bytes) -> tuple[int, int, int]:
    size, orientation, at = None, 1, 2
    for _ in range(MAX_PARTS):
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        if data[at] != 0xFF:
            raise UnreadableMediaError("The jpeg picture's structure is broken.")
        marker = data[at + 1]
        at += 2
        if marker in BARE_MARKERS:
            continue
        length = struct.unpack_from(">H", data, at)[0]
        if marker in START_OF_FRAME:
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = width, height
        elif marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            orientation = _orientation(data[at + 8 : at + length])
        elif marker == START_OF_SCAN:
            break
        at += length
    if size is None or data.find(b"\xff\xd9", at) < 0:
        raise UnreadableMediaError("The jpeg picture is cut off before its end mark.")
    return *size, orientation


def _orientation(tiff: bytes) -> int:
    """The orientation in an EXIF block (TIFF 6.0, 2); 1 when it is absent or senseless."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    at = struct.unpack_from(order + "I", tiff, 4)[0]
    if at + 2 > len(tiff):
        return 1
    count = struct.unpack_from(order + "H", tiff, at)[0]
    for entry in range(at + 2, min(at + 2 + 12 * count, len(tiff) - 11), 12):
        tag, kind = struct.unpack_from(order + "HH", tiff, entry)
        if tag == ORIENTATION_TAG and kind == 3:
            value = int(struct.unpack_from(order + "H", tiff, entry + 8)[0])
            return value if 1 <= value <= 8 else 1
    return 1
