"""A portrait's own measures: the distance of the eyes is the unit of every length in the puppet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.engine.types import Points

UPPER_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The lips from corner to corner, eleven points each."""
CHIN = (172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397)
JAW_HINGE = (234, 93, 132, 58, 454, 323, 361, 288)
NOSE = (1, 2, 98, 327, 97, 326, 4, 5, 195, 197, 6, 168, 48, 278, 64, 294)
CHEEKS = (50, 280, 101, 330, 36, 266, 205, 425, 207, 427, 187, 411, 123, 352, 147, 376, 213, 433)
GAPS = ((13, 14), (82, 87), (312, 317))
CORNERS = (61, 291)

Vector = npt.NDArray[np.float64]
"""(2,) or (n, 2) float64, pixels."""
ROI_SIDE, ROI_TOP, ROI_BOTTOM = (
    1.15,
    0.15,
    0.62,
)  # eye distances from the mouth, above the nose, below the chin
SMILE = 0.03
"""From this aperture on the source's inner mouth is cut out: its teeth must not travel with the lips."""
APERTURE_MAX = 0.25
"""Beyond it a portrait's mouth cannot be closed well."""


@dataclass(frozen=True, slots=True)
class Face:
    """Landmarks with the axes of the face; ``across`` and ``down`` are unit vectors in the picture."""

    points: Vector
    unit: float
    across: Vector
    down: Vector
    size_px: tuple[int, int]

    @property
    def seam(self) -> Vector:
        """(11, 2): the middle of the inner lips, corner to corner."""
        return np.asarray((self.points[list(UPPER_INNER)] + self.points[list(LOWER_INNER)]) / 2)

    @property
    def mouth_centre(self) -> Vector:
        """(2,): between the corners."""
        return np.asarray(self.points[list(CORNERS)].mean(0))

    @property
    def mouth_width(self) -> float:
        """Between the corners, pixels."""
        left, right = self.points[list(CORNERS)]
        return float(np.linalg.norm(right - left))

    @property
    def roi(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of what the mouth moves; its size is a multiple of four."""
        (width, height), (x, _) = self.size_px, self.mouth_centre
        x0, x1 = int(max(0, x - ROI_SIDE * self.unit)), int(min(width, x + ROI_SIDE * self.unit))
        y0 = int(max(0, self.points[4, 1] - ROI_TOP * self.unit))
        y1 = int(min(height, self.points[152, 1] + ROI_BOTTOM * self.unit))
        return x0, y0, x0 + (x1 - x0) // 4 * 4, y0 + (y1 - y0) // 4 * 4

    def place(self, point: Vector) -> tuple[float, float]:
        """u from -1 to 1 across the mouth, v down from it in eye distances."""
        away = point - self.mouth_centre
        return float(away @ self.across / (self.mouth_width / 2)), float(away @ self.down / self.unit)


def face_of(mesh: Points, *, width: int, height: int) -> Face:
    """The measures of a portrait; ``mesh``: (468, 2 or 3) pixels."""
    points = np.asarray(mesh[:, :2], np.float64)
    left, right = eye_centres(points)
    unit = float(np.linalg.norm(right - left))
    across = (right - left) / unit
    return Face(points, unit, across, np.array([-across[1], across[0]]), (width, height))


def eye_centres(points: Vector) -> tuple[Vector, Vector]:
    """The middles of both eyes, left of the picture first."""
    return points[[33, 133]].mean(0), points[[362, 263]].mean(0)


def aperture(mesh: Points) -> float:
    """How far the inner lips are apart, in eye distances."""
    points = np.asarray(mesh[:, :2], np.float64)
    left, right = eye_centres(points)
    gaps = [float(np.linalg.norm(points[a] - points[b])) for a, b in GAPS]
    return float(np.mean(gaps) / np.linalg.norm(right - left))
