"""Fit one set of points onto another, and read a head's pose from its landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.engine.types import Points

Matrix = npt.NDArray[np.float64]

_LEFT_SIDE, _RIGHT_SIDE = 234, 454
_FOREHEAD, _CHIN = 10, 152


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees; all zero when the head looks straight into an upright camera.

    ``yaw_deg`` > 0: turned to the picture's right; ``pitch_deg`` > 0: looking down; ``roll_deg`` > 0: tilted
    clockwise.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class Rigid:
    """A similarity in space: ``scale * rotation @ p + shift``."""

    scale: float
    rotation: Matrix
    shift: Matrix

    def apply(self, points: Points) -> Points:
        """(n, 3) points, moved."""
        moved: Points = (self.scale * points @ self.rotation.T + self.shift).astype(np.float32)
        return moved

    @property
    def yaw_deg(self) -> float:
        """How far it turns about the vertical axis."""
        return float(np.degrees(np.arcsin(np.clip(self.rotation[0, 2], -1, 1))))


def similarity2d(source: npt.ArrayLike, target: npt.ArrayLike) -> Matrix:
    """(2, 3) least-squares similarity from source to target points (Umeyama 1991)."""
    moved, mean_source, mean_target, scale = _procrustes(source, target)
    return np.hstack([scale * moved, (mean_target - scale * moved @ mean_source)[:, None]])


def rigid3d(source: npt.ArrayLike, target: npt.ArrayLike) -> Rigid:
    """Least-squares similarity in space from source to target points (Umeyama 1991)."""
    rotation, mean_source, mean_target, scale = _procrustes(source, target)
    return Rigid(scale, rotation, mean_target - scale * rotation @ mean_source)


def head_pose(mesh: Points) -> Pose:
    """The head's pose from the axes through its sides and from forehead to chin."""
    across = (mesh[_RIGHT_SIDE] - mesh[_LEFT_SIDE]).astype(float)
    down = (mesh[_CHIN] - mesh[_FOREHEAD]).astype(float)
    yaw = np.degrees(np.arctan2(across[2], np.hypot(across[0], across[1])))
    pitch = np.degrees(np.arctan2(down[2], np.hypot(down[0], down[1])))
    roll = np.degrees(np.arctan2(across[1], across[0]))
    return Pose(float(yaw), float(pitch), float(roll))


def _procrustes(source: npt.ArrayLike, target: npt.ArrayLike) -> tuple[Matrix, Matrix, Matrix, float]:
    """Rotation, both means, scale."""
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    mean_a, mean_b = a.mean(0), b.mean(0)
    centred = a - mean_a
    left, weights, right = np.linalg.svd((b - mean_b).T @ centred)
    signs = np.ones(a.shape[1])
    signs[-1] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    rotation = left @ np.diag(signs) @ right
    scale = float((weights * signs).sum() / max((centred**2).sum(), 1e-12))
    return rotation, mean_a, mean_b, scale
