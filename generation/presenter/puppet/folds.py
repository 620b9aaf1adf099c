"""Cheeks of a spread mouth: the folds from nose to corners deepen, and the cheek beside them catches light.

A warp moves skin but casts no shadow, and a grin without folds looks painted on.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.types import Image
from generation.presenter.puppet.geometry import Face

PATHS = ((129, 203, 206, 216), (358, 423, 426, 436))
"""From the nose's wing past the corner of the mouth, on either side."""
DEEP, LIGHT = 0.17, 0.05  # of the light, with the mouth at its widest
WIDTH, BESIDE = 0.030, 0.11  # eye distances: of a fold, and from it to the middle of the cheek's light
ALONG = 0.035  # eye distances that a spread mouth pushes the fold outwards
SEEN = 0.03

Floats = npt.NDArray[np.float32]


class Folds:
    """Both folds of one portrait; works on the region of the mouth."""

    def __init__(self, face: Face) -> None:
        self._parts = [_part(face, path, side) for path, side in zip(PATHS, (-1, 1), strict=True)]

    def shade(self, mouth: Image, wide: float) -> None:
        """Shade the region of the mouth in place; ``wide`` 0 to 1, less does nothing."""
        if wide <= SEEN:
            return
        for rows, columns, depth in self._parts:
            part = mouth[rows, columns]
            shade = (1 - np.float32(min(wide, 1.0)) * depth)[..., None]
            part[:] = np.clip(part * shade + 0.5, 0, 255).astype(np.uint8)


def _part(face: Face, path: tuple[int, ...], side: int) -> tuple[slice, slice, Floats]:
    """Rows and columns of the region, and by how much of its light each pixel darkens there."""
    x0, y0, x1, y1 = face.roi
    points = face.points[list(path)] + face.across * side * ALONG * face.unit - [x0, y0]
    pad = 2.4 * BESIDE * face.unit
    low = np.maximum(np.floor(points.min(0) - pad).astype(int), 0)
    high = np.minimum(np.ceil(points.max(0) + pad).astype(int), [x1 - x0, y1 - y0])
    size = (max(1, int(high[1] - low[1])), max(1, int(high[0] - low[0])))
    fold = _soft_line(points - low, size, WIDTH * face.unit)
    cheek = _soft_line(points - low + face.across * side * BESIDE * face.unit, size, 1.8 * WIDTH * face.unit)
    depth = DEEP * fold - LIGHT * cheek
    # nothing reaches the part's edge, or it would show
    for axis, count in enumerate(size):
        ramp = np.clip(np.minimum(np.arange(count), np.arange(count)[::-1]) / (0.12 * count + 1), 0, 1)
        depth = depth * (ramp[:, None] if axis == 0 else ramp[None])
    return slice(low[1], low[1] + size[0]), slice(low[0], low[0] + size[1]), depth.astype(np.float32)


def _soft_line(points: npt.NDArray[np.float64], size: tuple[int, int], sigma: float) -> Floats:
    """(h, w) 0 to 1: a line that is strongest in its middle and fades to its ends."""
    line = np.zeros(size, np.float32)
    ends = [np.round(each).astype(int).tolist() for each in points]
    for strength, one, other in zip((0.55, 1.0, 0.6), ends[:-1], ends[1:], strict=True):
        cv2.line(line, one, other, strength, 2)
    soft = cv2.GaussianBlur(line, (0, 0), max(1.0, sigma))
    return np.asarray(soft / max(float(soft.max()), 1e-6), np.float32)
