"""The inside of the mouth: teeth of the portrait where it shows them, drawn ones where it does not.

Drawn once a portrait in the mouth's own coordinates, x from -1 to 1 across and y down in eye distances, in
colours scaled by the skin's brightness; a frame only shifts the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.types import Image, Points
from generation.presenter.puppet.geometry import (
    APERTURE_MAX,
    LOWER_INNER,
    UPPER_INNER,
    Face,
    aperture,
    face_of,
)
from generation.presenter.puppet.lips import JAW_DROP, LOWER_DROP
from generation.presenter.visemes import JAW, LOWER_LIP, PUCKER, TONGUE, UPPER_LIP

Floats = npt.NDArray[np.float32]
CAVITY, UPPER, LOWER, TONGUE_COLOUR = (28, 24, 62), (206, 222, 232), (176, 196, 206), (92, 86, 168)  # BGR
SKIN_POINT, SKIN_LUMINANCE = 205, 190
SKIN_TINT = np.array(
    [0.84, 0.96, 1.20]
)  # B, G, R of skin over their mean, in the light the colours above are for
ENAMEL = 0.5
SEAM_ROW = 0.16  # of the drawing: where the closed lips meet
SHOWN_MIN = 0.06
"""From this aperture on a portrait shows enough of its teeth to use them."""


@dataclass(frozen=True, slots=True)
class _Part:
    """``colour``: (h, w, 3) float32 BGR; ``cover``: (h, w) float32, 0 to 1."""

    colour: Floats
    cover: Floats


@dataclass(frozen=True, slots=True)
class Smile:
    """Another portrait of the same person, whose teeth may be seen: (h, w, 3) uint8 BGR and (468, 2 or 3)."""

    picture: Image
    mesh: Points


class Mouth:
    """The drawing of one portrait's inner mouth."""

    def __init__(self, picture: Image, face: Face, *, opened: float, smile: Smile | None = None) -> None:
        """``smile``: where the teeth are taken from if the portrait shows none."""
        self._unit = face.unit
        width, height = int(face.mouth_width * 1.05), int(face.unit * 0.75)
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.arange(height) / face.unit)
        light = _light(picture, face)
        self._cavity = _cavity(x, y, light)
        self._upper = _upper_teeth(x, y, light, face.unit)
        self._lower, self._tongue = _lower_teeth(x, y, light), _tongue(x, y, light)
        if opened >= SHOWN_MIN:
            self._upper = _own_teeth(picture, face, self._upper)
        elif smile is not None and SHOWN_MIN <= aperture(smile.mesh) <= APERTURE_MAX:
            tall, wide = smile.picture.shape[:2]
            other = face_of(smile.mesh, width=wide, height=tall)
            lent = _own_teeth(smile.picture, other, self._upper, scale=other.unit / face.unit)
            ratio = light / _light(smile.picture, other)
            # enamel takes less of the tint than skin
            relit = lent.colour * (ratio.mean() * (ratio / ratio.mean()) ** ENAMEL)
            self._upper = _Part(np.asarray(relit, np.float32), lent.cover)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self._cavity.shape[1], self._cavity.shape[0]

    @property
    def seam_row(self) -> float:
        """Row of the drawing at which the closed lips meet."""
        return SEAM_ROW * self._unit

    def draw(self, shape: npt.NDArray[np.float64]) -> Floats:
        """(h, w, 3) float32 BGR of one articulation, (7,)."""
        unit, jaw = self._unit, float(shape[JAW])
        drop = unit * (JAW_DROP * jaw + LOWER_DROP * max(float(shape[LOWER_LIP]), 0.0))
        seam = self.seam_row
        raised = 0.16 * unit * float(shape[TONGUE]) * min(1.0, jaw * 2.2)
        out = self._over(self._cavity, self._tongue, seam + drop - 0.20 * unit - raised)
        shown = float(np.clip((jaw - 0.10) / 0.25, 0, 1)) * 0.9
        out = self._over(out, self._lower, seam + drop - 0.135 * unit, shown)
        # rounded lips come forward and hide the teeth
        hidden = 0.075 * max(float(shape[PUCKER]), 0.0)
        up = 0.118 + 0.02 * float(shape[UPPER_LIP]) + hidden
        return self._over(out, self._upper, seam - up * unit)

    def _over(self, below: Floats, part: _Part, down_px: float, gain: float = 1.0) -> Floats:
        shift = np.array([[1, 0, 0], [0, 1, down_px]], np.float32)
        colour = cv2.warpAffine(part.colour, shift, self.size, borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.warpAffine(part.cover, shift, self.size, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(below + (colour - below) * (cover[..., None] * np.float32(gain)), np.float32)


def _light(picture: Image, face: Face) -> Floats:
    """(3,) the light on the face by channel: drawn teeth without the skin's tint look blue on warm skin."""
    x, y = face.points[SKIN_POINT].astype(int)
    patch = picture[max(0, y - 5) : y + 5, max(0, x - 5) : x + 5]
    if not patch.size:
        return np.ones(3, np.float32)
    skin = np.median(patch.reshape(-1, 3), axis=0) + 1
    tint = (skin / skin.mean() / SKIN_TINT) ** 0.85
    return np.asarray(skin.mean() / SKIN_LUMINANCE * np.clip(tint, 0.5, 1.5), np.float32)


def _paint(bgr: Sequence[int], light: Floats, shade: npt.NDArray[np.float64]) -> Floats:
    return np.asarray(np.array(bgr, np.float32) * light * shade[..., None], np.float32)


def _cavity(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], light: Floats) -> Floats:
    shade = (0.55 + 0.45 * np.exp(-(x**2) / 0.6)) * np.clip(0.65 + 0.5 * y / 0.4, 0, 1)
    return _paint(CAVITY, light, shade)


def _between(
    away: npt.NDArray[np.float64], widths: Sequence[float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Left and right edge of the tooth at each place, and its number from the middle."""
    edges = np.cumsum([0.0, *widths]) / 0.80
    number = np.searchsorted(edges, away).clip(1, len(widths)) - 1
    return edges[number], edges[np.minimum(number + 1, len(widths))], number


def _upper_teeth(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], light: Floats, unit: float) -> _Part:
    away = np.abs(x)
    left, right, number = _between(away, (0.19, 0.155, 0.17, 0.16, 0.14))
    edge = np.clip(np.abs(away - (left + right) / 2) / ((right - left) / 2 + 1e-6), 0, 1)
    lengths = np.array([0.148, 0.144, 0.146, 0.138, 0.125])
    bottom = lengths[number] * (1 - 0.10 * away**2) * (1 - 0.045 * edge**4)
    cover = 1 / (1 + np.exp((y - bottom) / 0.006)) * np.clip((0.86 - away) / 0.10, 0, 1)
    gap = np.clip(np.exp(-(((away - left) / 0.012) ** 2)) + np.exp(-(((away - right) / 0.012) ** 2)), 0, 1)
    # darker to the sides, under the lip and between the teeth; a rim at the biting edge lets light through
    shade = (0.90 - 0.46 * away**1.6) * (0.74 + 0.26 * np.clip(y / 0.11, 0, 1)) * (1 - 0.16 * gap)
    shade *= 1 - 0.10 * np.clip((y - bottom + 0.020) / 0.020, 0, 1)
    colour = cv2.GaussianBlur(_paint(UPPER, light, shade), (0, 0), unit * 0.004)
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), unit * 0.005)
    return _Part(np.asarray(colour, np.float32), np.asarray(soft, np.float32))


def _lower_teeth(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], light: Floats) -> _Part:
    away = np.abs(x)
    left, right, _ = _between(away, (0.12, 0.125, 0.14, 0.15))
    edge = np.clip(np.abs(away - (left + right) / 2) / ((right - left) / 2 + 1e-6), 0, 1)
    top = 0.10 + 0.012 * edge**4 + 0.03 * away**2
    cover = 1 / (1 + np.exp(-(y - top) / 0.007)) * np.clip((0.66 - away) / 0.12, 0, 1)
    gap = np.clip(np.exp(-(((away - left) / 0.012) ** 2)) + np.exp(-(((away - right) / 0.012) ** 2)), 0, 1)
    return _Part(_paint(LOWER, light, (0.82 - 0.36 * away**1.6) * (1 - 0.28 * gap)), cover.astype(np.float32))


def _tongue(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], light: Floats) -> _Part:
    cover = 1 / (1 + np.exp(((x / 0.62) ** 2 + ((y - 0.30) / 0.22) ** 2 - 1) / 0.10))
    shade = (0.60 + 0.35 * np.exp(-((x / 0.35) ** 2))) * (0.75 + 0.25 * np.exp(-(((y - 0.20) / 0.10) ** 2)))
    return _Part(_paint(TONGUE_COLOUR, light, shade), cover.astype(np.float32))


def _own_teeth(picture: Image, face: Face, drawn: _Part, *, scale: float = 1.0) -> _Part:
    """The portrait's own upper teeth laid over the drawn ones, straightened to the mouth's axes.

    They are shown through the portrait's own lips, so beyond them the drawn ones go on. ``scale``: pixels of
    the portrait to one of the drawing.
    """
    height, width = drawn.cover.shape
    middle = (face.points[list(UPPER_INNER)].mean(0) + face.points[13]) / 2
    across, down = face.across * scale, face.down * scale
    onto = np.column_stack([across, down, middle - across * width / 2])
    teeth = cv2.warpAffine(
        picture,
        onto,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    ring = np.vstack([face.points[list(UPPER_INNER)], face.points[list(LOWER_INNER)][::-1]])
    hole = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(hole, [np.round(ring * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    inner = cv2.erode(hole, np.ones((3, 3), np.uint8), iterations=max(1, round(face.unit * 0.012)))
    seen = cv2.warpAffine(inner, onto, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    bright = (
        teeth.max(2) > 0.45 * float(np.percentile(teeth[seen > 127], 90))
        if (seen > 127).any()
        else seen > 255
    )
    weight = cv2.GaussianBlur((seen.astype(np.float32) / 255) * bright, (0, 0), max(0.8, face.unit * 0.006))
    both = (weight > 0.5) & (drawn.cover > 0.5)
    match = (teeth[both].mean(0) + 1) / (drawn.colour[both].mean(0) + 1) if both.any() else np.ones(3)
    beyond = drawn.colour * match.astype(np.float32)
    colour = beyond + (teeth - beyond) * weight[..., None]
    return _Part(np.asarray(colour, np.float32), np.maximum(drawn.cover, weight).astype(np.float32))
