"""Eyes that do not stare: what is seen between the lids shifts by a pixel or two.

Eyes that never move look dead; they move by less than 2 degrees while one speaks to somebody.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import EYES
from generation.engine.types import Image
from generation.presenter.puppet.geometry import Face

Floats = npt.NDArray[np.float32]
EYEBALL = 12 / 63
"""An eyeball's radius over the distance of the pupils, in people's eyes."""
SOFT = 0.012  # eye distances
SEEN_DEG = 0.05


@dataclass(frozen=True, slots=True)
class _Eye:
    """``inside``: (h, w) 0 to 1, what lies between the lids."""

    box: tuple[int, int, int, int]
    still: Image
    inside: Floats


class Gaze:
    """Both eyes of one portrait."""

    def __init__(self, picture: Image, face: Face) -> None:
        self._eyes = [_eye(picture, face, ring) for ring in EYES]
        self._pixels = np.radians(1.0) * EYEBALL * face.unit
        self._axes = face.across, face.down

    def look(self, picture: Image, right_deg: float, down_deg: float) -> None:
        """Turn the eyes of a picture in place; right as it is seen, 0 leaves them as they are."""
        if max(abs(right_deg), abs(down_deg)) < SEEN_DEG:
            return
        across, down = self._axes
        by = self._pixels * (right_deg * across + down_deg * down)
        shift = np.array([[1, 0, by[0]], [0, 1, by[1]]], np.float32)
        for eye in self._eyes:
            x0, y0, x1, y1 = eye.box
            part = picture[y0:y1, x0:x1, :3]
            moved = cv2.warpAffine(eye.still, shift, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
            mixed = part + (moved.astype(np.float32) - part) * eye.inside[..., None]
            part[:] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _eye(picture: Image, face: Face, ring: tuple[int, ...]) -> _Eye:
    points, pad = face.points[list(ring)], 4 * SOFT * face.unit
    x0, y0 = np.maximum(np.floor(points.min(0) - pad).astype(int), 0)
    high = np.ceil(points.max(0) + pad).astype(int)
    x1, y1 = min(int(high[0]), picture.shape[1]), min(int(high[1]), picture.shape[0])
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [np.round((points - [x0, y0]) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(inside.astype(np.float32) / 255, (0, 0), max(0.6, SOFT * face.unit))
    still = np.ascontiguousarray(picture[y0:y1, x0:x1, :3])
    return _Eye((int(x0), int(y0), x1, y1), still, np.asarray(soft, np.float32))
