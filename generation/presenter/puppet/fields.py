"""Smooth displacement fields from a few moved points, and how a picture is read through their mix.

Thin-plate splines (Bookstein 1989) on a coarse grid: all parameters in one solve, a frame is a linear mix.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from generation.presenter.puppet.geometry import Vector

STEP = 4
"""Pixels of the coarse grid: the fields are smooth."""
STIFFNESS = 1e-4
PIN = 3  # points of the grid over which a field fades at the border
STEPS = (0.6, 0.8, 0.6)
"""Shares of the steps of the fixed point that turns a forward field into a backward map: whole steps do not
settle where a field grows by more than half a pixel a pixel, as above a wide open jaw."""

Field = npt.NDArray[np.float32]
"""(2, gh, gw) or (k, 2, gh, gw) float32, pixels."""


def coarse_grid(width: int, height: int) -> Field:
    """(2, gh, gw): x and y of the grid's points."""
    xs, ys = (np.arange(0, size, STEP) + STEP / 2 - 0.5 for size in (width, height))
    return np.stack(np.meshgrid(xs, ys)).astype(np.float32)


def thin_plate(points: Vector, moves: npt.NDArray[np.float64], grid: Field) -> Field:
    """(k, 2, gh, gw): the fields that move ``points`` (n, 2) by ``moves`` (n, k, 2)."""
    count, scale = len(points), float(np.ptp(points, axis=0).max())
    placed = points / scale
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _bend(placed, placed) + STIFFNESS * np.eye(count)
    system[:count, count] = system[count, :count] = 1
    system[:count, count + 1 :], system[count + 1 :, :count] = placed, placed.T
    known = np.zeros((count + 3, moves.shape[1] * 2))
    known[:count] = moves.reshape(count, -1)
    weights = np.linalg.solve(system, known)
    flat = grid.reshape(2, -1).T.astype(np.float64) / scale
    values = _bend(flat, placed) @ weights[:count] + weights[count] + flat @ weights[count + 1 :]
    fields = values.reshape(*grid.shape[1:], moves.shape[1], 2).transpose(2, 3, 0, 1)
    return np.ascontiguousarray(fields, np.float32)


def _bend(a: Vector, b: Vector) -> npt.NDArray[np.float64]:
    squared = ((a[:, None] - b[None]) ** 2).sum(-1)
    return np.where(squared > 0, 0.5 * squared * np.log(np.maximum(squared, 1e-12)), 0)


def backward_map(
    fields: Field,
    weights: npt.NDArray[np.float32],
    grid: Field,
    size: tuple[int, int],
    *,
    rows: tuple[int, int] | None = None,
) -> Field:
    """(h, w, 2): where each pixel of the result is read; ``size`` is (width, height).

    ``rows``: first and end of the rows that are wanted; all when not given.
    """
    forward: Field = np.tensordot(weights, fields, 1).astype(np.float32)
    paired, back = np.ascontiguousarray(forward.transpose(1, 2, 0)), -forward
    for share in STEPS:
        x = (grid[0] + back[0] - (STEP / 2 - 0.5)) / STEP
        y = (grid[1] + back[1] - (STEP / 2 - 0.5)) / STEP
        read = cv2.remap(paired, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        back -= np.float32(share) * (back + np.asarray(read, np.float32).transpose(2, 0, 1))
    # the displacement is enlarged, not the places: those would be clamped along the border
    width, height = size
    first, end = rows or (0, height)
    top, bottom = max(0, first // STEP - 1), min(back.shape[1], -(-end // STEP) + 1)
    coarse = np.ascontiguousarray(back[:, top:bottom].transpose(1, 2, 0))
    # rows beyond those wanted keep the enlargement what it is for the whole
    tall = height - top * STEP if bottom == back.shape[1] else (bottom - top) * STEP
    moved = np.asarray(cv2.resize(coarse, (width, tall)), np.float32)[first - top * STEP : end - top * STEP]
    moved += places(*size)[first:end]
    return moved


@cache
def places(width: int, height: int) -> Field:
    """(h, w, 2): x and y of every pixel."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.dstack([columns, rows])


def pinned(fields: Field) -> Field:
    """The fields brought to nought along the border of the grid, so that no edge of the region shows."""
    height, width = fields.shape[-2:]
    ramps = [
        np.clip(np.minimum(np.arange(size), np.arange(size)[::-1]) / PIN, 0, 1) for size in (height, width)
    ]
    window = ramps[0][:, None] * ramps[1][None]
    return np.ascontiguousarray(fields * window.astype(np.float32))
