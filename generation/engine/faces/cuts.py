"""Notice that the scene changed from one frame to the next."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.types import Image

_SIZE = 32, 18
# Grey levels, mean over the thumbnail. Talking, turning and gesturing heads stay below 6, hard cuts reach 25
# and more; a pan is told apart by the frames before it.
_CUT = 18.0
_TIMES_USUAL = 3.0
_MEMORY = 0.8


class CutFinder:
    """Compares each frame with the one before it, as a very small grey picture."""

    def __init__(self) -> None:
        self._last: npt.NDArray[np.float32] | None = None
        self._usual = 0.0

    def is_cut(self, frame: Image) -> bool:
        """Whether this frame begins a new scene; the very first frame does not."""
        small = _thumbnail(frame)
        last, self._last = self._last, small
        if last is None:
            return False
        change = float(np.abs(small - last).mean())
        cut = change > _CUT and change > _TIMES_USUAL * self._usual
        self._usual = _MEMORY * self._usual + (1 - _MEMORY) * (0.0 if cut else change)
        return cut


def _thumbnail(frame: Image) -> npt.NDArray[np.float32]:
    step = max(1, min(frame.shape[0], frame.shape[1]) // 144)
    green = np.ascontiguousarray(frame[::step, ::step, 1])
    return cv2.resize(green, _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
