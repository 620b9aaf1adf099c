"""A picture of where the mark was found: the file laid on what was delivered, and how well the mark agrees.

The dark ground is the delivered picture. The file lies on it as its mark says, cut, scaled, tilted and
mirrored as it was; a small triangle marks the file's own upper left corner. Each tile of the mark is
coloured by how well its pilots agree.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from watermark.content import Timed, upright
from watermark.errors import UnsupportedFrameError
from watermark.evidence import Evidence
from watermark.invisible import FIELD, TILE, Carrier, Field, Plane, canonical_size
from watermark.reading import Sight, pilot_table, sight
from watermark.search import Geometry, warped

WIDTH_PX = 800
MARGIN = 20  # canonical pixels around the delivered picture
STRONG_Z = 5.0
"""Agreement of one tile that has the full colour; six frames of an untouched clip show 5 to 10."""
_GROUND, _INSIDE = (25, 20, 12), (52, 42, 30)  # BGR
_RAMP = np.array([[74, 62, 32], [143, 138, 29], [107, 212, 242]], np.float32)  # low, middle, high; BGR
_LINE, _EDGE = (150, 140, 128), (120, 214, 246)

Picture = npt.NDArray[np.uint8]
"""(h, w, 3) uint8, BGR."""


def overlay(
    shown: Sequence[Timed],
    geometry: Geometry,
    carrier: Carrier,
    *,
    original_px: tuple[int, int] | None = None,
) -> bytes:
    """PNG of where the mark lies. ``original_px``: width and height of what was delivered, where it is known.

    Raises:
        UnsupportedFrameError: there is no frame.
    """
    if not shown:
        raise UnsupportedFrameError("There is no frame to draw.")
    seen = _seen(shown, geometry)
    heat = tile_agreement(carrier, seen)
    canvas = _Canvas(shown[len(shown) // 2].luma, geometry, original_px)
    canvas.colour(heat, seen.top, seen.left)
    return canvas.png()


def tile_agreement(carrier: Carrier, seen: Sight) -> Field:
    """(rows, columns) z of the pilots of each tile over all frames, each with its likeliest set."""
    numbers = np.abs(pilot_table(carrier, seen)).argmax(1)
    _, rows, columns, _ = seen.dims.shape
    agreed, power = np.zeros((rows, columns), np.float32), np.full((rows, columns), 1e-9, np.float32)
    for dims, number in zip(seen.dims[..., carrier.pilots], numbers, strict=True):
        down, right = divmod(int(number), FIELD)
        at = np.ix_(
            (np.arange(rows) + seen.top + down) % FIELD, (np.arange(columns) + seen.left + right) % FIELD
        )
        agreed += (dims * carrier.pilot_field[at]).sum(-1)
        power += np.square(dims).sum(-1)
    return np.asarray(np.abs(agreed) / np.sqrt(power), np.float32)


def _seen(shown: Sequence[Timed], geometry: Geometry) -> Sight:
    """The frames as they lie on the keyed plane."""
    evidence = Evidence()
    for frame in shown:
        evidence.add(frame.luma, time_s=frame.second)
    flat = Geometry(mirror=geometry.mirror, quarter_turns=geometry.quarter_turns)
    halves = [
        warped(np.asarray(_straight(half, flat), np.float32), geometry.scale, geometry.degrees)
        for half in evidence.halves
    ]
    return sight(halves, evidence.times, geometry.dy, geometry.dx)


def _straight(half: Field, flat: Geometry) -> Field:
    turned = np.rot90(half, -flat.quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if flat.mirror else turned)


class _Canvas:
    """The delivered picture as ground, and the file on it; all in canonical pixels."""

    def __init__(self, luma: Plane, geometry: Geometry, original_px: tuple[int, int] | None) -> None:
        flat = upright(luma, geometry)
        wide, tall = canonical_size(*flat.shape)
        turn = _turn(wide, tall, geometry.scale, geometry.degrees)
        turn[:, 2] += (geometry.dx, geometry.dy)
        corners = _corners(wide, tall, geometry) @ turn[:, :2].T + turn[:, 2]
        self._extent = np.array(canonical_size(*original_px[::-1]) if original_px else corners.max(0), float)
        low = np.minimum(corners.min(0), 0) - MARGIN
        high = np.maximum(corners.max(0), self._extent) + MARGIN
        self._k = WIDTH_PX / float(high[0] - low[0])
        self._low = low
        self.corners = self._at(corners)
        size = (WIDTH_PX, max(1, round(float(high[1] - low[1]) * self._k)))
        turn[:, 2] -= low
        turn *= self._k
        small = cv2.resize(flat, (wide, tall), interpolation=cv2.INTER_AREA)
        grey = cv2.warpAffine(small, turn, size, flags=cv2.INTER_AREA)
        self._inside = cv2.warpAffine(np.ones_like(small), turn, size, flags=cv2.INTER_NEAREST) > 0
        self._picture = np.full((size[1], size[0], 3), _GROUND, np.uint8)
        self._rectangle(_INSIDE, cv2.FILLED)
        self._picture[self._inside] = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)[self._inside]

    def colour(self, heat: Field, top: int, left: int) -> None:
        """Lay the agreement of each tile over the file, and the lines between the tiles."""
        rows, columns = heat.shape
        share = np.clip(heat / max(STRONG_Z, float(np.percentile(heat, 90))), 0, 1)
        tall, wide = (round(n * TILE * self._k) for n in (rows, columns))
        smooth = np.clip(cv2.resize(share, (wide, tall), interpolation=cv2.INTER_CUBIC), 0, 1)
        x, y = self._at(np.array([[left * TILE, top * TILE]], float))[0]
        whole = np.zeros(self._inside.shape, np.float32)
        _paste(whole, smooth, int(y), int(x))
        alpha = (0.12 + 0.5 * whole)[..., None] * self._inside[..., None]
        self._picture[:] = self._picture * (1 - alpha) + _coloured(whole) * alpha
        lines = np.zeros(self._inside.shape, np.uint8)
        for number in range(max(rows, columns) + 1):
            step = round(number * TILE * self._k)
            cv2.line(lines, (int(x), int(y) + step), (int(x) + wide, int(y) + step), 1)
            cv2.line(lines, (int(x) + step, int(y)), (int(x) + step, int(y) + tall), 1)
        on = (lines > 0) & self._inside
        self._picture[on] = self._picture[on] * 0.75 + 255 * 0.25

    def png(self) -> bytes:
        """The picture with its outlines."""
        self._rectangle(_LINE, 1)
        cv2.polylines(self._picture, [_fixed(self.corners)], True, _EDGE, 2, cv2.LINE_AA, _SHIFT)
        first, right, _, below = self.corners
        flag = np.stack([first, _towards(first, right), _towards(first, below)])
        cv2.fillPoly(self._picture, [_fixed(flag)], _EDGE, cv2.LINE_AA, _SHIFT)
        return cv2.imencode(".png", self._picture)[1].tobytes()

    def _rectangle(self, colour: tuple[int, int, int], thickness: int) -> None:
        (x0, y0), (x1, y1) = self._at(np.array([[0.0, 0.0], self._extent])).astype(int)
        cv2.rectangle(self._picture, (int(x0), int(y0)), (int(x1), int(y1)), colour, thickness)

    def _at(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray((points - self._low) * self._k)


_SHIFT = 4  # binary places of the points that OpenCV draws between


def _corners(wide: int, tall: int, geometry: Geometry) -> npt.NDArray[np.float64]:
    """(4, 2) x, y of the file's own corners on the upright picture: upper left, upper right, and so on."""
    places = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], float)
    if geometry.mirror:
        places = places[[1, 0, 3, 2]]
    return np.roll(places, -geometry.quarter_turns, axis=0)


def _turn(wide: int, tall: int, scale: float, degrees: float) -> npt.NDArray[np.float64]:
    """(2, 3) what ``search.warped`` does to a picture of this size."""
    turn = cv2.getRotationMatrix2D((wide / 2, tall / 2), degrees, scale)
    turn[0, 2] += (round(wide * scale) - wide) / 2
    turn[1, 2] += (round(tall * scale) - tall) / 2
    return np.asarray(turn, np.float64)


def _towards(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    way = end - start
    return np.asarray(start + way / max(float(np.hypot(*way)), 1e-6) * 28)


def _fixed(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    return np.asarray(np.round(points * (1 << _SHIFT)), np.int32)


def _coloured(share: Field) -> npt.NDArray[np.float32]:
    """(h, w, 3) the ramp at each share, 0..1."""
    at = share * (len(_RAMP) - 1)
    low = np.minimum(at.astype(int), len(_RAMP) - 2)
    rest = (at - low)[..., None]
    return np.asarray(_RAMP[low] * (1 - rest) + _RAMP[low + 1] * rest, np.float32)


def _paste(whole: Field, part: Field, y: int, x: int) -> None:
    """Put a part in place; what lies outside is left out."""
    y0, x0 = max(0, y), max(0, x)
    y1, x1 = min(whole.shape[0], y + part.shape[0]), min(whole.shape[1], x + part.shape[1])
    if y1 > y0 and x1 > x0:
        whole[y0:y1, x0:x1] = part[y0 - y : y1 - y, x0 - x : x1 - x]
