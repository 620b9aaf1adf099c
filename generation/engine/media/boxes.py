"""A first look at an uploaded file by our own code, before any decoder opens it.

- The kind comes from the first bytes, never from the name.
- ISO-BMFF (ISO/IEC 14496-12, 4.2) is walked box by box, bounded in count and depth; sizes must fit.
- Sizes of pictures are read from the headers, so that a bomb is refused before it is unpacked.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from generation.engine.errors import TooLargeError, UnreadableMediaError, UnsupportedMediaError
from generation.engine.media.info import MediaLimits

NESTED = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex"})
STARTS = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
OTHER_TRACKS = frozenset({b"soun", b"tmcd", b"text", b"sbtl", b"subt", b"meta", b"hint"})
EBML = b"\x1a\x45\xdf\xa3"
SEGMENT_ID = 0x18538067
SAMPLE_SIZE_AT = 8 + 8 + 24  # stsd: version, count, entry head, then VisualSampleEntry's width


@dataclass(frozen=True, slots=True)
class Box:
    """One box: its type, where its body starts, how long the body is, and how deep it lies."""

    kind: bytes
    start: int
    length: int
    depth: int


def sniff(path: Path, limits: MediaLimits) -> str:
    """The container by its first bytes: ``mp4``, ``matroska``, ``png``, ``jpeg`` or ``webp``.

    Raises:
        UnreadableMediaError: the file is empty or is no media.
        UnsupportedMediaError: a playlist.
        TooLargeError: more bytes than are taken.
    """
    size = path.stat().st_size
    if size == 0:
        raise UnreadableMediaError("The file is empty.")
    if size > limits.bytes:
        raise TooLargeError("The file's size in bytes", value=size, limit=limits.bytes)
    with path.open("rb") as file:
        head = file.read(16)
    return kind_of(head)


def kind_of(head: bytes) -> str:
    """The container that a file with these first sixteen bytes is."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(EBML):
        return "matroska"
    if head[4:8] in STARTS:
        return "mp4"
    if head.startswith((b"#EXTM3U", b"<?xml", b"ffconcat")):
        raise UnsupportedMediaError("The file is a playlist, not media.")
    raise UnreadableMediaError("The file is no picture or video that is known here.")


def check_container(path: Path, kind: str, limits: MediaLimits) -> None:
    """Walk the file's own structure within bounds.

    Raises:
        UnreadableMediaError: sizes that do not fit, a file that was cut off.
        TooLargeError: too many boxes, or a frame or a duration over the limit.
    """
    with path.open("rb") as file:
        if kind == "mp4":
            _check_boxes(file, limits)
        elif kind == "matroska":
            _check_ebml(file)


def walk(file: BinaryIO, limits: MediaLimits) -> Iterator[Box]:
    """Every box of an ISO-BMFF file, parents first; bounded in every direction."""
    end = file.seek(0, io.SEEK_END)
    seen = 0
    stack = [(0, end, 0)]
    while stack:
        at, stop, depth = stack.pop()
        if stop - at < 8:
            continue
        seen += 1
        if seen > limits.boxes:
            raise TooLargeError("The number of boxes", value=seen, limit=limits.boxes)
        if depth > limits.depth:
            raise TooLargeError("The depth of boxes", value=depth, limit=limits.depth)
        kind, head, size = _box_head(file, at, stop)
        stack.append((at + size, stop, depth))
        if kind in NESTED:
            stack.append((at + head, at + size, depth + 1))
        yield Box(kind, at + head, size - head, depth)


def _box_head(file: BinaryIO, at: int, stop: int) -> tuple[bytes, int, int]:
    """Type, length of the head and whole size of the box at ``at``; the box must end by ``stop``."""
    file.seek(at)
    size, kind = struct.unpack(">I4s", _read(file, 8))
    head = 8
    if size == 1:
        if stop - at < 16:
            raise UnreadableMediaError("The file is cut off inside a box head.")
        size, head = struct.unpack(">Q", _read(file, 8))[0], 16
    elif size == 0:
        size = stop - at
    if size < head:
        raise UnreadableMediaError("The file's structure is broken: a box is shorter than its head.")
    if at + size > stop:
        raise UnreadableMediaError(f"The file is cut off: {at + size - stop} bytes are missing at its end.")
    return kind, head, size


def _check_boxes(file: BinaryIO, limits: MediaLimits) -> None:
    kinds = set()
    picture = False
    for box in walk(file, limits):
        kinds.add(box.kind)
        if box.kind == b"hdlr" and box.length >= 12:
            file.seek(box.start + 8)
            handler = _read(file, 4)
            picture = handler == b"vide" or (picture and handler not in OTHER_TRACKS)
        if box.kind == b"tkhd" and box.length >= 8:
            file.seek(box.start + box.length - 8)
            width, height = (n >> 16 for n in struct.unpack(">II", _read(file, 8)))
            _check_pixels(width, height, limits.pixels)
        elif box.kind == b"stsd" and picture and box.length >= SAMPLE_SIZE_AT + 4:
            file.seek(box.start + SAMPLE_SIZE_AT)
            width, height = struct.unpack(">HH", _read(file, 4))
            _check_pixels(width, height, limits.pixels)
        elif box.kind == b"mvhd":
            _check_duration(file, box, limits)
        elif box.kind == b"cmov":
            raise UnsupportedMediaError("The file's index is compressed.")
    if b"moov" not in kinds:
        raise UnreadableMediaError("The file has no index (moov); it was cut off or never finished.")
    if b"trak" not in kinds:
        raise UnreadableMediaError("The file has no track.")


def _check_duration(file: BinaryIO, box: Box, limits: MediaLimits) -> None:
    """mvhd, 8.2.2: the presentation's length as the file claims it."""
    file.seek(box.start)
    body = file.read(min(box.length, 32))
    layout, at = (">IQ", 20) if body[:1] == b"\x01" else (">II", 12)
    if len(body) < at + struct.calcsize(layout):
        raise UnreadableMediaError("The file's structure is broken: a short mvhd.")
    scale, length = struct.unpack_from(layout, body, at)
    unset = (1 << 64) - 1 if layout == ">IQ" else (1 << 32) - 1
    if scale and length != unset and length / scale > limits.duration_s:
        raise TooLargeError("The duration in seconds", value=length / scale, limit=limits.duration_s)


def _check_ebml(file: BinaryIO) -> None:
    """Matroska (RFC 9559): the segment must not be longer than the file, or the file was cut off."""
    end = file.seek(0, io.SEEK_END)
    at = 4
    size, at, _ = _vint(file, at)
    at += size
    if at + 8 > end:
        raise UnreadableMediaError("The file is cut off before its first segment.")
    file.seek(at)
    if int.from_bytes(_read(file, 4), "big") != SEGMENT_ID:
        raise UnreadableMediaError("The file's structure is broken: no segment after the head.")
    size, at, unknown = _vint(file, at + 4)
    if not unknown and at + size > end:
        raise UnreadableMediaError(f"The file is cut off: {at + size - end} bytes are missing at its end.")


def _vint(file: BinaryIO, at: int) -> tuple[int, int, bool]:
    """Value, position after it, and whether it stands for "unknown" (all ones), RFC 8794, 4."""
    file.seek(at)
    first = _read(file, 1)[0]
    if not first:
        raise UnreadableMediaError("The file's structure is broken: a size of more than eight bytes.")
    length = 9 - first.bit_length()
    mask = (1 << 7 * length) - 1
    value = int.from_bytes(bytes([first]) + _read(file, length - 1), "big") & mask
    return value, at + length, value == mask


def _check_pixels(width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise TooLargeError("The number of pixels in a frame", value=width * height, limit=limit)


def _read(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise UnreadableMediaError("The file is cut off.")
    return data
