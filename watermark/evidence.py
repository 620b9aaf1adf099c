"""The frames of one clip that a search looks at, added up: noise and picture average out, the mark stays."""

from __future__ import annotations

import cv2
import numpy as np

from watermark.errors import UnsupportedFrameError
from watermark.invisible import Field, Plane, canonical_size, residual


class Evidence:
    """Frames of one clip, kept at canonical size, and the sum of their residuals."""

    def __init__(self) -> None:
        self.frames: list[Plane] = []
        self._keys: list[bool] = []
        self.total: Field = np.zeros((0, 0), np.float32)

    def add(self, luma: Plane, *, key: bool = False) -> None:
        """Add one frame; one of another shape than the first says nothing about it and is left out.

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
        fresh = residual(luma)
        self.frames.append(luma)
        self._keys.append(key)
        self.total = fresh if len(self.frames) == 1 else self.total + fresh

    def parts(self) -> list[Evidence]:
        """The key frames alone, when there are others too, then all."""
        chosen = [frame for frame, key in zip(self.frames, self._keys, strict=True) if key]
        if not 0 < len(chosen) < len(self.frames):
            return [self]
        keys = Evidence()
        for frame in chosen:
            keys.add(frame, key=True)
        return [keys, self]

    def at_scale(self, scale: float) -> Field:
        """The sum again, from a front end at another size of the picture."""
        wide, tall = canonical_size(*self.frames[0].shape)
        size = (max(8, round(wide * scale)), max(8, round(tall * scale)))
        return np.asarray(np.sum([residual(frame, size) for frame in self.frames], axis=0), np.float32)
