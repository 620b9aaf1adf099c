"""Whether a file that carries our mark also shows our picture: the answer to a mark that was copied.

The record of an output keeps one thumbnail a second. The place where the mark was found says how a frame lies
on the marked picture, so the frame is put back there and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from watermark.errors import UnsupportedFrameError
from watermark.invisible import CANONICAL, Plane, canonical_size
from watermark.search import Geometry, warped

THUMBNAIL_PX = 160
AGREES = 0.7
"""Measured over the attack list on five photos: same picture 0.75 or more, others 0.45 or less."""
_COVER_MIN = 0.05  # of the thumbnail; less of it left says nothing


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One second of an output: (h, 160) uint8 luma, and a 64-bit perceptual hash of it."""

    second: float
    luma: Plane
    perceptual_hash: int


def thumbnail_track(frames: Iterable[tuple[float, Plane]]) -> list[Thumbnail]:
    """Thumbnails of (seconds, luma) frames, the first of every second; to be kept with the job's record."""
    track: list[Thumbnail] = []
    due = 0.0
    for second, luma in frames:
        if second + 1e-6 < due:
            continue
        due = float(int(second) + 1)
        small = thumbnail(luma)
        track.append(Thumbnail(second, small, perceptual_hash(small)))
    return track


def thumbnail(luma: Plane) -> Plane:
    """(h, 160) uint8 of a frame."""
    tall = max(8, round(luma.shape[0] * THUMBNAIL_PX / luma.shape[1]))
    return np.asarray(cv2.resize(luma, (THUMBNAIL_PX, tall), interpolation=cv2.INTER_AREA), np.uint8)


def perceptual_hash(luma: Plane) -> int:
    """64 bits: which of the 8 x 8 lowest cosine terms lie above their median."""
    small = cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = np.asarray(scipy.fft.dctn(small))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def similarity(track: Sequence[Thumbnail], frames: Sequence[Plane], geometry: Geometry) -> float:
    """How well frames show the recorded content, -1..1: below ``AGREES`` the mark stands on something else.

    Each frame is compared with every recorded second, for time may have been cut; what counts is the median
    over the frames of the best agreement.

    Raises:
        UnsupportedFrameError: there is nothing to compare.
    """
    if not track or not frames:
        raise UnsupportedFrameError("There is no thumbnail or no frame to compare.")
    best = [max(_agreement(kept.luma, frame, geometry) for kept in track) for frame in frames]
    return float(np.median(best))


def _agreement(kept: Plane, frame: Plane, geometry: Geometry) -> float:
    """Normalised correlation over the part of the thumbnail that the frame covers."""
    k = min(kept.shape) / CANONICAL
    luma, covered = _put_back(frame, geometry)
    size = (max(2, round(luma.shape[1] * k)), max(2, round(luma.shape[0] * k)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(covered, size, interpolation=cv2.INTER_AREA)
    top, left = round(geometry.dy * k), round(geometry.dx * k)
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(kept.shape[0], top + size[1]), min(kept.shape[1], left + size[0])
    if y1 - y0 < 4 or x1 - x0 < 4:
        return 0.0
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    mask = cover[inside] > 0.99
    if mask.sum() < _COVER_MIN * kept.size:
        return 0.0
    a = kept[y0:y1, x0:x1][mask].astype(np.float64)
    b = small[inside][mask].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-9))


def _put_back(frame: Plane, geometry: Geometry) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The frame at the size and angle of the marked picture, and which pixels of it are real."""
    turned = np.rot90(frame, -geometry.quarter_turns)
    upright = np.ascontiguousarray(turned[:, ::-1] if geometry.mirror else turned)
    size = canonical_size(upright.shape[0], upright.shape[1])
    canonical = cv2.resize(upright, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = np.ones(canonical.shape, np.float32)
    return (
        warped(np.asarray(canonical), geometry.scale, geometry.degrees),
        warped(whole, geometry.scale, geometry.degrees),
    )
