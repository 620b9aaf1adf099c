"""The frames of one clip that a search looks at: noise and picture average out over them, the mark stays."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from watermark.errors import UnsupportedFrameError
from watermark.invisible import SEGMENT_S, Field, Plane, canonical_size
from watermark.reading import Sight, halved, residual, sight

KEY_WEIGHT = 4.0  # moving clips at CRF 28: key frames 10, others 0 to 3 in units of chance


class Evidence:
    """Frames of one clip at canonical size, their times, and their residuals at half of it."""

    def __init__(self) -> None:
        self.frames: list[Plane] = []
        self.times: list[float] = []
        self.keys: list[bool] = []
        self.halves: list[Field] = []
        self._upright: list[Sight] = []

    def add(self, luma: Plane, *, key: bool = False, time_s: float = 0.0) -> None:
        """Add one frame; one of another shape than the first says nothing about it and is left out.

        ``key``: a key frame. ``time_s``: when the file shows it; where it begins does not matter.

        Raises:
            UnsupportedFrameError: the frame is too small or too long to look at.
        """
        if luma.ndim != 2 or min(luma.shape) < 32 or max(luma.shape) > 8 * min(luma.shape):
            raise UnsupportedFrameError(f"A frame of shape {luma.shape} cannot be searched for the mark.")
        size = canonical_size(luma.shape[0], luma.shape[1])
        if size[0] < luma.shape[1]:
            luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        if self.frames and luma.shape != self.frames[0].shape:
            return
        self.frames.append(luma)
        self.times.append(time_s)
        self.keys.append(key)
        self.halves.append(halved(residual(luma)))

    def upright(self) -> Sight:
        """All frames as they are; what was looked at before is kept."""
        for at in range(len(self._upright), len(self.frames)):
            self._upright.append(sight([self.halves[at]], [self.times[at]]))
        return Sight(np.concatenate([one.dims for one in self._upright]), np.asarray(self.times))

    def window(self, start_s: float = 0.0) -> list[int]:
        """Frames of one segment's length from some time after the first: they may carry one set."""
        first = min(self.times) + start_s
        return [at for at, time in enumerate(self.times) if first <= time < first + SEGMENT_S]

    def weighed(self, halves: Sequence[Field], chosen: Sequence[int]) -> Field:
        """The sum of these residuals of some frames; a key frame says as much as several that follow it."""
        weights = [KEY_WEIGHT if self.keys[at] else 1.0 for at in chosen]
        return np.asarray(np.tensordot(np.asarray(weights, np.float32), np.stack(halves), 1), np.float32)

    def at_scale(self, scale: float, chosen: list[int]) -> list[Field]:
        """Half-size residuals of some frames, from a front end at another size of the picture."""
        wide, tall = canonical_size(*self.frames[0].shape)
        size = (max(16, round(wide * scale)), max(16, round(tall * scale)))
        return [halved(residual(self.frames[at], size)) for at in chosen]
