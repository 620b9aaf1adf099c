"""Where the new face shows: not over hands and hair, not over a blink."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import EYES, LID_GAPS, OUTER_LIP, OVAL
from generation.engine.swap.draw import hulls, odd, polygon, square
from generation.engine.swap.portrait import PROTECTED, face_width
from generation.engine.types import Plane, Points

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_OCCLUDED = 6.0  # robust deviations from the target's own skin
_SAMPLES = 4000
_SHUT = 0.09  # eye height by width


def gap(mesh: Points, corners: tuple[int, int, int, int]) -> float:
    """Height of an eye or mouth as a fraction of its width; corners: top, bottom, left, right."""
    top, bottom, left, right = (mesh[corner, :2] for corner in corners)
    return float(np.linalg.norm(top - bottom) / (np.linalg.norm(left - right) + 1e-6))


def openness(mesh: Points) -> tuple[float, float]:
    """How far each eye is open."""
    return gap(mesh, LID_GAPS[0]), gap(mesh, LID_GAPS[1])


def core_and_edge(
    shape: tuple[int, int], mesh: Points, inside: Mask, *, inset: float
) -> tuple[Plane, Floats]:
    """The oval drawn in by ``inset`` face widths as (h, w) uint8, and its soft-edged mask 0..1."""
    width = face_width(mesh)
    oval = np.minimum(polygon(shape, mesh[list(OVAL), :2]), inside.astype(np.uint8) * 255)
    core = cv2.erode(oval, square(odd(width * inset)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    soft = cv2.GaussianBlur(core, (0, 0), max(0.5, width * 0.03)).astype(np.float32)
    return core.astype(np.uint8, copy=False), np.asarray(
        soft * (oval.astype(np.float32) / np.float32(255 * 255)), np.float32
    )


def skin_of(core: Plane, mesh: Points) -> Mask:
    """The core without eyes and lips."""
    skin: Mask = (core > 128) & (hulls(core.shape, mesh, (*EYES, OUTER_LIP)) == 0)
    return skin


def occlusion(lab: Floats, skin: Mask, mesh: Points) -> Floats:
    """(h, w) 0..1: what in the target has not its skin's chroma; eyes, brows and mouth are never meant."""
    width = face_width(mesh)
    side = odd(width * 0.05)
    chosen = np.flatnonzero(skin)
    values = lab.reshape(-1, 3)[chosen[:: len(chosen) // _SAMPLES + 1], 1:]
    middle = np.median(values, axis=0)
    spread = np.maximum(np.median(np.abs(values - middle), axis=0) * 1.48, 2.5)
    off = [(lab[..., 1 + channel] - middle[channel]) / spread[channel] for channel in (0, 1)]
    far = off[0] * off[0] + off[1] * off[1] > _OCCLUDED**2
    protected = cv2.dilate(hulls(skin.shape, mesh, PROTECTED), square(side)) > 0
    covered = (far & ~protected).astype(np.uint8) * np.uint8(255)
    opened = cv2.morphologyEx(covered, cv2.MORPH_OPEN, square(side))
    soft = cv2.GaussianBlur(opened, (0, 0), max(0.5, width * 0.015))
    return np.asarray(np.minimum(soft.astype(np.float32) * np.float32(1.5 / 255), 1), np.float32)


def spare_blinks(mask: Floats, mesh: Points, *, own: tuple[float, float]) -> None:
    """Leave the target's lids where the eyes are much more closed than in the portrait.

    Both eyes together, unless one is shut: half a swap of one eye is worse than none.
    """
    now = openness(mesh)
    both = _shut(sum(now), sum(own))
    width = face_width(mesh)
    for eye, one, own_one in zip(EYES, now, own, strict=True):
        share = max(both, _shut(one, own_one) if one < _SHUT else 0.0)
        if share > 0:
            lids = cv2.dilate(polygon(mask.shape, mesh[list(eye), :2]), square(odd(width * 0.05)))
            soft = cv2.GaussianBlur(lids.astype(np.float32) / 255, (0, 0), max(0.5, width * 0.02))
            mask *= 1 - soft * share


def _shut(now: float, own: float) -> float:
    return float(np.clip((0.5 * own - now) / (0.2 * own + 1e-6), 0, 1))
