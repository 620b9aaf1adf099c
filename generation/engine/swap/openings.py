"""Eyes and mouth: what is seen between lids and lips stays the target's, so gaze, speech and teeth do too."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import EYES, INNER_LIP
from generation.engine.swap.draw import polygon
from generation.engine.types import Image, Points

Floats = npt.NDArray[np.float32]

OPENINGS = (*EYES, INNER_LIP)
_SOFT = 0.008  # face widths


Rings = Sequence[Sequence[int]]


def keep(
    front: Image, back: Image, *, mesh: Points, moved: Points, width: float, rings: Rings = OPENINGS
) -> None:
    """Copy each opening of the target into the new face, in place, moved with the lids and lips.

    ``mesh``: the target's landmarks; ``moved``: where the new face has them; both in pixels of the pictures.
    """
    height, across = front.shape[:2]
    for opening in rings:
        ring = list(opening)
        low = np.maximum(np.floor(moved[ring].min(0)) - 4, 0).astype(int)
        high = np.minimum(np.ceil(moved[ring].max(0)) + 5, [across, height]).astype(int)
        if (high - low).min() < 2:
            continue
        size = int(high[0] - low[0]), int(high[1] - low[1])
        shift = (mesh[ring] - moved[ring]).mean(0) + low
        onto = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32)
        own = cv2.warpAffine(
            back, onto, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
        )
        part = front[low[1] : high[1], low[0] : high[0]]
        weight = soft_polygon((size[1], size[0]), moved[ring] - low.astype(np.float32), width)[..., None]
        part[:] = np.rint(part + (own.astype(np.float32) - part) * weight).astype(np.uint8)


def openings_mask(shape: tuple[int, int], moved: Points, width: float, *, rings: Rings = OPENINGS) -> Floats:
    """(h, w) float32, 1 inside the openings."""
    mask = np.zeros(shape, np.float32)
    for opening in rings:
        mask = np.maximum(mask, soft_polygon(shape, moved[list(opening)], width))
    return mask


def soft_polygon(shape: tuple[int, int], ring: Points, width: float) -> Floats:
    """(h, w) float32 0..1: inside a ring of points, soft at the edge."""
    plane = polygon(shape, ring).astype(np.float32) / np.float32(255)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(0.6, width * _SOFT)), np.float32)
