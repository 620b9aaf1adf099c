"""What frames say against the signs of a carrier: residual, tiles, pilots, soft bits, the decision.

All works at half the canonical size: the band ends below a quarter cycle per pixel, so nothing is lost.
Which set of signs a frame carries is not known beforehand; the pilots tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from watermark.invisible import (
    BAND_U,
    BAND_V,
    BINS,
    COLUMNS,
    DIMS,
    FIELD,
    RING,
    RINGS,
    ROWS,
    SEGMENT_S,
    SETS,
    STILL_SEGMENT_S,
    TILE,
    Carrier,
    Field,
    Plane,
    activity,
    amplitudes,
    canonical_size,
    code_places,
)
from watermark.payload import CODE_BITS, Bits, Soft, accept, viterbi

HALF = TILE // 2
SMOOTHING = (0.1, 0.2, 0.4, 0.2, 0.1)  # 2 % more decision distance at the edge of reading than none
_COPIES = (1.0, 0.5, 0.75, 0.8, 0.9, 0.96, 1.04, 1.1, 1.25, 1.5, 2.0)  # speed of a copy
_LENGTHS = (SEGMENT_S, STILL_SEGMENT_S)
SPEEDS = tuple(speed / length for length in _LENGTHS for speed in _COPIES)
"""Segments per second of a file."""
PHASES = 8  # offsets tried per segment

Numbers = npt.NDArray[np.intp]
"""(frames,) the set of each frame."""


def residual(luma: Plane, size: tuple[int, int] | None = None) -> Field:
    """(h, w) of the canonical plane: what stands out, weighed by the mark to be expected there.

    Where the picture hides more, the embedder put more, but not as much more as the picture disturbs; the
    weight gives 10 to 30 % more decision distance. ``size``: (width, height), default canonical.
    """
    wide, tall = size or canonical_size(luma.shape[0], luma.shape[1])
    how = cv2.INTER_AREA if wide < luma.shape[1] else cv2.INTER_CUBIC
    small = luma if (tall, wide) == luma.shape else cv2.resize(luma, (wide, tall), interpolation=how)
    small = np.asarray(small, np.uint8)
    level = small.astype(np.float32)
    # 7 and 9, not the embedder's 15: 6 % more decision distance over five clips at CRF 23 to 28.
    high = level - cv2.blur(level, (7, 7))
    spread = np.asarray(cv2.blur(np.abs(high), (9, 9)) + 0.7, np.float32)
    amplitude = cv2.LUT(activity(small), amplitudes(1.0, 0.48))
    return np.asarray(np.clip(high / spread, -2, 2) * (amplitude / spread), np.float32)


def halved(plane: Field) -> Field:
    """(h // 2, w // 2) of a residual."""
    h, w = plane.shape[0] // 2, plane.shape[1] // 2
    return np.asarray(cv2.resize(plane[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA), np.float32)


@dataclass(frozen=True, slots=True)
class Sight:
    """Half-size residuals as band coefficients of the tiles that they lie on.

    ``dims``: (frames, rows, columns, 1340) float32. ``top``, ``left``: the first tile; pilots count it
    modulo 8. ``times``: (frames,) seconds of the file.
    """

    dims: Field
    times: npt.NDArray[np.float64]
    top: int = 0
    left: int = 0


def sight(halves: Sequence[Field], times: Sequence[float], dy: float = 0.0, dx: float = 0.0) -> Sight:
    """Look at residuals whose corner lies at (dy, dx), canonical pixels, of the keyed plane."""
    top, left = int(np.floor(dy / TILE)), int(np.floor(dx / TILE))
    rest_y, rest_x = dy - top * TILE, dx - left * TILE
    dims = np.stack([_coefficients(half, rest_y, rest_x) for half in halves])
    cut_y, cut_x = max(0, -top), max(0, -left)  # a turned picture can begin before the plane
    dims = dims[:, cut_y : cut_y + ROWS, cut_x : cut_x + COLUMNS]
    return Sight(dims, np.asarray(times, np.float64), top + cut_y, left + cut_x)


def _coefficients(half: Field, rest_y: float, rest_x: float) -> Field:
    """(rows, columns, 1340) of one residual that begins inside the first tile."""
    iy, ix = int(rest_y // 2), int(rest_x // 2)
    rows, columns = -(-(iy + half.shape[0]) // HALF), -(-(ix + half.shape[1]) // HALF)
    canvas = np.zeros((rows * HALF, columns * HALF), np.float32)
    canvas[iy : iy + half.shape[0], ix : ix + half.shape[1]] = half
    tiles = canvas.reshape(rows, HALF, columns, HALF).transpose(0, 2, 1, 3)
    bins = scipy.fft.rfft2(tiles, axes=(2, 3))[:, :, BAND_U % HALF, BAND_V]
    # The middle of a half-size pixel lies half a canonical pixel on.
    bins = bins * _phase(rest_y - 2 * iy + 0.5, rest_x - 2 * ix + 0.5)
    return np.concatenate([bins.real, bins.imag], axis=2)


@lru_cache(maxsize=8)
def _phase(dy: float, dx: float) -> npt.NDArray[np.complex64]:
    return np.exp(-2j * np.pi / TILE * (BAND_U * dy + BAND_V * dx)).astype(np.complex64)


# ---- pilots -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pilots:
    """How the pilots of some frames agree with their signs."""

    agreement: Field
    """(402,) sums over the tiles of the pilot field."""
    z: float
    """Without the mark, at one hypothesis, P(z > x) <= exp(-x^2 / 2) (Hoeffding)."""


def pilots(carrier: Carrier, seen: Sight, numbers: Numbers, weights: Field) -> Pilots:
    """Fold all frames onto the pilot field, each at the place of its set, and compare."""
    field = np.zeros((FIELD, FIELD, len(carrier.pilots)), np.float32)
    _, rows, columns, _ = seen.dims.shape
    for number in np.unique(numbers):
        down, right = divmod(int(number), FIELD)
        chosen = numbers == number
        dims = np.tensordot(weights[chosen], seen.dims[chosen][..., carrier.pilots], 1)
        at = np.ix_(
            (np.arange(rows) + seen.top + down) % FIELD, (np.arange(columns) + seen.left + right) % FIELD
        )
        np.add.at(field, at, dims)
    agreement = (field * carrier.pilot_field).sum((0, 1))
    return Pilots(agreement, float(agreement.sum() / np.sqrt(np.square(field).sum() + 1e-9)))


def pilot_table(carrier: Carrier, seen: Sight) -> Field:
    """(frames, 64) agreement of the pilots of each frame with each set, in units of its own spread."""
    frames, rows, columns, _ = seen.dims.shape
    dims = seen.dims[..., carrier.pilots].reshape(frames, -1)
    spread = np.sqrt(np.square(dims).sum(1, keepdims=True) + 1e-9)
    signs = _all_pilot_signs(carrier, rows, columns, seen.top % FIELD, seen.left % FIELD)
    return np.asarray(dims @ signs / spread, np.float32)


@lru_cache(maxsize=4)
def _all_pilot_signs(carrier: Carrier, rows: int, columns: int, top: int, left: int) -> Field:
    start = [((k // FIELD + top) % FIELD) * FIELD + (k + left) % FIELD for k in range(SETS)]
    return np.stack([carrier.pilot_signs(k, rows, columns).ravel() for k in start], 1).astype(np.float32)


def likely_sets(carrier: Carrier, table: Field, times: npt.NDArray[np.float64]) -> Numbers:
    """The set that each frame carries, if they follow each other in the carrier's order from some moment on.

    A copy may be trimmed, slowed or sped up, so the moment and the speed are tried.
    """
    if len(table) == 1:
        return np.asarray(np.abs(table).argmax(1), np.intp)
    starts = np.arange(SETS * PHASES)[:, None] / PHASES
    table = table * np.abs(table)  # one key frame can say more than all frames after it
    best, score = np.zeros(len(table), np.intp), -1.0
    for speed in SPEEDS:
        at = (starts + speed * (times - times.min())[None]).astype(np.intp) % SETS
        numbers = carrier.order[at]
        sums = np.abs(table[np.arange(len(table))[None], numbers].sum(1))
        if sums.max() > score * 1.02:  # the plain speed wins a draw
            best, score = numbers[sums.argmax()], float(sums.max())
    return best


# ---- the message --------------------------------------------------------------------------------


def frame_weights(table: Field, numbers: Numbers) -> Field:
    """(frames,) what each frame counts, by the power of its pilots: key frames say more than what follows."""
    z = np.abs(table[np.arange(len(table)), numbers])
    weights = np.maximum(z, 0.3) ** 2
    return np.asarray(weights / weights.mean(), np.float32)


def ring_gains(carrier: Carrier, agreement: Field) -> Field:
    """(8,) mean agreement of each ring's pilots, smoothed, for few pilots are in a ring; none below 0."""
    ring = RING[carrier.pilots]
    gains = np.bincount(ring, agreement, RINGS) / np.bincount(ring, minlength=RINGS)
    smooth = np.convolve(np.pad(gains, 2, "edge"), SMOOTHING, "valid")
    return np.asarray(np.maximum(smooth, 0.0) + 1e-6, np.float32)


def soft_bits(carrier: Carrier, seen: Sight, numbers: Numbers, weights: Field, agreement: Field) -> Soft:
    """(448,) soft code bits; each ring of the band weighs by what its pilots show."""
    _, rows, columns, _ = seen.dims.shape
    down, right = slice(seen.top, seen.top + rows), slice(seen.left, seen.left + columns)
    shape = carrier.data_signs(0, down, right).shape
    summed, power = np.zeros(shape, np.float32), np.full(DIMS, 1e-9, np.float32)
    for number in np.unique(numbers):
        chosen = numbers == number
        dims = np.tensordot(weights[chosen], seen.dims[chosen], 1)
        power += np.square(dims).sum((0, 1))
        signs = carrier.data_signs(int(number), down, right)
        summed += dims[: signs.shape[0], : signs.shape[1], carrier.data] * signs
    weight = (ring_gains(carrier, agreement)[RING] / _noise(power))[carrier.data].astype(np.float32)
    places = code_places()[down, right]
    return np.bincount(places.ravel(), (summed * weight).ravel(), CODE_BITS).astype(np.float32)


def _noise(power: Field) -> Field:
    """(1340,) the power of each bin, drawn to that of its ring: edges and blocks have directions."""
    bins = (power[:BINS] + power[BINS:]) / 2
    rings = np.bincount(RING, power, RINGS) / np.bincount(RING, minlength=RINGS)
    return np.asarray(0.7 * np.tile(bins, 2) + 0.3 * rings[RING], np.float32)


def decode(carrier: Carrier, soft: Soft, *, sign: int = 1) -> int | None:
    """The id, when the tag accepts it. ``sign=-1`` reads a mark that was subtracted more than once."""
    return accept(carrier.keys, likeliest_bits(soft, sign=sign))


def likeliest_bits(soft: Soft, *, sign: int = 1) -> Bits:
    """The 104 bits that fit best, mark or no mark."""
    return viterbi(np.asarray(sign * soft, np.float32))
