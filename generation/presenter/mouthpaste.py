"""A generated mouth put back: inside the mouth's mask alone, and in the colours of the person's own lips."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.pose import Matrix, similarity2d
from generation.engine.faces.topology import BROWS, OUTER_LIP
from generation.engine.types import Image, Points
from generation.presenter.puppet.geometry import CHIN, face_of

Floats = npt.NDArray[np.float32]

_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_FFHQ = np.array(
    [
        (0.37691676, 0.46864664),
        (0.62285697, 0.46912813),
        (0.50123859, 0.61331904),
        (0.39308822, 0.72541100),
        (0.61150205, 0.72490465),
    ]
)
"""Eyes, nose and mouth corners in a crop aligned as FFHQ's faces are (Karras et al. 2019), of its side."""
GROWN = 1.45
"""The mask over the lips' outline: a mouth that opens needs this much skin around it."""
TO_CHIN = 0.72  # of the way from the lower lip to the chin
SOFT = 0.05  # eye distances
SHIFT_MAX = 40.0
"""Levels; a network whose colours are further off is of no use."""


def box_crop(mesh: Points, side: int) -> Matrix:
    """(2, 3) from the frame to a square: the upright box from brows to chin, stretched to the square."""
    points = np.asarray(mesh[:, :2], np.float64)
    face = face_of(mesh, width=1, height=1)
    turn = np.stack([face.across, face.down])
    placed = points[[*_JAW, *BROWS[0], *BROWS[1]]] @ turn.T
    low, high = placed.min(0), placed.max(0)
    scale = np.diag(side / (high - low))
    return np.column_stack([scale @ turn, -scale @ low])


def aligned_crop(mesh: Points, side: int) -> Matrix:
    """(2, 3) from the frame to a square in which eyes, nose and mouth lie as in FFHQ's faces."""
    points = np.asarray(mesh[:, :2], np.float64)
    five = [points[[33, 133]].mean(0), points[[362, 263]].mean(0), points[4], points[61], points[291]]
    return similarity2d(np.array(five), _FFHQ * side)


def crop(picture: Image, into: Matrix, side: int) -> Image:
    """(side, side, 3) uint8 of the frame."""
    shrinks = abs(float(np.linalg.det(into[:, :2]))) ** 0.5
    soft = picture if shrinks >= 0.5 else cv2.GaussianBlur(picture, (0, 0), 0.4 / shrinks)
    return np.asarray(cv2.warpAffine(soft, into, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)


@dataclass(frozen=True, slots=True)
class Tint:
    """What is added to a network's colours, BGR levels, so that they are the person's."""

    skin: Floats
    lips: Floats


@dataclass(frozen=True, slots=True)
class _Region:
    """The part of the frame that a mouth can reach, and its masks, (h, w) float32 0 to 1."""

    box: tuple[int, int, int, int]
    mouth: Floats
    lips: Floats


def paste(
    picture: Image, made: Image, into: Matrix, mesh: Points, *, tint: Tint, weight: float = 1.0
) -> None:
    """Put a generated face's mouth into a frame, in place; ``weight`` 0 leaves the frame as it is."""
    region = _region(mesh, picture.shape[1], picture.shape[0])
    if weight <= 0 or region is None:
        return
    x0, y0, x1, y1 = region.box
    shown = _back(made, into, region.box)
    shown += tint.skin + (tint.lips - tint.skin) * region.lips[..., None]
    part = picture[y0:y1, x0:x1]
    share = region.mouth[..., None] * np.float32(weight)
    part[:] = np.clip(part + (shown - part) * share + 0.5, 0, 255).astype(np.uint8)


def tint_of(picture: Image, made: Image, into: Matrix, mesh: Points) -> Tint:
    """How a network's colours differ from the person's, seen on closed lips."""
    region = _region(mesh, picture.shape[1], picture.shape[0])
    if region is None:
        return Tint(np.zeros(3, np.float32), np.zeros(3, np.float32))
    x0, y0, x1, y1 = region.box
    off = picture[y0:y1, x0:x1].astype(np.float32) - _back(made, into, region.box)
    return Tint(_mean(off, region.mouth * (1 - region.lips)), _mean(off, region.mouth * region.lips))


def _mean(off: Floats, weight: Floats) -> Floats:
    total = max(float(weight.sum()), 1.0)
    found = (off * weight[..., None]).sum((0, 1)) / total
    return np.asarray(np.clip(found, -SHIFT_MAX, SHIFT_MAX), np.float32)


def _back(made: Image, into: Matrix, box: tuple[int, int, int, int]) -> Floats:
    """(h, w, 3) float32: what a generated face shows in a box of the frame."""
    x0, y0, x1, y1 = box
    placed = np.column_stack([into[:, :2], into[:, :2] @ (x0, y0) + into[:, 2]])
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(made, placed, (x1 - x0, y1 - y0), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def _region(mesh: Points, width: int, height: int) -> _Region | None:
    face = face_of(mesh, width=width, height=height)
    ring = face.points[list(OUTER_LIP)]
    chin = face.points[17] + (face.points[152] - face.points[17]) * TO_CHIN
    sides = face.mouth_centre + (face.points[[CHIN[2], CHIN[-3]]] - face.mouth_centre) * TO_CHIN
    grown = face.mouth_centre + (ring - face.mouth_centre) * GROWN
    outline = np.vstack([grown, chin, sides])
    pad = 3 * SOFT * face.unit
    low = np.clip(np.floor(outline.min(0) - pad), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(outline.max(0) + pad), 0, (width, height)).astype(int)
    if (high - low < 4).any():
        return None
    size = int(high[0] - low[0]), int(high[1] - low[1])
    mouth = _soft(cv2.convexHull((outline - low).astype(np.float32)), size, SOFT * face.unit)
    lips = _soft((face.mouth_centre + (ring - face.mouth_centre) * 1.08 - low), size, SOFT / 3 * face.unit)
    return _Region((int(low[0]), int(low[1]), int(high[0]), int(high[1])), mouth, lips)


def _soft(outline: npt.ArrayLike, size: tuple[int, int], sigma: float) -> Floats:
    """1 inside an outline, easing to 0 before it: nothing is drawn beyond."""
    mask = np.zeros(size[::-1], np.uint8)
    points = np.round(np.asarray(outline, np.float64).reshape(-1, 2) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(0.8, sigma))
    return np.asarray(np.clip(soft * 2 - 1, 0, 1), np.float32)
