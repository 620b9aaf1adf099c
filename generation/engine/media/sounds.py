"""What a file of sound alone holds, learnt without trusting it: a recording of somebody who speaks.

The kind comes from the first bytes, never from the name. The file is then decoded to its end in the limited
child process (``guarded``): what is cut off, silent, clipped or came through a telephone is refused at the
door, before anybody relies on it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from generation.engine.errors import TooLargeError, UnreadableMediaError
from generation.engine.media import boxes
from generation.engine.media.info import MediaLimits

DEMUXERS = {"wav": "wav", "flac": "flac", "mp3": "mp3", "m4a": "mov", "opus": "ogg"}
RATE_MIN_HZ = 16_000
"""Below it the file came through a telephone: what tells s from f is not there."""
CHANNELS_MAX = 2
OGG_PAGE_MAX, OGG_LAST = 27 + 255 + 255 * 255, 0x04


@dataclass(frozen=True, slots=True)
class SoundLimits:
    """The most that is taken of a recording."""

    duration_s: float = 1800.0
    bytes: int = 1 << 29


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """One sound stream; ``level_db``: RMS of its loud tenth against full scale; ``clipped``: share at it."""

    container: str
    size_bytes: int
    codec: str
    rate_hz: int
    channels: int
    duration_s: float
    level_db: float
    clipped: float

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> SoundInfo:
        """What ``as_record`` gave."""
        return cls(**record)


def kind_of_sound(head: bytes) -> str:
    """``wav``, ``flac``, ``mp3``, ``opus`` or ``m4a`` by the first sixteen bytes; "" for all else.

    ``m4a`` is any ISO-BMFF file: only its tracks say whether it has pictures.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "opus"
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2):
        return "mp3"  # an ID3 tag, or the sync of layer III (ISO/IEC 11172-3, 2.4.2.3)
    return "m4a" if head[4:8] == b"ftyp" else ""


def sniff_sound(path: Path) -> str:
    """The kind of a file that is sound alone; "" when it is not, and is judged as pictures are.

    Raises:
        UnreadableMediaError, TooLargeError: the structure of an ISO-BMFF file is broken.
    """
    with path.open("rb") as file:
        kind = kind_of_sound(file.read(16))
        if kind == "m4a" and _has_pictures(file):
            return ""
    return kind


def check_sound(path: Path, kind: str, limits: SoundLimits) -> None:
    """Look at size and structure before a decoder does.

    Raises:
        TooLargeError: more bytes than are taken.
        UnreadableMediaError: cut off.
    """
    size = path.stat().st_size
    if size > limits.bytes:
        raise TooLargeError("The recording's size in bytes", value=size, limit=limits.bytes)
    with path.open("rb") as file:
        if kind == "wav":
            _check_wav(file, size)
        elif kind == "opus":
            _check_ogg(file, size)
        elif kind == "m4a":
            boxes.check_container(path, "mp4", MediaLimits(duration_s=limits.duration_s))


def _has_pictures(file: BinaryIO) -> bool:
    for box in boxes.walk(file, MediaLimits()):
        if box.kind == b"hdlr" and box.length >= 12:
            file.seek(box.start + 8)
            if file.read(4) == b"vide":
                return True
    return False


def _check_wav(file: BinaryIO, size: int) -> None:
    """RIFF chunks: the sound that the head announces must be there."""
    at = 12
    while at + 8 <= size:
        file.seek(at, io.SEEK_SET)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            if (missing := at + 8 + length - size) > 0:
                raise UnreadableMediaError(f"The file is cut off: {missing} bytes are missing at its end.")
            return
        at += 8 + length + length % 2
    raise UnreadableMediaError("The file has no sound, or was cut off before it.")


def _check_ogg(file: BinaryIO, size: int) -> None:
    """RFC 3533, 6: the last page says that it is, and is there as a whole."""
    file.seek(max(0, size - OGG_PAGE_MAX), io.SEEK_SET)
    data = file.read()
    page = data[data.rfind(b"OggS") :]
    count = page[26] if len(page) > 26 else 0
    whole = len(page) >= 27 + count and len(page) >= 27 + count + sum(page[27 : 27 + count])
    if not whole or not page[5] & OGG_LAST:
        raise UnreadableMediaError("The file is cut off: its last page is missing.")
