"""Polygons of landmarks as masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.types import Plane, Points

_SHIFT = 4  # coordinates in sixteenths of a pixel


def fixed_point(points: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """Points in sixteenths of a pixel, as OpenCV draws them with shift 4."""
    return np.round(points * (1 << _SHIFT)).astype(np.int32)


def polygon(shape: tuple[int, int], points: Points) -> Plane:
    """(h, w) uint8, 255 inside, smooth at the edge."""
    plane = np.zeros(shape, np.uint8)
    cv2.fillPoly(plane, [fixed_point(points)], 255, cv2.LINE_AA, _SHIFT)
    return plane


def hulls(shape: tuple[int, int], mesh: Points, groups: Iterable[Sequence[int]]) -> Plane:
    """(h, w) uint8, 255 inside the convex hull of any group of landmarks."""
    plane = np.zeros(shape, np.uint8)
    for group in groups:
        hull = cv2.convexHull(mesh[list(group), :2]).reshape(-1, 2)
        cv2.fillConvexPoly(plane, fixed_point(hull), 255, cv2.LINE_AA, _SHIFT)
    return plane


def square(side: int) -> Plane:
    """A structuring element."""
    return np.ones((side, side), np.uint8)


def odd(length: float) -> int:
    """The nearest odd size from 3 up."""
    return max(3, int(length)) | 1
