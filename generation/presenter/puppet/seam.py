"""Where closed lips really meet: the darkest line between them, which landmarks miss by a few pixels.

A layer that ends beside that line takes a strip of the other lip along, which shows as the mouth opens.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.types import Image
from generation.presenter.puppet.geometry import LOWER_INNER, UPPER_INNER, Face

REACH = 0.045
"""Eye distances above and below the landmarks' line."""
STRAY = 12.0  # grey levels that a place at the end of the reach must be darker by, to be believed
BEND = 6.0  # grey levels a step up or down costs

Floats = npt.NDArray[np.float32]


def on_seam(picture: Image, face: Face) -> Face:
    """The face with the inner lips on the seam that the picture shows; for lips that are closed."""
    seam = face.seam
    along = np.linspace(0, 1, max(24, int(face.mouth_width)))
    parts = np.linspace(0, 1, len(seam))
    line = np.stack([np.interp(along, parts, seam[:, axis]) for axis in (0, 1)], 1)
    offsets = np.arange(-REACH * face.unit, REACH * face.unit + 0.5, 0.5)
    places = line[:, None] + offsets[None, :, None] * face.down
    luma = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (0, 0), max(0.6, face.unit / 200))
    x, y = (np.ascontiguousarray(places[..., axis], np.float32) for axis in (0, 1))
    read = np.asarray(cv2.remap(luma.astype(np.float32), x, y, cv2.INTER_LINEAR), np.float32)
    cost = read + STRAY * (offsets / (REACH * face.unit)) ** 2
    found = offsets[_cheapest(cost)]
    smooth = np.convolve(np.pad(found, 6, "edge"), np.hanning(15)[1:-1] / np.hanning(15).sum(), "valid")
    moved = np.interp(parts, along, smooth)[:, None] * face.down
    points = face.points.copy()
    for ring in (UPPER_INNER, LOWER_INNER):
        points[list(ring)] = seam + moved
    return replace(face, points=points)


def _cheapest(cost: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
    """(n,) the column in each row of the cheapest path down, which turns by at most one a row."""
    count, width = cost.shape
    total, came = cost[0].astype(np.float64), np.zeros((count, width), np.intp)
    for row in range(1, count):
        padded = np.pad(total, 1, constant_values=np.inf)
        steps = np.stack([padded[:-2] + BEND, padded[1:-1], padded[2:] + BEND])
        chosen = steps.argmin(0)
        came[row] = np.arange(width) + chosen - 1
        total = cost[row] + steps.min(0)
    path = np.empty(count, np.intp)
    path[-1] = total.argmin()
    for row in range(count - 1, 0, -1):
        path[row - 1] = came[row, path[row]]
    return path
