"""Whether a file that carries our mark also shows our picture: the answer to a mark that was copied.

The record of an output keeps one thumbnail a second. The place where the mark was found says how a frame lies
on the marked picture, so the frame is put back there and compared: turn, mirror, scale and cut are undone.
Then the clip is laid along the record, for time may have been cut as well.
"""

from __future__ import annotations

import math
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
HIDDEN = 0
"""In a thumbnail: what is not shown there, as under no cover of a transparent clip; no luma is so low."""
_SOLID = 250  # of 255: a pixel of a thumbnail whose cover is less shows what lies behind, too
_COVER_MIN = 0.05  # of the thumbnail; less of it left says nothing
_TELLS_MIN = 4.0  # levels, one sigma: black, white and fades look like those of every other clip
_AT_ONCE = 256  # thumbnails compared in one step: 15 MB of float32 at 160 x 90


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One second of an output: (h, 160) uint8 luma, and a 64-bit perceptual hash of it."""

    second: float
    luma: Plane
    perceptual_hash: int


@dataclass(frozen=True, slots=True)
class Timed:
    """A frame of the file in question, (h, w) uint8 luma, and when it is shown."""

    second: float
    luma: Plane


@dataclass(frozen=True, slots=True)
class Comparison:
    """How well a file shows what is recorded."""

    similarity: float
    """-1..1, median over the frames; below ``AGREES`` the mark stands on something else."""
    offset_s: float | None
    """How much later the record shows a picture than the file; None when its parts come in another order."""

    @property
    def agrees(self) -> bool:
        """Whether the pictures are those of the record."""
        return self.similarity >= AGREES


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


def thumbnail(luma: Plane, cover: Plane | None = None) -> Plane:
    """(h, 160) uint8 of a frame; ``HIDDEN`` where its ``cover``, (h, w) uint8, is less than full."""
    size = THUMBNAIL_PX, max(8, round(luma.shape[0] * THUMBNAIL_PX / luma.shape[1]))
    small = np.maximum(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), 1)
    if cover is not None:
        small[cv2.resize(cover, size, interpolation=cv2.INTER_AREA) < _SOLID] = HIDDEN
    return np.asarray(small, np.uint8)


def tells(luma: Plane) -> bool:
    """Whether enough is on a picture for its hash to mean anything."""
    return float(luma.std()) >= _TELLS_MIN


def perceptual_hash(luma: Plane) -> int:
    """64 bits: which of the 8 x 8 lowest cosine terms lie above their median."""
    small = cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = np.asarray(scipy.fft.dctn(small))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def similarity(track: Sequence[Thumbnail], frames: Sequence[Plane], geometry: Geometry) -> float:
    """How well frames show the recorded content, whatever their order: each counts where it fits best.

    Raises:
        UnsupportedFrameError: there is nothing to compare.
    """
    table = _table(track, frames, geometry)
    return float(np.median(table.max(axis=1)))


def compare(track: Sequence[Thumbnail], frames: Sequence[Timed], geometry: Geometry) -> Comparison:
    """How well a file shows the recorded content, its time laid along the record's.

    A clip must fit with one offset. Where it does not, but each of its frames is somewhere in the record, it
    was cut together from parts: that is no copied mark.

    Raises:
        UnsupportedFrameError: there is nothing to compare, or nothing but black and fades.
    """
    track = [kept for kept in track if tells(kept.luma)]
    frames = [frame for frame in frames if tells(frame.luma)]
    table = _table(track, [frame.luma for frame in frames], geometry)
    recorded = np.array([kept.second for kept in track])
    shown = np.array([frame.second for frame in frames])
    best, rank = Comparison(-1.0, None), (-2.0, -2.0)
    for offset in np.unique(np.round(recorded[None, :] - shown[:, None])):
        away = np.abs(recorded[None, :] - shown[:, None] - offset)
        fits, exact = (float(np.median(np.where(away <= a, table, -1.0).max(axis=1))) for a in (1.0, 0.5))
        if (round(fits, 2), exact) > rank:  # a second either way is allowed; the nearest second wins a draw
            best, rank = Comparison(fits, float(offset)), (round(fits, 2), exact)
    loose = float(np.median(table.max(axis=1)))
    return best if best.agrees or loose < AGREES else Comparison(loose, None)


def _table(
    track: Sequence[Thumbnail], frames: Sequence[Plane], geometry: Geometry
) -> npt.NDArray[np.float32]:
    """(frames, thumbnails) agreement of each with each; thumbnails of one output have one size."""
    if not track or not frames:
        raise UnsupportedFrameError("There is no thumbnail or no frame to compare.")
    rows = []
    for frame in frames:
        part = _part(track[0].luma.shape, frame, geometry)
        if part is None:
            rows.append(np.zeros(len(track), np.float32))
            continue
        steps = range(0, len(track), _AT_ONCE)
        rows.append(np.concatenate([_correlated(part, track[at : at + _AT_ONCE]) for at in steps]))
    return np.stack(rows)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a frame shows of a thumbnail: rows and columns of it, which pixels of those, and their values."""

    rows: slice
    columns: slice
    mask: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float32]


def _part(shape: tuple[int, ...], frame: Plane, geometry: Geometry) -> _Part | None:
    """A frame put back on the thumbnail; None when too little of it is there."""
    k = min(shape) / CANONICAL
    luma, covered = _put_back(frame, geometry)
    size = (max(2, round(luma.shape[1] * k)), max(2, round(luma.shape[0] * k)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(covered, size, interpolation=cv2.INTER_AREA)
    top, left = round(geometry.dy * k), round(geometry.dx * k)
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(shape[0], top + size[1]), min(shape[1], left + size[0])
    if y1 - y0 < 4 or x1 - x0 < 4:
        return None
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    mask = cover[inside] > 0.99
    if mask.sum() < _COVER_MIN * math.prod(shape):
        return None
    return _Part(slice(y0, y1), slice(x0, x1), mask, np.asarray(small[inside][mask], np.float32))


def _correlated(part: _Part, track: Sequence[Thumbnail]) -> npt.NDArray[np.float32]:
    """(thumbnails,) normalised correlation over the part that the frame covers."""
    kept = np.stack([each.luma[part.rows, part.columns][part.mask] for each in track]).astype(np.float32)
    if (kept == HIDDEN).any():
        return _correlated_where_shown(part.values, kept, least=_COVER_MIN * track[0].luma.size)
    kept -= kept.mean(axis=1, keepdims=True)
    values = part.values - part.values.mean()
    power = np.square(kept).sum(axis=1) * np.square(values).sum()
    return np.asarray(kept @ values / np.sqrt(power + 1e-6), np.float32)


def _correlated_where_shown(
    values: npt.NDArray[np.float32], kept: npt.NDArray[np.float32], *, least: float
) -> npt.NDArray[np.float32]:
    """The same over what each thumbnail shows: behind a transparent clip every copy has something else."""
    shown = (kept != HIDDEN).astype(np.float32)
    count = shown.sum(axis=1)
    ours = (kept - (kept.sum(axis=1) / np.maximum(count, 1))[:, None]) * shown
    theirs = (values - (shown @ values / np.maximum(count, 1))[:, None]) * shown
    power = np.square(ours).sum(axis=1) * np.square(theirs).sum(axis=1)
    agreement = (ours * theirs).sum(axis=1) / np.sqrt(power + 1e-6)
    return np.asarray(np.where(count < least, 0.0, agreement), np.float32)


def upright(frame: Plane, geometry: Geometry) -> Plane:
    """A frame with its quarter turns and its mirroring undone."""
    turned = np.rot90(frame, -geometry.quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if geometry.mirror else turned)


def _put_back(frame: Plane, geometry: Geometry) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The frame at the size and angle of the marked picture, and which pixels of it are real."""
    straight = upright(frame, geometry)
    size = canonical_size(straight.shape[0], straight.shape[1])
    canonical = cv2.resize(straight, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = np.ones(canonical.shape, np.float32)
    return (
        warped(np.asarray(canonical), geometry.scale, geometry.degrees),
        warped(whole, geometry.scale, geometry.degrees),
    )
