"""The values that travel through the engine, and the callables that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.engine.errors import EmbeddingMismatchError

Image = npt.NDArray[np.uint8]
"""(h, w, 3) uint8, BGR."""
Plane = npt.NDArray[np.uint8]
"""(h, w) uint8, one plane of a limited-range 4:2:0 picture."""
Points = npt.NDArray[np.float32]
"""(n, 2) or (n, 3) float32, pixels of the frame (z in the same unit)."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One face that the detector found.

    ``box``: (4,) float32, x1 y1 x2 y2 in pixels; ``points``: (5, 2) float32, left eye, right eye, nose,
    left mouth corner, right mouth corner in image order.
    """

    box: Points
    score: float
    points: Points

    @property
    def width_px(self) -> float:
        """Width of the box."""
        return float(self.box[2] - self.box[0])


@dataclass(frozen=True, slots=True)
class Embedding:
    """An identity vector; ``vector`` is (D,) float32, D = 128 or 512 by contract of its model."""

    vector: npt.NDArray[np.float32]
    model_sha256: str
    metric: str

    def distance(self, other: Embedding) -> float:
        """Distance to another vector of the same model: L2, or 1 - cosine.

        Raises:
            EmbeddingMismatchError: the vectors come from two models and cannot be compared.
        """
        if self.model_sha256 != other.model_sha256 or self.metric != other.metric:
            raise EmbeddingMismatchError(self.model_sha256, other.model_sha256)
        a, b = self.vector, other.vector
        if self.metric == "cosine":
            return float(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        return float(np.linalg.norm(a - b))


class Action(StrEnum):
    """What the guard says about one face."""

    SWAP = "swap"
    KEEP = "keep"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The guard's answer for one face; ``code`` is the stable reason, for example ``face.blocked``."""

    action: Action
    code: str = ""


@dataclass(frozen=True, slots=True)
class Face:
    """One face of one frame, as the guard sees it.

    ``track_id`` is None for a detection that is too weak or too small to be tracked; such a face is never
    swapped. ``embedding`` is the newest of its track (median of up to three), or None when there is none.
    """

    track_id: int | None
    box: Points
    score: float
    embedding: Embedding | None
    fresh: bool
    """True when the embedding was made on this very frame."""


@dataclass(frozen=True, slots=True)
class FrameFaces:
    """Every face of one frame, from score .35 up."""

    index: int
    time_s: float
    width_px: int
    height_px: int
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class Planes:
    """The picture on its way to the encoder: limited-range BT.709 4:2:0, written in place.

    ``y``: (h, w) uint8; ``u``, ``v``: (h/2, w/2) uint8. h and w are even. ``a``: (h, w) uint8, 0 to 255 in
    full, the cover of a picture that is transparent in places (colours not multiplied by it); None: opaque.
    """

    y: Plane
    u: Plane
    v: Plane
    a: Plane | None = None


Guard = Callable[[FrameFaces], Mapping[int, Verdict]]
"""Asked once a frame, before anything is swapped: track id -> verdict. A missing track id aborts."""
Finish = Callable[[Planes, int, float], None]
"""Called on every frame just before the encoder: planes (changed in place), frame index, seconds."""
Progress = Callable[[int, int], None]
"""Called per segment of frames: frames done, frames in all. It may raise ``CancelledError`` to stop."""


@dataclass(slots=True)
class ChunkReport:
    """What happened in one chunk; every figure of it goes into the job's record."""

    frames: int = 0
    detections: int = 0
    embedded: int = 0
    swapped: int = 0
    kept: int = 0
    profile: int = 0
    no_face: int = 0
    low_coverage: int = 0
    tracks: int = 0
    similarity: list[float] = field(default_factory=list)
    """Distance of the output face to the source, once a second."""
    notes: list[str] = field(default_factory=list)
    """Plain sentences: what was converted, dropped or missing."""
    mouth: list[tuple[float, float]] = field(default_factory=list)
    """Of a presenter's chunk, by frame as it was encoded: lips apart in eye distances, share of it dark."""
    driving: dict[str, Any] = field(default_factory=dict)
    """Of a presenter's chunk that another engine than the embedded one was to draw: what drew it."""
    stage_ms: dict[str, float] = field(default_factory=dict)
    """CPU milliseconds per frame by stage."""

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return {name: getattr(self, name) for name in self.__slots__}
