"""The invisible mark, TileMark v3: a keyed mid-band pattern in luma, new in every tile and in every second.

The canonical plane has a short side of 540 pixels and is cut into tiles of 128 x 128. Thirty of a hundred
carrier dimensions are pilots (presence and geometry), the others say the coded message. The pattern must
never become periodic: a repeated tile can be folded out of one frame without the key. Nor may it stand still:
the mean of many frames would show it. So each second of a clip uses another of 64 sign sets. The pilots of
all sets are one field of 8 x 8 tiles, begun at another tile: one correlation finds the place in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from watermark.errors import StrengthUnsetError, UnsupportedFrameError
from watermark.payload import CODE_BITS, MarkKeys, encode, keyed_permutation, keyed_signs, message

CANONICAL = 540
"""Short side of the canonical plane, pixels."""
TILE = 128
ROWS, COLUMNS = 12, 16  # tiles of the keyed plane: 1536 x 2048 canonical pixels
LOW, HIGH = (
    7,
    22,
)  # band, cycles per tile: 26 cost 2 % more bits and read a tenth worse after half size, CRF 28
RINGS = 8
PILOT_SHARE = 0.30
FIELD = 8  # the pilots repeat after 8 tiles: sources up to 1.9 : 1 never show the same pilot twice
SETS = FIELD * FIELD
SEGMENT_S = 1.0
"""A second of moving frames, averaged, tells too little to erase the mark unseen."""
STILL_SEGMENT_S = 8.0
"""Where the camera stands still the mean of any number of frames is the picture; every change costs bits."""
STILL_SHARE = (
    0.2  # of the picture that differs between samples of such a clip: people move, the room does not
)
FADE_S = 0.15  # the end of a segment goes over into the next: no flicker
SHIFT = 151  # code bits move on by this from tile to tile: all bits meet all rings, strong and weak
SEAM = 8  # canonical pixels, half the width over which neighbouring tiles go over into each other
GAIN, CEILING = 0.32, 3.5  # texture gets strength * min(GAIN * activity, CEILING) more than flat areas
FINE = 2.0  # activity over 7 pixels counts this much more than over 15
FINER, SCALE = 8, 12  # activity is kept in eighths of a level, the change in twelfths
ROUNDING = 1 / 12  # power that rounding to whole levels adds
PEAK = 2.0  # the pattern is clipped at 2 sigma: what is seen is its peaks
LIMITED = 219 / 255  # one level of a limited-range plane is 255/219 levels on the screen
STRENGTH_MIN = 0.26
SHORT_SIDE_MIN, SHORT_SIDE_STANDARD = 240, 720

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8, luma."""
Field = npt.NDArray[np.float32]
"""(h, w) or (n,) float32."""
Signs = npt.NDArray[np.int8]


class Profile(StrEnum):
    """How strong the mark is."""

    STANDARD = "standard"
    ROBUST = "robust"


@dataclass(frozen=True, slots=True)
class Level:
    """What a profile asks for."""

    target_db: float
    """Signal to noise on the screen; the strength is set so that a textured picture has it."""
    floor: float
    """Levels, one sigma: what flat areas get, however strong the mark is elsewhere."""
    strength_max: float
    """A smooth picture disturbs little: it need not be driven down to the target."""


LEVELS = {Profile.STANDARD: Level(47.0, 0.48, 1.0), Profile.ROBUST: Level(44.0, 0.65, 2.0)}
SMALLER = Level(46.0, 0.55, 1.6)
"""Standard below 1080 lines: half of that is less than the canonical size, and more must be left of it."""


def level_for(profile: Profile, height: int, width: int) -> Level:
    """What a profile asks for at this size."""
    small = profile is Profile.STANDARD and min(height, width) < 2 * CANONICAL
    return SMALLER if small else LEVELS[profile]


def _band() -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Row and column frequency of the band's 670 bins, cycles per tile, and the ring of each."""
    u, v = np.meshgrid(np.fft.fftfreq(TILE, 1 / TILE).astype(np.intp), np.arange(TILE // 2), indexing="ij")
    radius = np.hypot(u, v)
    inside = (radius >= LOW) & (radius <= HIGH) & (v > 0)
    ring = np.minimum((radius[inside] - LOW) / (HIGH - LOW + 1e-9) * RINGS, RINGS - 1).astype(np.intp)
    return u[inside], v[inside], ring


BAND_U, BAND_V, _RING = _band()
BINS = len(BAND_U)
DIMS = 2 * BINS
"""1340: the real parts of 670 bins, then their imaginary parts."""
RING = np.tile(_RING, 2)
"""(1340,) the ring of each dimension, 0 lowest."""
PILOTS = int(DIMS * PILOT_SHARE)
_KERNEL = np.ones((9, 9), np.uint8)
_MIDDLE = np.full((1, 1), 128.0)
_SIGMA = np.sqrt(4.0 * BINS) / TILE**2  # of a tile whose coefficients are all +-1 +-1j


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


def segment_for(planes: Sequence[Plane]) -> float:
    """How long, in seconds, a clip keeps one pattern, from a few frames spread over it.

    Where everything moves a mean of frames shows the pattern alone, and a change of it costs few bits more.
    """
    small = [cv2.resize(y, (96, 54), interpolation=cv2.INTER_AREA) for y in planes]
    moved = [float((cv2.absdiff(one, other) > 4).mean()) for one, other in pairwise(small)]
    return STILL_SEGMENT_S if max(moved, default=1.0) < STILL_SHARE else SEGMENT_S


class Carrier:
    """All that follows from the keys: places of pilots and data, the signs of every tile in every set."""

    def __init__(self, keys: MarkKeys) -> None:
        self.keys = keys
        places = keyed_permutation(keys.sync, DIMS)
        self.pilots, self.data = np.sort(places[:PILOTS]), places[PILOTS:]
        self.order = keyed_permutation(keys.sync + b" sets", SETS)
        """The sets of 64 seconds; where in this round a clip begins follows from its id."""
        self.pilot_field = keyed_signs(keys.sync, (FIELD, FIELD, PILOTS)).astype(np.int8)
        self._set = lru_cache(maxsize=4)(self._signs_of_set)

    def set_at(self, mark_id: int, segment: int) -> int:
        """The set of one segment of a clip, counted from 0; pictures have only that."""
        return int(self.order[(segment + mark_id) % SETS])

    def data_signs(self, number: int, rows: slice, columns: slice) -> Signs:
        """(rows, columns, 938) of some tiles of one set."""
        return self._set(number)[rows, columns]

    def _signs_of_set(self, number: int) -> Signs:
        key = self.keys.data + b" set" + bytes([number])
        return keyed_signs(key, (ROWS, COLUMNS, DIMS - PILOTS)).astype(np.int8)

    def pilot_signs(self, number: int, rows: int, columns: int) -> Signs:
        """(rows, columns, 402) of the first tiles of one set: the field, begun at another tile."""
        down, right = divmod(number, FIELD)
        at = np.ix_((np.arange(rows) + down) % FIELD, (np.arange(columns) + right) % FIELD)
        return np.asarray(self.pilot_field[at])

    def coefficients(self, mark_id: int, number: int, rows: int, columns: int) -> Field:
        """(rows, columns, 1340) what the first tiles of a set carry, each +1 or -1."""
        out = np.empty((rows, columns, DIMS), np.float32)
        out[..., self.pilots] = self.pilot_signs(number, rows, columns)
        code = (1 - 2 * encode(message(self.keys, mark_id)).astype(np.int8))[code_places()[:rows, :columns]]
        out[..., self.data] = code * self.data_signs(number, slice(rows), slice(columns))
        return out


@lru_cache(maxsize=1)
def code_places() -> npt.NDArray[np.intp]:
    """(12, 16, 938) which code bit each data place of each tile carries."""
    tile = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS, 1)
    return np.asarray((np.arange(DIMS - PILOTS) + SHIFT * tile) % CODE_BITS, np.intp)


def pattern_of(coefficients: Field) -> Field:
    """(rows * 128, columns * 128) sigma 1: tiles side by side, each going over into its neighbours.

    A tile is periodic, so it can be continued over its edge; cosine ramps keep the power even.
    """
    rows, columns, _ = coefficients.shape
    spectrum = np.zeros((rows, columns, TILE, TILE // 2 + 1), np.complex64)
    spectrum[:, :, BAND_U, BAND_V] = coefficients[..., :BINS] + 1j * coefficients[..., BINS:]
    tiles = np.asarray(scipy.fft.irfft2(spectrum, (TILE, TILE)), np.float32) / np.float32(_SIGMA)
    down = _joined(tiles.transpose(0, 2, 1, 3).reshape(rows, TILE, columns * TILE))
    right = down.reshape(rows * TILE, columns, TILE).transpose(1, 2, 0)
    return np.ascontiguousarray(_joined(right).reshape(columns * TILE, rows * TILE).T)


def _joined(strips: Field) -> Field:
    """(n, 128, m): every strip runs on for 8 rows into the next and before it into the last."""
    ramp = np.sin((np.arange(2 * SEAM) + 0.5) * (np.pi / 4 / SEAM)).astype(np.float32)[:, None]
    rise, fall = ramp, ramp[::-1]
    out = strips.copy()
    out[1:, :SEAM] = strips[1:, :SEAM] * rise[SEAM:] + strips[:-1, :SEAM] * fall[SEAM:]
    out[:-1, -SEAM:] = strips[:-1, -SEAM:] * fall[:SEAM] + strips[1:, -SEAM:] * rise[:SEAM]
    return out


class Embedder:
    """Puts one id into all frames of one clip, in place.

    One strength serves the whole clip: a strength of its own per chunk would show as a step where chunks
    join. The pattern follows from the time alone, so that chunks agree on it too.

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
        segment_s: float = SEGMENT_S,
    ) -> None:
        needed = profile_for(height, width)
        self.profile = profile or needed
        self.strength = strength
        self._level = level_for(self.profile, height, width)
        self._carrier, self._mark_id, self._segment_s = carrier, mark_id, segment_s
        self._shape = (height, width)
        self._size = canonical_size(height, width)
        self._pattern = lru_cache(maxsize=2)(self._pattern_of_set)
        self._pattern(carrier.set_at(mark_id, 0))

    def servo(self, planes: Sequence[Plane]) -> float:
        """Set and give the strength that brings these frames (up to 5 of the clip) to the profile's PSNR.

        ``planes``: (h, w) uint8, limited range. Below the cap on flat areas the change is linear in the
        strength; the clamp keeps a clip without texture from being driven to visible noise.
        """
        if not planes:
            raise StrengthUnsetError("No frame was given to set the strength of the mark from.")
        target = LIMITED * 255 / 10 ** (self._level.target_db / 20)
        pattern, strength = self.pattern_at(0.0), 1.0
        for _ in range(6):
            changes = [self._scaled(self._checked(y), pattern, strength) - np.float32(128) for y in planes]
            power = float(np.mean([np.mean(np.square(change)) for change in changes])) / SCALE**2
            strength *= target / np.sqrt(power + ROUNDING)
            strength = float(np.clip(strength, STRENGTH_MIN, self._level.strength_max))
        self.strength = strength
        return strength

    def embed(self, y: Plane, time_s: float = 0.0) -> None:
        """Mark one limited-range luma plane in place; ``time_s`` counts from the start of the whole clip.

        Raises:
            UnsupportedFrameError: the plane has another size or type than the clip.
            StrengthUnsetError: the strength was neither given nor set by ``servo``.
        """
        if self.strength is None:
            raise StrengthUnsetError("The strength of the mark was not set before the first frame.")
        delta = self._scaled(self._checked(y), self.pattern_at(max(0.0, time_s)), self.strength)
        cv2.addWeighted(y, 1, delta, 1 / SCALE, -128 / SCALE, dst=y)

    def _checked(self, y: Plane) -> Plane:
        if y.dtype != np.uint8 or y.shape != self._shape:
            raise UnsupportedFrameError(
                f"A plane of {y.shape} {y.dtype} came into a clip of {self._shape} uint8."
            )
        return y

    def pattern_at(self, time_s: float) -> Field:
        """The pattern of a moment; in the last frames of a segment a mixture of equal power."""
        segment, into_s = divmod(time_s, self._segment_s)
        now = self._pattern(self._carrier.set_at(self._mark_id, int(segment)))
        turn = (into_s - self._segment_s + FADE_S) / FADE_S * (np.pi / 2)
        if turn <= 0:
            return now
        next_one = self._pattern(self._carrier.set_at(self._mark_id, int(segment) + 1))
        faded = cv2.addWeighted(now, float(np.cos(turn)), next_one, float(np.sin(turn)), 0)
        return np.asarray(faded, np.float32)

    def _pattern_of_set(self, number: int) -> Field:
        wide, tall = self._size
        rows, columns = -(-tall // TILE), -(-wide // TILE)
        pattern = pattern_of(self._carrier.coefficients(self._mark_id, number, rows, columns))
        return np.ascontiguousarray(np.clip(pattern, -PEAK, PEAK)[:tall, :wide], np.float32)

    def _scaled(self, y: Plane, pattern: Field, strength: float) -> Plane:
        """(h, w), what is added, in twelfths of a level above 128: bytes are twice as fast as floats."""
        small = cv2.resize(y, self._size, interpolation=cv2.INTER_AREA)
        mask = cv2.LUT(activity(np.asarray(small, np.uint8)), amplitudes(strength, self._level.floor))
        delta = cv2.add(cv2.multiply(mask, pattern, scale=SCALE, dtype=cv2.CV_16S), _MIDDLE, dtype=cv2.CV_8U)
        return np.asarray(cv2.resize(delta, y.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def amplitudes(strength: float, floor: float) -> Field:
    """(256,) levels, one sigma, for each step of activity; what is flat gets as much at any strength."""
    texture = np.minimum(GAIN / FINER * np.arange(256), CEILING)
    return np.asarray(texture * strength + floor * min(1.0, strength / STRENGTH_MIN), np.float32)


def activity(small: Plane) -> Plane:
    """(h, w) uint8, eighths of a level: how much texture hides there.

    The lesser of what is seen over 15 and over 7 pixels, eroded: an edge hides nothing beside it.
    """
    coarse = cv2.convertScaleAbs(cv2.absdiff(small, cv2.blur(small, (15, 15))), alpha=FINER)
    fine = cv2.convertScaleAbs(cv2.absdiff(small, cv2.blur(small, (7, 7))), alpha=FINER * FINE)
    least = cv2.min(cv2.blur(coarse, (7, 7)), cv2.blur(fine, (5, 5)))
    return np.asarray(cv2.blur(cv2.erode(least, _KERNEL), (7, 7)), np.uint8)
