"""Brows that rise a little on what is stressed: the skin between lid and forehead slides up over the bone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.topology import BROWS
from generation.engine.types import Image
from generation.presenter.puppet.geometry import Face

Floats = npt.NDArray[np.float32]
RAISE = 0.018
"""Eye distances at full height; people raise them by two to three times that in surprise."""
ABOVE, BESIDE = 0.42, 0.16  # eye distances around a brow within which the skin moves


@dataclass(frozen=True, slots=True)
class _Brow:
    """``rise``: (h, w) pixels that each place is read from below when the brow is fully raised."""

    box: tuple[int, int, int, int]
    still: Image
    rise: Floats


class Brows:
    """Both brows of one portrait; none where glasses sit on them."""

    def __init__(self, picture: Image, face: Face, *, covered: bool) -> None:
        self._brows = [] if covered else [_brow(picture, face, side) for side in range(2)]

    @property
    def boxes(self) -> tuple[tuple[int, int, int, int], ...]:
        """x0, y0, x1, y1 of what they move."""
        return tuple(brow.box for brow in self._brows)

    def lift(self, picture: Image, amount: float) -> None:
        """Raise the brows of a picture in place; ``amount`` 0 to 1, 0 puts them back."""
        for brow in self._brows:
            x0, y0, x1, y1 = brow.box
            height, width = brow.rise.shape
            columns, rows = np.meshgrid(
                np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
            )
            picture[y0:y1, x0:x1] = cv2.remap(
                brow.still, columns, rows + np.float32(amount) * brow.rise, cv2.INTER_LINEAR
            )


def _brow(picture: Image, face: Face, side: int) -> _Brow:
    line = face.points[list(BROWS[side][:5])]
    eye = face.points[[159, 386][side]]
    (left, top), (right, bottom) = line.min(0), line.max(0)
    beside = BESIDE * face.unit
    x0, x1 = max(0, int(left - beside)), min(picture.shape[1], int(right + beside))
    y0, y1 = max(0, int(top - ABOVE * face.unit)), min(picture.shape[0], int(eye[1]))
    x, y = np.arange(x0, x1), np.arange(y0, y1)
    across = _eased(np.minimum(x - x0, x1 - 1 - x) / (1.5 * beside))
    over, under = _eased((y - y0) / max(1.0, top - y0)), _eased((y1 - 1 - y) / max(1.0, y1 - 1 - bottom))
    rise = (RAISE * face.unit) * np.minimum(over, under)[:, None] * across[None]
    return _Brow((x0, y0, x1, y1), picture[y0:y1, x0:x1].copy(), rise.astype(np.float32))


def _eased(part: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    part = np.clip(part, 0, 1)
    return np.asarray(part * part * (3 - 2 * part), np.float64)
