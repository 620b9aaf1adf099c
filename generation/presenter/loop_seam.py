"""Where a clip is cut into a loop, and how its end turns into its beginning."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.types import Image, Points
from generation.presenter.errors import IdleRejectedError
from generation.presenter.idle import Study
from generation.presenter.puppet.geometry import eye_centres

FADE = 6
"""Frames in which the end turns into the beginning."""
SHORTEST_S, SHORTEST = 5.0, 0.6
"""Seconds, and share of the clip: a shorter loop is seen as one."""
SEAM_MAX = 0.05
"""Eye distances between both sides of the seam; more is seen as a ghost in the fade."""
NEARLY, GOOD = 1.25, 0.015
"""Seams this much worse than the best, or below this distance, are as good: all of the picture decides."""


@dataclass(frozen=True, slots=True)
class Seam:
    """``first`` and ``last`` (exclusive) frame of the clip; distances in eye distances, by frame pair."""

    first: int
    last: int
    distance: float
    usual: float


def find_seam(study: Study, *, fps: int) -> Seam:
    """Where to cut: the pair of moments whose ``FADE`` frames show the most similar landmarks.

    Raises:
        IdleRejectedError: no two moments are alike enough.
    """
    unit = _unit(study.meshes)
    marks = _apart(study.meshes[:, :, :2].reshape(len(study.meshes), -1) / unit) / study.meshes.shape[1]
    looks = _apart(study.thumbs.reshape(len(study.thumbs), -1)) / study.thumbs[0].size
    shortest = max(round(SHORTEST_S * fps), round(SHORTEST * len(marks)))
    distance, look = (np.sqrt(_windowed(each)) for each in (marks, looks))  # row and column: the first frames
    starts = np.arange(len(distance))
    distance[starts[None, :] - starts[:, None] < shortest] = np.inf
    if not np.isfinite(distance).any():
        raise IdleRejectedError(
            "The idle clip is too short to be a loop.", failed={"seconds": len(marks) / fps}
        )
    usual, usual_look = (float(np.sqrt(np.median(np.diagonal(each, 1)))) + 1e-6 for each in (marks, looks))
    pace = np.sqrt(np.convolve(np.append(np.diagonal(looks, 1), 0), np.ones(FADE) / FADE, "valid"))
    # of like faces, the moments in which the whole picture is alike and calm: how large the fade's steps are
    cost = distance / FADE / usual + (look / FADE + (pace[:, None] + pace[None]) / 2) / usual_look
    near = np.where(distance <= max(float(distance.min()) * NEARLY, GOOD), cost, np.inf)
    first, last = (int(each) + FADE for each in np.unravel_index(int(near.argmin()), near.shape))
    found = Seam(first, last, float(distance[first - FADE, last - FADE]), usual)
    if found.distance > SEAM_MAX:
        raise IdleRejectedError(
            f"No two moments of the idle clip are alike: {found.distance:.3f} of the eyes' distance apart "
            f"(at most {SEAM_MAX}).",
            failed={"seam": found.distance},
        )
    return found


def _apart(rows: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """(n, n): squared distance of every two rows."""
    centred = rows.astype(np.float64) - rows.mean(0)
    squares = (centred**2).sum(1)
    return np.asarray(np.maximum(squares[:, None] + squares[None] - 2 * centred @ centred.T, 0))


def _windowed(apart: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(m, m): the mean over the ``FADE`` frames from each pair of moments on."""
    count = len(apart) - FADE + 1
    parts = [apart[at : at + count, at : at + count] for at in range(FADE)]
    return np.asarray(sum(parts) / FADE)


def _unit(meshes: Points) -> float:
    left, right = eye_centres(np.asarray(np.median(meshes, axis=0)[:, :2], np.float64))
    return float(np.linalg.norm(right - left))


def _weight(step: int) -> float:
    """Of the beginning, in the given frame of the fade; a curve would make its middle steps larger."""
    return (step + 1) / (FADE + 1)


def faded_meshes(meshes: Points, seam: Seam) -> Points:
    """(n, 468, 3) of the loop's frames."""
    out = meshes[seam.first : seam.last].copy()
    for step in range(FADE):
        share = np.float32(_weight(step))
        before = meshes[seam.first - FADE + step]
        out[len(out) - FADE + step] += (before - out[len(out) - FADE + step]) * share
    return out


def faded_pictures(pictures: Iterable[Image], seam: Seam) -> Iterator[Image]:
    """The loop's pictures, in one pass over the clip's; keeps ``FADE`` of them."""
    lead: deque[Image] = deque(maxlen=FADE)
    for at, picture in enumerate(pictures):
        if at < seam.first:
            lead.append(picture)
        elif at < seam.last - FADE:
            yield picture
        elif at < seam.last:
            step = at - (seam.last - FADE)
            mixed = cv2.addWeighted(picture, 1 - _weight(step), lead[step], _weight(step), 0)
            yield np.asarray(mixed, np.uint8)
        else:
            return
