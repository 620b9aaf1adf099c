"""Lids that close with their own skin: the skin above the eye is drawn down column by column."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import BROWS, LOWER_LIDS, UPPER_LIDS
from generation.engine.types import Image
from generation.presenter.puppet.geometry import Face

Floats = npt.NDArray[np.float32]
SEEN = 0.02
"""A blink below this is none."""
LASH = 18
EDGE_TOO_LOW = 0.22  # of the way from the lid to the brow: the network's lid edge sits under the lashes
SKIN_BELOW = (119, 348)


@dataclass(frozen=True, slots=True)
class _Lid:
    """One eye: its box, its pixels, and by column the lid's, lower lid's and brow's rows."""

    box: tuple[int, int, int, int]
    still: Image
    upper: Floats
    lower: Floats
    brow: Floats
    fade: Floats
    height: float
    tone: npt.NDArray[np.uint8]


class Lids:
    """Both lids of one portrait."""

    def __init__(self, picture: Image, face: Face) -> None:
        self._lids = [_lid(picture, face, eye) for eye in range(2)]

    @property
    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """x0, y0, x1, y1 of both lids."""
        return tuple(lid.box for lid in self._lids)

    def blink(self, picture: Image, amount: float) -> None:
        """Close the lids of a picture in place; ``amount`` 0 open to 1 shut."""
        for lid in self._lids:
            _close(picture, lid, amount)

    def restore(self, picture: Image) -> None:
        """Put the open eyes back."""
        for lid in self._lids:
            x0, y0, x1, y1 = lid.box
            picture[y0:y1, x0:x1, :3] = lid.still


def _lid(picture: Image, face: Face, eye: int) -> _Lid:
    upper, lower = (face.points[list(ring[eye])] for ring in (UPPER_LIDS, LOWER_LIDS))
    brow = face.points[list(BROWS[eye][:5])]
    tall = float(np.linalg.norm(upper[4] - lower[4]))
    upper, lower, brow = (line[np.argsort(line[:, 0])] for line in (upper, lower, brow))
    wide = float(np.ptp(upper[:, 0]))
    x0, x1 = int(upper[0, 0] - 0.10 * wide), int(upper[-1, 0] + 0.10 * wide)
    y0, y1 = int(brow[:, 1].min()), int(lower[:, 1].max() + 0.6 * tall)
    xs = np.arange(x0, x1)
    rows = [np.interp(xs, line[:, 0], line[:, 1]) for line in (upper, lower, brow)]
    arc = np.clip(1 - ((xs - (upper[0, 0] + upper[-1, 0]) / 2) / (wide / 2)) ** 2, 0, 1) ** 0.6
    up = _smooth(rows[0] - (rows[0] - rows[2]) * EDGE_TOO_LOW * arc)
    down, above = _smooth(rows[1] + 0.10 * tall * arc), _smooth(rows[2] + 0.10 * tall)
    above = np.minimum(above, up - 0.35 * tall)
    fade = np.clip(np.minimum(xs - upper[0, 0], upper[-1, 0] - xs) / (wide * 0.16) + 0.25, 0, 1)
    x, y = face.points[SKIN_BELOW[eye]].astype(int)
    tone = np.median(picture[y - 6 : y + 7, x - 6 : x + 7].reshape(-1, 3), axis=0) * 0.86
    still = np.ascontiguousarray(picture[y0:y1, x0:x1, :3])
    shift = np.float32(y0)
    return _Lid(
        (x0, y0, x1, y1), still, up - shift, down - shift, np.asarray(above - shift, np.float32),
        fade.astype(np.float32), tall, tone.astype(np.uint8),
    )  # fmt: skip


def _smooth(rows: npt.NDArray[np.float64]) -> Floats:
    return np.convolve(np.pad(rows, 4, "edge"), np.ones(9) / 9, "valid").astype(np.float32)


def _close(picture: Image, lid: _Lid, amount: float) -> None:
    x0, y0, x1, y1 = lid.box
    height, width = lid.still.shape[:2]
    y = np.arange(height, dtype=np.float32)[:, None]
    edge = (lid.upper + amount * (lid.lower - lid.upper))[None]
    part = np.clip((y - lid.brow) / (edge - lid.brow), 0, 1)
    rows = np.where(y < lid.brow, y, lid.brow + (lid.upper - lid.brow) * part**0.85).astype(np.float32)
    columns = np.broadcast_to(np.arange(width, dtype=np.float32)[None], (height, width))
    skin = cv2.remap(
        lid.still, np.ascontiguousarray(columns), rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    toned = (np.clip((y - lid.upper) / (lid.height * 0.5) + 0.3, 0, 1) * 0.62).astype(np.float32)
    flat = np.broadcast_to(lid.tone, skin.shape).copy()
    skin = cv2.blendLinear(skin, flat, 1 - toned, toned)
    over = np.clip((edge - y) / 2 + 0.5, 0, 1) * lid.fade * np.clip((y - lid.brow) / (lid.height * 0.3), 0, 1)
    over = np.asarray(over, np.float32)
    near = np.exp(-(((y - edge) / (lid.height * 0.07 + 0.8)) ** 2))
    lash = np.asarray(near * lid.fade * 0.75 * min(1.0, amount * 1.6), np.float32)
    shut = cv2.blendLinear(np.asarray(skin, np.uint8), lid.still, over, 1 - over)
    dark = np.full_like(lid.still, LASH)
    picture[y0:y1, x0:x1, :3] = cv2.blendLinear(np.asarray(shut, np.uint8), dark, 1 - lash, lash)
