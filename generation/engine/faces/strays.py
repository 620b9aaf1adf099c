"""The faces that are too weak or too small to be followed: the guard sees them all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.engine.faces.association import overlap
from generation.engine.faces.landmarks import look_of
from generation.engine.faces.models import FaceModels
from generation.engine.types import Detection, Embedding, Face, Image, Points

_SMALLEST_PX = 24  # shrunk to 16 px, a face is nearer to strangers than to itself
_SAME_PLACE = 0.4
_RENEW_S = 1.0
_SAME_LOOK = 0.6


@dataclass(slots=True)
class _Stray:
    box: Points
    score: float
    embedding: Embedding | None
    tried_s: float
    seen_s: float
    look: npt.NDArray[np.float32]
    fresh: bool


class Strays:
    """Untracked detections; each is embedded when it appears and once a second while it stays in place."""

    def __init__(self, models: FaceModels, *, presence: float) -> None:
        self._models = models
        self._presence = presence
        self._known: list[_Stray] = []
        self._now_s = float("-inf")

    def forget(self) -> None:
        """A cut: nothing is in its place any more."""
        self._known.clear()

    def update(self, frame: Image, found: Sequence[Detection], *, time_s: float) -> int:
        """Take this frame's untracked detections; gives the number of embeddings that were made.

        Raises:
            ModelOutputError: a network gave NaN.
        """
        self._now_s = time_s
        waiting = [stray for stray in self._known if 0 <= time_s - stray.seen_s < _RENEW_S]
        now = []
        for item in found:
            old = next((stray for stray in waiting if overlap(stray.box, item.box) > _SAME_PLACE), None)
            if old is not None:
                waiting.remove(old)
            now.append(self._see(frame, item, old, time_s))
        self._known = now + waiting
        return sum(stray.fresh for stray in now)

    def faces(self) -> tuple[Face, ...]:
        """The strays of the newest frame."""
        here = (stray for stray in self._known if stray.seen_s == self._now_s)
        return tuple(Face(None, stray.box, stray.score, stray.embedding, stray.fresh) for stray in here)

    def _see(self, frame: Image, item: Detection, old: _Stray | None, time_s: float) -> _Stray:
        look = _look(frame, item.box)
        if (
            old is not None
            and time_s - old.tried_s < _RENEW_S
            and float((look * old.look).mean()) > _SAME_LOOK
        ):
            return _Stray(item.box, item.score, old.embedding, old.tried_s, time_s, look, fresh=False)
        made = self._embed(frame, item)
        return _Stray(item.box, item.score, made, time_s, time_s, look, fresh=made is not None)

    def _embed(self, frame: Image, item: Detection) -> Embedding | None:
        if item.width_px < _SMALLEST_PX:
            return None
        marks = self._models.landmarks.settle(frame, item)
        if marks.presence < self._presence:
            return None
        return self._models.embedder.embed(frame, marks.mesh)


def _look(frame: Image, box: Points) -> npt.NDArray[np.float32]:
    height, width = frame.shape[:2]
    left, top = np.clip(box[:2], 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(box[2:]), [left + 1, top + 1], [width, height]).astype(int)
    return look_of(frame[top:bottom, left:right])
