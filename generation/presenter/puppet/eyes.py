"""Lids that close with skin: drawn down from above the eye, or up from below it where glasses leave none.

Works column by column between four lines: the ceiling (brow or the rim of a pair of glasses), the upper lid,
the lower lid, and the edge of the lid as it closes. Nothing above the ceiling is touched.
"""

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
EDGE_TOO_LOW = 0.22  # of the way from the lid to the brow: the network's lid edge sits under the lashes
CORNER = 0.10  # of an eye's width: the lid fades out about so far beyond a corner, where the lashes end
UNLIKE_SKIN = 0.62, 1.30
"""Luma over that of the skin about the eye: a rim or a reflection is outside of it, and stops the lid."""
RIM_SHARE = 0.5  # of the columns: less is lashes, not glasses
LASH_SHARE, LASH_GAIN = 0.55, 1.6


@dataclass(frozen=True, slots=True)
class _Lid:
    """One eye: its box, its pixels, and by column the lid's, lower lid's and ceiling's rows.

    ``above``: how much of the lid is drawn down from above it, the rest is the skin below, mirrored.
    """

    box: tuple[int, int, int, int]
    still: Image
    upper: Floats
    lower: Floats
    ceiling: Floats
    above: Floats
    fade: Floats
    height: float
    lash: npt.NDArray[np.float64]
    rimmed: bool


class Lids:
    """Both lids of one portrait."""

    def __init__(self, picture: Image, face: Face) -> None:
        self._lids = [_lid(picture, face, eye) for eye in range(2)]

    @property
    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """x0, y0, x1, y1 of both lids."""
        return tuple(lid.box for lid in self._lids)

    @property
    def rimmed(self) -> bool:
        """Whether glasses sit over the eyes."""
        return any(lid.rimmed for lid in self._lids)

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
    left, right = upper[0, 0], upper[-1, 0]
    x0, x1 = max(0, int(left - 0.2 * wide)), min(picture.shape[1], int(right + 0.2 * wide))
    y0, y1 = max(0, int(brow[:, 1].min())), min(picture.shape[0], int(lower[:, 1].max() + 1.2 * tall))
    xs = np.arange(x0, x1)
    rows = [np.interp(xs, line[:, 0], line[:, 1] - y0) for line in (upper, lower, brow)]
    beyond = np.minimum(xs - left, right - xs) / (CORNER * wide)
    fade, raised = (_eased(beyond / 2 + at) for at in (0.75, 1.25))
    up = _smooth(rows[0] - (rows[0] - rows[2]) * EDGE_TOO_LOW * raised)
    down = _smooth(rows[1] + 0.06 * tall * fade)
    still = np.ascontiguousarray(picture[y0:y1, x0:x1, :3])
    ceiling, rimmed = _ceiling(still, up, _smooth(rows[2] + 0.1 * tall), tall)
    above = _smooth(np.clip((up - ceiling) / (0.6 * tall) - 0.25, 0, 1))
    lash = np.percentile(still[np.clip(rows[0].astype(int), 0, len(still) - 1), xs - x0], 20, axis=0)
    return _Lid((x0, y0, x1, y1), still, up, down, ceiling, above, fade, tall, lash, rimmed)


def _eased(part: npt.NDArray[np.floating]) -> Floats:
    part = np.clip(part, 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float32)


def _ceiling(still: Image, up: Floats, brow: Floats, tall: float) -> tuple[Floats, bool]:
    """The lowest row above the lid, column by column, that is no skin, and whether glasses are there.

    Without them it is the brow's.
    """
    luma = cv2.GaussianBlur(cv2.cvtColor(still, cv2.COLOR_BGR2GRAY), (3, 3), 0).astype(np.float32)
    y = np.arange(len(luma), dtype=np.float32)[:, None]
    band = (y > brow) & (y < up - 0.15 * tall)
    skin = float(np.median(luma[band])) if band.any() else 128.0
    low, high = UNLIKE_SKIN
    strange = band & ((luma < low * skin) | (luma > high * skin))
    if strange.any(0).mean() < RIM_SHARE:
        return np.asarray(np.minimum(brow, up - 0.35 * tall), np.float32), False
    found = np.where(strange, y + 2, brow).max(0)
    # a rim is one line: the lid stays under the lowest part of it nearby
    widened = cv2.dilate(found[None].astype(np.float32), np.ones((1, 7), np.uint8))[0]
    return np.asarray(np.minimum(_smooth(widened), up - 1), np.float32), True


def _smooth(rows: npt.NDArray[np.floating]) -> Floats:
    return np.convolve(np.pad(rows, 4, "edge"), np.ones(9) / 9, "valid").astype(np.float32)


def _close(picture: Image, lid: _Lid, amount: float) -> None:
    x0, y0, x1, y1 = lid.box
    y = np.arange(len(lid.still), dtype=np.float32)[:, None]
    edge = (lid.upper + np.float32(amount) * (lid.lower - lid.upper))[None]
    down = (y - lid.ceiling) / np.maximum(edge - lid.ceiling, 1)
    drawn = _rows(lid, lid.ceiling + (lid.upper - lid.ceiling) * np.clip(down, 0, 1) ** 0.85)
    mirrored = _rows(lid, lid.lower + (edge - y) * 0.6 + 0.12 * lid.height)
    # bags and lights below the eye would blink as a pattern
    mirrored = np.asarray(cv2.GaussianBlur(mirrored, (0, 0), lid.height * 0.07), np.float32)
    shade = np.clip(0.78 + 0.14 * down, 0.76, 0.92)
    skin = mirrored * shade[..., None]
    skin += (drawn - skin) * lid.above[None, :, None]
    over = np.clip((edge - y) / 2 + 0.5, 0, 1) * np.clip((y - lid.ceiling) / 3, 0, 1) * lid.fade
    now = picture[y0:y1, x0:x1, :3].astype(np.float32)  # its brow may be raised
    shut = now + (skin - now) * over[..., None]
    near = np.exp(-(((y - edge) / (lid.height * 0.05 + 0.7)) ** 2))
    lash = near * lid.fade**2 * (LASH_SHARE * min(1.0, amount * LASH_GAIN))
    shut += (lid.lash - shut) * lash[..., None]
    picture[y0:y1, x0:x1, :3] = np.clip(shut + 0.5, 0, 255).astype(np.uint8)


def _rows(lid: _Lid, rows: npt.NDArray[np.floating]) -> Floats:
    """(h, w, 3) float32: each pixel from another row of its own column."""
    height, width = lid.still.shape[:2]
    columns = np.broadcast_to(np.arange(width, dtype=np.float32)[None], (height, width))
    at = np.broadcast_to(rows, (height, width)).astype(np.float32)
    read = cv2.remap(
        lid.still, np.ascontiguousarray(columns), at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(read, np.float32)
