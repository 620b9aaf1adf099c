"""The invisible mark, TileMark v2: a keyed mid-band pattern in luma, new in every tile, masked by texture.

The canonical plane has a short side of 540 pixels and is cut into tiles of 128 x 128. Thirty of a hundred
carrier dimensions are pilots (presence and geometry), the others say the coded message. The pattern must
never become periodic: a repeated tile can be folded out of one frame without the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from watermark.errors import StrengthUnsetError, UnsupportedFrameError
from watermark.payload import (
    CODE_BITS,
    Bits,
    MarkKeys,
    accept,
    encode,
    keyed_permutation,
    keyed_signs,
    message,
    viterbi,
)

CANONICAL = 540
"""Short side of the canonical plane, pixels."""
TILE = 128
ROWS, COLUMNS = 12, 16  # tiles of the keyed plane: 1536 x 2048 canonical pixels
SEARCH_TILES = 8  # the search plane is 8 x 8 tiles: sources up to 1.9 : 1 either way
LOW, HIGH = 7, 26  # band, cycles per tile: 26 costs a sixth less bitrate than 40 and survives halving
RINGS = 8
SMOOTHING = (0.1, 0.2, 0.4, 0.2, 0.1)  # 2 % more decision distance at the edge of reading than none
PILOT_SHARE = 0.30
FLOOR, GAIN, CEILING = 0.5, 0.32, 4.0  # amplitude = strength * min(FLOOR + GAIN * activity, CEILING)
PEAK = 3.0  # pattern is clipped at 3 sigma: a black frame at the highest strength stays within 2 levels
LIMITED = 219 / 255  # one level of a limited-range plane is 255/219 levels on the screen
STRENGTH_MIN, STRENGTH_MAX = 0.3 * LIMITED, 2.5 * LIMITED
FLOOR_MAX = 0.65  # levels, one sigma: what flat areas get at most, however strong the mark is elsewhere
SHORT_SIDE_MIN, SHORT_SIDE_STANDARD = 240, 720

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8, luma."""
Field = npt.NDArray[np.float32]
"""(h, w) or (n,) float32."""


class Profile(StrEnum):
    """How strong the mark is."""

    STANDARD = "standard"
    ROBUST = "robust"


TARGET_DB = {Profile.STANDARD: 46.0, Profile.ROBUST: 44.0}


def canonical_size(height: int, width: int) -> tuple[int, int]:
    """(width, height) of the picture with its short side at 540."""
    k = CANONICAL / min(height, width)
    return max(2, round(width * k)), max(2, round(height * k))


def profile_for(height: int, width: int) -> Profile:
    """The profile a frame of this size needs.

    Raises:
        UnsupportedFrameError: it is too small, or longer than the keyed plane.
    """
    short = min(height, width)
    if short < SHORT_SIDE_MIN:
        raise UnsupportedFrameError(
            f"A frame of {width} x {height} is too small to mark: below {SHORT_SIDE_MIN}."
        )
    wide, tall = canonical_size(height, width)
    if wide > COLUMNS * TILE or tall > ROWS * TILE:
        raise UnsupportedFrameError(f"A frame of {width} x {height} is too long to mark.")
    return Profile.ROBUST if short < SHORT_SIDE_STANDARD else Profile.STANDARD


class Carrier:
    """All that follows from the keys: bins, places of pilots and data, signs of every tile."""

    def __init__(self, keys: MarkKeys) -> None:
        self.keys = keys
        u, v = np.meshgrid(np.fft.fftfreq(TILE, 1 / TILE), np.arange(TILE // 2 + 1), indexing="ij")
        radius = np.hypot(u, v)
        inside = (radius >= LOW) & (radius <= HIGH) & (v > 0) & (v < TILE // 2)
        self.bin_u, self.bin_v = np.nonzero(inside)
        self.frequency_u, self.frequency_v = np.fft.fftfreq(TILE)[self.bin_u], self.bin_v / TILE
        self.dims = 2 * len(self.bin_u)
        """1936: the real parts of 968 bins, then their imaginary parts."""
        ring = np.minimum((radius[inside] - LOW) / (HIGH - LOW + 1e-9) * RINGS, RINGS - 1).astype(int)
        self.rings = [np.nonzero(np.tile(ring, 2) == k)[0] for k in range(RINGS)]
        places = keyed_permutation(keys.sync, self.dims)
        cut = int(self.dims * PILOT_SHARE)
        self.pilots, self.data = np.sort(places[:cut]), places[cut:]
        self.ring_pilots = [np.intersect1d(dims, self.pilots) for dims in self.rings]
        self.code_bit = np.arange(len(self.data)) % CODE_BITS
        self.signs = np.empty((ROWS, COLUMNS, self.dims), np.float32)
        self.signs[..., self.pilots] = keyed_signs(keys.sync, (ROWS, COLUMNS, cut))
        self.signs[..., self.data] = keyed_signs(keys.data, (ROWS, COLUMNS, len(self.data)))

    def coefficients(self, mark_id: int) -> Field:
        """(dims,) what all tiles have in common: +1 on the pilots, the code on the data places."""
        common = np.ones(self.dims, np.float32)
        common[self.data] = 1.0 - 2.0 * encode(message(self.keys, mark_id))[self.code_bit]
        return common

    def plane(self, common: Field, rows: int, columns: int) -> Field:
        """(rows * 128, columns * 128) the pattern of the first tiles; each tile has its own signs."""
        half = self.dims // 2
        signed = self.signs[:rows, :columns] * common
        spectrum = np.zeros((rows, columns, TILE, TILE // 2 + 1), np.complex64)
        spectrum[:, :, self.bin_u, self.bin_v] = signed[..., :half] + 1j * signed[..., half:]
        tiles = scipy.fft.irfft2(spectrum, (TILE, TILE))
        return np.asarray(tiles.transpose(0, 2, 1, 3).reshape(rows * TILE, columns * TILE), np.float32)

    @cached_property
    def pilot_spectrum(self) -> npt.NDArray[np.complex64]:
        """(512, 257) spectrum of the pilots at half size; the band ends below 1/4 cycle: nothing is lost."""
        only = np.zeros(self.dims, np.float32)
        only[self.pilots] = 1
        plane = self.plane(only, SEARCH_TILES, SEARCH_TILES)
        half = cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return np.asarray(scipy.fft.rfft2(half), np.complex64)


class Embedder:
    """Puts one id into all frames of one clip, in place.

    Pattern and strength are the same for the whole clip: a strength of its own per chunk would show as a step
    where the chunks join.

    Raises:
        UnsupportedFrameError: the frame size cannot carry the mark.
        MarkIdError: the id is zero or not 64 bits.
    """

    def __init__(
        self,
        carrier: Carrier,
        mark_id: int,
        *,
        height: int,
        width: int,
        profile: Profile | None = None,
        strength: float | None = None,
    ) -> None:
        needed = profile_for(height, width)
        self.profile = profile or needed
        self.strength = strength
        self._shape = (height, width)
        self._size = canonical_size(height, width)
        wide, tall = self._size
        plane = carrier.plane(carrier.coefficients(mark_id), -(-tall // TILE), -(-wide // TILE))
        pattern = np.clip(plane / plane.std(), -PEAK, PEAK)[:tall, :wide]
        self._pattern = np.ascontiguousarray(pattern, np.float32)
        self._kernel = np.ones((9, 9), np.uint8)

    def servo(self, planes: Sequence[Plane]) -> float:
        """Set and give the strength that brings these frames (up to 5 of the clip) to the profile's PSNR.

        ``planes``: (h, w) uint8, limited range. Below the cap on flat areas the change is linear in the
        strength; the clamp keeps a clip without texture from being driven to visible noise.
        """
        if not planes:
            raise StrengthUnsetError("No frame was given to set the strength of the mark from.")
        target = LIMITED * 255 / 10 ** (TARGET_DB[self.profile] / 20)
        strength = 1.0
        for _ in range(3):
            power = [np.mean(np.square(self._delta(self._checked(y), strength))) for y in planes]
            strength *= target / (float(np.sqrt(np.mean(power))) + 1e-9)
            strength = float(np.clip(strength, STRENGTH_MIN, STRENGTH_MAX))
        self.strength = strength
        return strength

    def embed(self, y: Plane) -> None:
        """Mark one limited-range luma plane in place.

        Raises:
            UnsupportedFrameError: the plane has another size or type than the clip.
            StrengthUnsetError: the strength was neither given nor set by ``servo``.
        """
        if self.strength is None:
            raise StrengthUnsetError("The strength of the mark was not set before the first frame.")
        cv2.add(self._checked(y), self._delta(y, self.strength), dst=y, dtype=cv2.CV_8U)

    def _checked(self, y: Plane) -> Plane:
        if y.dtype != np.uint8 or y.shape != self._shape:
            raise UnsupportedFrameError(
                f"A plane of {y.shape} {y.dtype} came into a clip of {self._shape} uint8."
            )
        return y

    def _delta(self, y: Plane, strength: float) -> Field:
        """(h, w), what is added; the erosion makes the mask follow texture, not the halo of an edge."""
        small = cv2.resize(y, self._size, interpolation=cv2.INTER_AREA).astype(np.float32)
        activity = cv2.blur(cv2.absdiff(small, cv2.blur(small, (15, 15))), (7, 7))
        mask: Field = np.asarray(cv2.blur(cv2.erode(activity, self._kernel), (7, 7)), np.float32)
        mask *= GAIN * strength
        mask += min(FLOOR * strength, FLOOR_MAX)
        np.minimum(mask, CEILING * strength, out=mask)
        mask *= self._pattern
        delta = cv2.resize(mask, (y.shape[1], y.shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(delta, np.float32)


# ---- detection ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Correlation:
    """A residual against the signs of a carrier: sums over all tiles, (dims,) each, and the pilots' z."""

    summed: Field
    power: Field
    z: float
    """Agreement of the pilots; without the mark, at one hypothesis, P(z > x) <= exp(-x^2 / 2) (Hoeffding)."""


def residual(luma: Plane, size: tuple[int, int] | None = None) -> Field:
    """(h, w) of the canonical plane, -2..2: high-pass over local activity, flat whatever the contrast was.

    Residuals of many frames are added before they are decoded. ``size``: (width, height), default canonical.
    """
    wide, tall = size or canonical_size(luma.shape[0], luma.shape[1])
    how = cv2.INTER_AREA if wide < luma.shape[1] else cv2.INTER_CUBIC
    small = luma if (tall, wide) == luma.shape else cv2.resize(luma, (wide, tall), interpolation=how)
    level = small.astype(np.float32)
    # 7 and 9, not the embedder's 15: 6 % more decision distance over five clips at CRF 23 to 28.
    high = level - cv2.blur(level, (7, 7))
    return np.asarray(np.clip(high / (cv2.blur(np.abs(high), (9, 9)) + 0.7), -2, 2), np.float32)


def correlate(carrier: Carrier, total: Field, dy: float = 0.0, dx: float = 0.0) -> Correlation:
    """Correlate a residual whose pixel (0, 0) lies at (dy, dx) of the keyed plane.

    Rows before the plane are cut off, not wrapped: a rotated picture has a negative origin.
    """
    cut_y, cut_x = max(0, int(np.ceil(-dy))), max(0, int(np.ceil(-dx)))
    total, dy, dx = total[cut_y:, cut_x:], dy + cut_y, dx + cut_x
    iy, ix = int(np.floor(dy)), int(np.floor(dx))
    rows = max(1, min(ROWS, -(-(iy + total.shape[0]) // TILE)))
    columns = max(1, min(COLUMNS, -(-(ix + total.shape[1]) // TILE)))
    canvas = np.zeros((rows * TILE, columns * TILE), np.float32)
    part = total[: max(0, rows * TILE - iy), : max(0, columns * TILE - ix)]
    canvas[iy : iy + part.shape[0], ix : ix + part.shape[1]] = part
    tiles = canvas.reshape(rows, TILE, columns, TILE).transpose(0, 2, 1, 3)
    bins = scipy.fft.rfft2(tiles, axes=(2, 3))[:, :, carrier.bin_u, carrier.bin_v]
    if dy > iy or dx > ix:
        bins = bins * np.exp(
            -2j * np.pi * (carrier.frequency_u * (dy - iy) + carrier.frequency_v * (dx - ix))
        )
    dims = np.concatenate([bins.real, bins.imag], axis=2).astype(np.float32)
    summed = (dims * carrier.signs[:rows, :columns]).sum((0, 1))
    power = np.square(dims).sum((0, 1))
    at = carrier.pilots
    return Correlation(summed, power, float(summed[at].sum() / np.sqrt(power[at].sum() + 1e-9)))


def likeliest_bits(carrier: Carrier, found: Correlation, *, sign: int = 1) -> Bits:
    """The 104 bits that fit best, mark or no mark; each ring of the band weighs by what its pilots show.

    Few pilots are in a ring, so its gain is smoothed over its neighbours.
    """
    summed = sign * found.summed
    gains = np.pad([float(summed[pilots].mean()) for pilots in carrier.ring_pilots], 2, "edge")
    gains = np.convolve(gains, SMOOTHING, "valid")
    soft = np.empty(carrier.dims, np.float32)
    for dims, gain in zip(carrier.rings, gains, strict=True):
        soft[dims] = summed[dims] * ((max(gain, 0.0) + 1e-6) / (found.power[dims].mean() + 1e-9))
    code = np.bincount(carrier.code_bit, soft[carrier.data], minlength=CODE_BITS)
    return viterbi(code.astype(np.float32))


def decode(carrier: Carrier, found: Correlation, *, sign: int = 1) -> int | None:
    """The id, when the tag accepts it. ``sign=-1`` reads a mark that was subtracted more than once."""
    return accept(carrier.keys, likeliest_bits(carrier, found, sign=sign))
