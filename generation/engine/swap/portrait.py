"""The source face, made ready once: cropped, at several sizes, with what of it may be transplanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import BROWS, CHEEKS, EYES, FOREHEAD, INNER_LIP, OUTER_LIP, OVAL
from generation.engine.swap.draw import hulls, odd, polygon, square
from generation.engine.types import Image, Plane, Points

_MARGIN = 0.25
_LARGEST_FACE = 512.0
_CONFIDENT = 5.5  # robust deviations from the cheeks' chroma
_DARK = 2.2  # robust deviations below the cheeks
_LIP_INSET = 0.35  # a smiling portrait's teeth stay out of the lips' texture
PROTECTED = (*EYES, OUTER_LIP, *BROWS)


@dataclass(frozen=True, slots=True)
class Level:
    """The portrait at one size; ``mesh``: (468, 2) where to read it; ``confidence``: (h, w) uint8."""

    picture: Image
    mesh: Points
    confidence: Plane
    face_width: float


@dataclass(frozen=True, slots=True)
class SourceFace:
    """A portrait as the swap reads it; ``mesh``: (468, 3) of the whole portrait, for its shape.

    ``corner``: x, y of the largest level in it.
    """

    mesh: Points
    levels: tuple[Level, ...]
    corner: tuple[int, int]

    def level_for(self, face_width: float) -> Level:
        """The smallest level that is not smaller than the face it is drawn onto."""
        large = [level for level in self.levels if level.face_width >= face_width * 0.9]
        return large[-1] if large else self.levels[0]


def prepare(portrait: Image, mesh: Points) -> SourceFace:
    """Make a portrait ready; one larger than any use is made smaller first."""
    excess = face_width(mesh) / _LARGEST_FACE
    if excess > 1:
        size = max(1, round(portrait.shape[1] / excess)), max(1, round(portrait.shape[0] / excess))
        portrait = cv2.resize(portrait, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        mesh = (mesh / np.float32(excess)).astype(np.float32)
    low = np.maximum(mesh[:, :2].min(0), 0)
    high = np.minimum(mesh[:, :2].max(0), portrait.shape[1::-1])
    pad = _MARGIN * float((high - low).max())
    x0, y0 = np.maximum(0, np.floor(low - pad)).astype(int)
    x1, y1 = np.minimum(portrait.shape[1::-1], np.ceil(high + pad)).astype(int)
    picture = np.ascontiguousarray(portrait[y0:y1, x0:x1])
    local = _without_teeth(mesh[:, :2] - np.array([x0, y0], np.float32))
    confidence = source_confidence(picture, local)
    levels = [Level(picture, local, confidence, face_width(local))]
    while levels[-1].face_width > 96:
        levels.append(_half(levels[-1]))
    return SourceFace(mesh.astype(np.float32), tuple(levels), (int(x0), int(y0)))


def face_width(mesh: Points) -> float:
    """Width of the face oval."""
    return float(np.ptp(mesh[list(OVAL), 0]))


def source_confidence(picture: Image, mesh: Points) -> Plane:
    """255 where the portrait shows skin or features; fringe, glasses and their shadows are left out."""
    shape, width = picture.shape[:2], face_width(mesh)
    side = odd(width * 0.05)
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    protected = cv2.dilate(hulls(shape, mesh, PROTECTED), square(side)) > 0
    skin = (hulls(shape, mesh, [CHEEKS]) > 0) & ~protected
    inside = polygon(shape, mesh[list(OVAL), :2])
    if not skin.any():
        return inside
    deviation = _deviation(lab.astype(np.float32, copy=False), skin)
    odd_ones = ((deviation > _CONFIDENT) & ~protected).astype(np.uint8)
    opened = cv2.morphologyEx(odd_ones, cv2.MORPH_OPEN, square(odd(side // 2)))
    inside[cv2.dilate(opened, square(side)) > 0] = 0
    inside[_fringe(lab[..., 0], skin, mesh, side) > 0] = 0
    return cv2.GaussianBlur(inside, (0, 0), max(0.5, width * 0.02)).astype(np.uint8, copy=False)


def _fringe(lightness: npt.NDArray[Any], skin: npt.NDArray[np.bool_], mesh: Points, side: int) -> Plane:
    """255 where hair falls over the forehead, and above it: darker than the cheeks by far."""
    middle = float(np.median(lightness[skin]))
    spread = max(7.0, float(np.median(np.abs(lightness[skin] - middle))) * 1.48)
    forehead = polygon(lightness.shape[:2], mesh[list(FOREHEAD), :2]) > 0
    dark = ((lightness < middle - _DARK * spread) & forehead).astype(np.uint8)
    opened = cv2.morphologyEx(dark, cv2.MORPH_OPEN, square(odd(side // 2)))
    hair = cv2.dilate(opened, square(side))
    above = np.maximum.accumulate(hair[::-1], axis=0)[::-1]
    covered: Plane = (above * forehead * 255).astype(np.uint8)
    return covered


def _deviation(lab: npt.NDArray[np.float32], skin: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """How far each pixel is from the skin, in robust deviations; darkness counts half, brightness not."""
    values = lab[skin]
    middle = np.median(values, axis=0)
    spread = np.maximum(np.median(np.abs(values - middle), axis=0) * 1.48, [7, 2.5, 2.5])
    off = (lab - middle) / spread
    far: npt.NDArray[np.float32] = np.sqrt(
        (off[..., 1:] ** 2).sum(2) + 0.25 * np.minimum(off[..., 0], 0) ** 2
    ).astype(np.float32)
    return far


def _without_teeth(mesh: Points) -> Points:
    """The inner lip line, drawn a little into the lips."""
    inner, outer = list(INNER_LIP), list(OUTER_LIP)
    read = mesh.astype(np.float32, copy=True)
    read[inner] += _LIP_INSET * (read[outer] - read[inner])
    return read


def _half(level: Level) -> Level:
    size = max(1, level.picture.shape[1] // 2), max(1, level.picture.shape[0] // 2)
    ratio = np.array([size[0] / level.picture.shape[1], size[1] / level.picture.shape[0]], np.float32)
    picture = cv2.resize(level.picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    confidence = cv2.resize(level.confidence, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    mesh = ((level.mesh + 0.5) * ratio - 0.5).astype(np.float32)
    return Level(picture, mesh, confidence, level.face_width * float(ratio[0]))
