"""The identity of one track: when an embedding is made, and what the newest three say together."""

from __future__ import annotations

from collections import deque

import numpy as np

from generation.engine.faces.embed import DlibEmbedder
from generation.engine.types import Embedding, Image, Points

RENEW_S = 1.0
"""A track is embedded again once a second."""
_TURNED_DEG = 45.0
_TURNED_RENEW_S = 3.0
_NEWEST = 3


class Identity:
    """The median of up to three embeddings of one face, made anew when there is doubt or a second has passed.

    A vector that is farther from the median than the same person may be starts a new median at once: an
    exchanged face must not hide behind the vectors of the one before it.
    """

    def __init__(self, embedder: DlibEmbedder) -> None:
        self._embedder = embedder
        self._newest: deque[Embedding] = deque(maxlen=_NEWEST)
        self._made_s = float("-inf")
        self._doubted = False
        self.embedding: Embedding | None = None
        self.fresh = False

    def doubt(self) -> None:
        """Forget what was known: the next ``follow`` embeds the face again."""
        self._doubted = True

    def follow(self, frame: Image, mesh: Points, *, time_s: float, yaw_deg: float) -> bool:
        """Look at the face in this frame; True when a new embedding was made.

        Raises:
            ModelOutputError: the network gave NaN or zeros.
        """
        self.fresh = self._due(time_s, yaw_deg)
        if self.fresh:
            self._add(self._embedder.embed(frame, mesh))
            self._made_s = time_s
        return self.fresh

    def _due(self, time_s: float, yaw_deg: float) -> bool:
        if self.embedding is None or self._doubted:
            return True
        # A face turned far away embeds badly: wait for it to come back, but not for long.
        patience_s = _TURNED_RENEW_S if abs(yaw_deg) > _TURNED_DEG else RENEW_S
        return time_s - self._made_s >= patience_s or time_s < self._made_s

    def _add(self, made: Embedding) -> None:
        moved = self.embedding is not None and made.distance(self.embedding) > self._embedder.thresholds.same
        if self._doubted or moved:
            self._newest.clear()
        self._doubted = False
        self._newest.append(made)
        vector = np.median([item.vector for item in self._newest], axis=0).astype(np.float32)
        self.embedding = Embedding(vector, made.model_sha256, made.metric)
