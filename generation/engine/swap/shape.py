"""The source's face shape in the target's pose and expression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from generation.engine.faces.pose import rigid3d
from generation.engine.faces.topology import EYES, INNER_LIP, OUTER_LIP, OVAL, RIGID, Triangles
from generation.engine.types import Points

_SMOOTHINGS = 6


class ShapeTransfer:
    """Moves a source's proportions onto target landmarks.

    The oval stays the target's; each eye and the mouth shift as one piece, so blinks, gaze and lip-sync stay
    the target's; the rest follows smoothly.
    """

    def __init__(self, source: Points, triangles: Triangles, *, strength: float) -> None:
        self._source = source.astype(np.float64)
        self._strength = strength
        near: list[set[int]] = [set() for _ in range(len(source))]
        for triangle in triangles.tolist():
            for point in triangle:
                near[point] |= set(triangle) - {point}
        self._mean_of_neighbours = _umbrella(near)
        self._eyes = [_ring(EYES[0], near, 2), _ring(EYES[1], near, 2)]
        self._mouth = _ring(INNER_LIP + OUTER_LIP, near, 1)

    def fit(self, target: Points) -> tuple[Points, float]:
        """(468, 2) where the source's points go, and the yaw in degrees between portrait and target."""
        return self._fit(target, [*self._eyes, self._mouth])

    def fit_still(self, target: Points) -> tuple[Points, float]:
        """As ``fit``, with eyes of the source's own shape: in a still nobody blinks."""
        return self._fit(target, [self._mouth])

    def _fit(self, target: Points, pieces: list[list[int]]) -> tuple[Points, float]:
        rigid = list(RIGID)
        pose = rigid3d(self._source[rigid], target[rigid])
        moved = pose.scale * self._source @ pose.rotation.T + pose.shift
        shift = (moved - target)[:, :2].astype(np.float32)
        shift[list(OVAL)] = 0
        fixed = np.zeros((len(shift), 1), bool)
        fixed[list(OVAL)] = True
        for piece in pieces:
            shift[piece] = shift[piece].mean(0)
            fixed[piece] = True
        smooth = shift.copy()
        for _ in range(_SMOOTHINGS):
            smooth = np.where(fixed, shift, 0.5 * smooth + 0.5 * (self._mean_of_neighbours @ smooth))
        fitted: Points = (target[:, :2] + self._strength * smooth).astype(np.float32)
        return fitted, pose.yaw_deg


def _umbrella(near: list[set[int]]) -> npt.NDArray[np.float32]:
    """The umbrella operator: each row is the mean of a point's neighbours."""
    rows = np.zeros((len(near), len(near)), np.float32)
    for point, neighbours in enumerate(near):
        rows[point, list(neighbours)] = 1 / max(1, len(neighbours))
    return rows


def _ring(points: tuple[int, ...], near: list[set[int]], steps: int) -> list[int]:
    reached = set(points)
    for _ in range(steps):
        reached |= {neighbour for point in list(reached) for neighbour in near[point]}
    return sorted(reached)
