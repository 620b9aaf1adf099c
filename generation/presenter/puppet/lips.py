"""How far each point of the face goes for each articulation: the puppet's muscles.

Seven fields a layer: jaw, wide, pucker, upper lip, lower lip, press, and a constant one that brings the lips
of a smiling portrait together. Lengths are in eye distances; ``a`` is 1 in the middle of the mouth and 0 at
its corners. The numbers were found by eye and by measuring the result with a landmark network; a jaw of .42
looked monstrous.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.presenter.puppet.fields import Field, coarse_grid, pinned, thin_plate
from generation.presenter.puppet.geometry import (
    CHEEKS,
    CHIN,
    JAW_HINGE,
    LOWER_INNER,
    LOWER_OUTER,
    NOSE,
    UPPER_INNER,
    UPPER_OUTER,
    Face,
    Vector,
)

COUNT = 7
JAW_DROP, UPPER_RAISE, LOWER_DROP = 0.27, 0.075, 0.10
WIDEN, PUCKER = 0.075, 0.100
OFF_TEETH, OVERLAP = 0.012, 0.006
"""In a smiling portrait each layer ends so far inside its lip, and the closed lips overlap so much."""
CORNERS_IN = 0.05
"""A closed smile is narrower than an open one."""

Moves = npt.NDArray[np.float64]
"""(7, 2) pixels for each articulation at its full value."""
_Rule = Callable[[Vector, str], Moves]


@dataclass(frozen=True, slots=True)
class Lips:
    """Fields of both layers, and the edges (11, 2) at which they end."""

    upper: Field
    lower: Field
    upper_edge: Vector
    lower_edge: Vector
    grid: Field


def lips_of(face: Face, *, cut: bool) -> Lips:
    """The fields of a face; ``cut``: the source's inner mouth is left out, its lips are brought together."""
    x0, y0, x1, y1 = face.roi
    grid, seam, inside = coarse_grid(x1 - x0, y1 - y0), face.seam, OFF_TEETH * face.unit
    upper = face.points[list(UPPER_INNER)] - face.down * inside if cut else seam
    lower = face.points[list(LOWER_INNER)] + face.down * inside if cut else seam
    builder = _Builder(face, grid, cut=cut)
    return Lips(
        builder.fields(lambda at, kind: _upper(face, at, kind), upper, UPPER_OUTER, overlap=OVERLAP),
        builder.fields(lambda at, kind: _lower(face, at, kind), lower, LOWER_OUTER, overlap=-OVERLAP),
        upper,
        lower,
        grid,
    )


def _at_corners(face: Face, u: float) -> Moves:
    out = np.zeros((COUNT, 2))
    out[1] = face.unit * (face.across * WIDEN * u * abs(u) ** 0.3 - face.down * 0.015 * abs(u))
    out[2] = -face.across * PUCKER * face.unit * u * abs(u) ** 0.2
    return out


def _lower(face: Face, at: Vector, kind: str) -> Moves:
    u, _ = face.place(at)
    a, down = max(0.0, 1 - u * u) ** 0.75, face.down * face.unit
    if kind == "chin":
        out = np.zeros((COUNT, 2))
        out[0] = down * JAW_DROP * 0.92 * (1 - min(1.0, abs(u) / 1.9) ** 2)
        return out
    out = _at_corners(face, u)
    if kind == "inner":
        out[0], out[4], out[5] = down * JAW_DROP * a, down * LOWER_DROP * a, -down * 0.006 * a
    else:
        out[0], out[4], out[5] = down * JAW_DROP * (0.12 + 0.88 * a), down * 0.12 * a, -down * 0.050 * a
        out[2] += down * 0.045 * a
    return out


def _upper(face: Face, at: Vector, kind: str) -> Moves:
    u, _ = face.place(at)
    a, down = max(0.0, 1 - u * u) ** 0.75, face.down * face.unit
    out = _at_corners(face, u)
    out[0], out[3] = -down * 0.012 * a, -down * UPPER_RAISE * a
    out[5] = down * (0.006 if kind == "inner" else 0.030) * a
    if kind == "outer":
        out[2] -= down * 0.028 * a
    return out


class _Builder:
    """Collects control points of one layer and solves them."""

    def __init__(self, face: Face, grid: Field, *, cut: bool) -> None:
        self._face, self._grid, self._cut = face, grid, cut
        self._points: list[Vector] = []
        self._moves: list[Moves] = []

    def fields(self, rule: _Rule, edge: Vector, ring: tuple[int, ...], *, overlap: float) -> Field:
        self._points, self._moves = [], []
        face, seam = self._face, self._face.seam
        for at in range(1, 10):
            moves = rule(edge[at], "inner")
            if self._cut:
                moves[6] = seam[at] + face.down * overlap * face.unit - edge[at]
            self._add(edge[at], moves)
        for at, point in enumerate(ring):
            moves = rule(face.points[point], "outer")
            if self._cut:
                inward = -np.sign(face.place(face.points[point])[0]) * face.across * CORNERS_IN * face.unit
                moves[6] = 0.8 * (seam[at] - edge[at]) if 0 < at < 10 else inward
            self._add(face.points[point], moves)
        self._surroundings(lower=overlap < 0)
        x0, y0, _, _ = face.roi
        points = np.array(self._points) - np.array([x0, y0], np.float64)
        return pinned(thin_plate(points, np.array(self._moves), self._grid))

    def _surroundings(self, *, lower: bool) -> None:
        face = self._face
        still = np.zeros((COUNT, 2))
        # the lower layer ends at the lips: held by the nose it would tear above them on a short upper lip
        for point in JAW_HINGE if lower else (*NOSE, *JAW_HINGE):
            if face.points[point, 1] > face.roi[1]:
                self._add(face.points[point], still)
        for point in CHEEKS:
            self._add(face.points[point], self._cheek(face.points[point]))
        for point in (*CHIN, 199, *((200,) if lower else ())):
            self._add(face.points[point], _lower(face, face.points[point], "chin"))
        for at in _border(face.roi):
            self._add(at, still)

    def _cheek(self, at: Vector) -> Moves:
        face = self._face
        u, v = face.place(at)
        out = np.zeros((COUNT, 2))
        near = np.exp(-(((abs(u) - 1) / 0.55) ** 2)) * np.sign(u)
        if abs(u) > 1.25:
            out[0] = face.down * face.unit * JAW_DROP * 0.10 * float(np.clip(v / 0.5, 0, 1))
        # a spread mouth lifts the cheek a little beside itself
        out[1] = face.unit * (face.across * 0.030 * near - face.down * 0.012 * abs(near))
        out[2] = -face.across * face.unit * 0.035 * near
        return out

    def _add(self, at: Vector, moves: Moves) -> None:
        self._points.append(at)
        self._moves.append(moves)


def _border(roi: tuple[int, int, int, int]) -> Vector:
    x0, y0, x1, y1 = roi
    across, along = np.linspace(0, 1, 9), np.linspace(0.1, 0.9, 7)
    rows = [(x0 + part * (x1 - x0), y) for y in (y0, y1) for part in across]
    columns = [(x, y0 + part * (y1 - y0)) for x in (x0, x1) for part in along]
    return np.array(rows + columns, np.float64)
