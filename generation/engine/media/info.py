"""What is known of a media file before any of it is processed, and how much of it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

STILL_CONTAINERS = frozenset({"png", "jpeg", "webp"})


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """The most that is taken; each is checked before a decoder sees the file where the file says it."""

    pixels: int = 4096 * 2160  # one frame of DCI 4K
    duration_s: float = 600.0
    fps: float = 120.0
    bytes: int = 2 << 30
    still_pixels: int = 40_000_000
    streams: int = 16
    boxes: int = 10_000
    depth: int = 8


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The first sound stream; ``decodable`` is False when no decoder of it is known here."""

    codec: str
    rate_hz: int
    channels: int
    decodable: bool


@dataclass(frozen=True, slots=True)
class Keyframe:
    """Where decoding may start: its presentation time, and how many frames are shown before it.

    Leading frames of an open GOP (shown before the keyframe, stored after it) count as before it.
    """

    pts: int
    first_frame: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """One picture stream, with its sound; times are in units of ``time_base``."""

    container: str
    size_bytes: int
    codec: str
    width_px: int
    height_px: int
    orientation: int
    """How a player turns the picture, as EXIF writes it: 1 not at all, 3 by 180, 6 by 90 and 8 by 270 degrees
    clockwise; 2, 4, 5 and 7 are mirrored."""
    time_base: Fraction
    start_pts: int
    duration_s: float
    frame_count: int
    rate: Fraction
    """Nominal frames per second; the true times are the pts."""
    variable_rate: bool
    pixel_format: str
    bit_depth: int
    colour_space: int
    """ISO/IEC 23091-2 matrix coefficients; 2 is unset."""
    full_range: bool
    interlaced: bool
    pixel_aspect: Fraction
    keyframes: tuple[Keyframe, ...]
    audio: AudioInfo | None
    notes: tuple[str, ...] = ()

    @property
    def still(self) -> bool:
        """True for a picture, which passes as a clip of one frame."""
        return self.container in STILL_CONTAINERS

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn that a player applies: 0, 90, 180 or 270."""
        return {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}.get(self.orientation, 0)

    @property
    def shown_size_px(self) -> tuple[int, int]:
        """Width and height after the turn, before padding to even."""
        if self.orientation >= 5:
            return self.height_px, self.width_px
        return self.width_px, self.height_px

    @property
    def output_size_px(self) -> tuple[int, int]:
        """Width and height of the frames that are processed and written: even."""
        width, height = self.shown_size_px
        return width + width % 2, height + height % 2

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record."""
        record: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("time_base", "rate", "pixel_aspect"):
            record[name] = str(record[name])
        record["keyframes"] = [[k.pts, k.first_frame] for k in self.keyframes]
        if self.audio:
            record["audio"] = {f.name: getattr(self.audio, f.name) for f in fields(self.audio)}
        record["notes"] = list(self.notes)
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> MediaInfo:
        """What ``as_record`` gave."""
        values = dict(record)
        for name in ("time_base", "rate", "pixel_aspect"):
            values[name] = Fraction(values[name])
        values["keyframes"] = tuple(Keyframe(pts, first) for pts, first in values["keyframes"])
        values["audio"] = AudioInfo(**values["audio"]) if values["audio"] else None
        values["notes"] = tuple(values["notes"])
        return cls(**values)
