"""One backward map from the target's pixels to the portrait's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import Triangles, mouth
from generation.engine.swap.draw import fixed_point
from generation.engine.types import Image, Points

Floats = npt.NDArray[np.float32]

_MOST_STRETCH = 3.5
_MOUTH = mouth()


@dataclass(frozen=True, slots=True)
class Warp:
    """``where``: (h, w, 2) float32 portrait coordinates, far outside where there is none;
    ``inside``: (h, w) bool; ``trust``: (h, w) float32 0..1, low where triangles are stretched.
    """

    where: Floats
    inside: npt.NDArray[np.bool_]
    trust: Floats


def signed_areas(points: Points, triangles: Triangles) -> Floats:
    """Twice the area of each triangle; the sign is the side that it shows."""
    a, b, c = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
    areas: Floats = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return areas


def backward(target: Points, source: Points, triangles: Triangles, shape: tuple[int, int]) -> Warp:
    """Where each pixel of a picture of ``shape`` comes from; both meshes (468, 2), pixels of their pictures.

    Triangles are drawn as numbers into one picture and their affine maps gathered from it: one remap for a
    face, not nine hundred.
    """
    closed = np.vstack([triangles, _MOUTH])
    areas = signed_areas(target, closed)
    drawn = _draw(target, closed, areas, shape)
    rows, columns = np.nonzero(drawn >= 0)
    number = drawn[rows, columns]
    affine = _affine(target, source, closed, areas)[number]
    where = np.full((*shape, 2), -1e4, np.float32)
    where[rows, columns] = columns[:, None] * affine[:, 0] + rows[:, None] * affine[:, 1] + affine[:, 2]
    trust = np.zeros(shape, np.float32)
    trust[rows, columns] = _trust(target, source, triangles)[closed].mean(1)[number]
    return Warp(where, drawn >= 0, trust)


def read(picture: Image, where: Floats, *, border: int) -> Image:
    """The picture's values where a map points; beyond its edge as ``border`` (an OpenCV border type) says."""
    taken = cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload] # a map of pairs needs no second one; an empty array is misread
    return np.asarray(taken, np.uint8)


def _draw(
    target: Points, triangles: Triangles, areas: Floats, shape: tuple[int, int]
) -> npt.NDArray[np.int32]:
    drawn = np.full(shape, -1, np.int32)
    corners = fixed_point(target)[triangles]
    facing = areas * np.sign(np.median(areas)) > 0.05
    for number in np.nonzero(facing)[0].tolist():
        cv2.fillConvexPoly(drawn, corners[number], number, cv2.LINE_8, 4)
    return drawn


def _affine(target: Points, source: Points, triangles: Triangles, areas: Floats) -> Floats:
    """(n, 3, 2): x, y, 1 of the target times this gives the portrait's x, y."""
    safe = np.where(np.abs(areas) > 0.05, areas, 1.0)[:, None]
    a, b, c = (target[triangles[:, corner]] for corner in range(3))
    p, q, r = (source[triangles[:, corner]] for corner in range(3))
    e1, e2, d1, d2 = b - a, c - a, q - p, r - p
    by_x = (d1 * e2[:, 1:] - d2 * e1[:, 1:]) / safe
    by_y = (d2 * e1[:, :1] - d1 * e2[:, :1]) / safe
    origin = p - by_x * a[:, :1] - by_y * a[:, 1:]
    return np.stack([by_x, by_y, origin], 1).astype(np.float32)


def _trust(target: Points, source: Points, triangles: Triangles) -> Floats:
    """0..1 for each point: it fades where its triangles are stretched to 1.75 to 3.5 times the median."""
    stretch = np.abs(signed_areas(target, triangles)) / (np.abs(signed_areas(source, triangles)) + 1e-3)
    fade = (_MOST_STRETCH - stretch / max(float(np.median(stretch)), 1e-6)) / (_MOST_STRETCH * 0.5)
    fade = np.clip(fade, 0, 1)
    points = int(triangles.max()) + 1
    total = sum(np.bincount(triangles[:, corner], fade, points) for corner in range(3))
    return np.asarray(total / np.maximum(1, np.bincount(triangles.ravel(), minlength=points)), np.float32)
