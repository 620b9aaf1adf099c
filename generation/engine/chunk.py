"""What one pass over a chunk is given: the plan, the limits, and the parts that know faces.

The parts are named by what the pass needs of them; ``faces.track.Tracker``, ``swap.mesh.MeshSwapper`` and
``faces.embed.DlibEmbedder`` are such parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from generation.engine.media.chunks import ChunkSpan
from generation.engine.media.encode import EncodeSettings
from generation.engine.media.info import MediaInfo, MediaLimits
from generation.engine.types import Embedding, FrameFaces, Image, Points


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """One chunk: where it comes from, which frames, and the file that it becomes."""

    source: Path
    info: MediaInfo
    span: ChunkSpan
    out: Path


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Limits of the pass; the angles are from the classical swap's measurements (profile rule)."""

    encode: EncodeSettings = field(default_factory=EncodeSettings)
    limits: MediaLimits = field(default_factory=MediaLimits)
    camera_yaw_deg: float = 60.0
    relative_yaw_deg: float = 40.0
    coverage: float = 0.6
    progress_frames: int = 12
    queue_frames: int = 4
    monitor_s: float = 1.0


class HeadPose(Protocol):
    """Where a head points."""

    @property
    def yaw_deg(self) -> float:
        """Turn to the side against the camera."""


class TrackedFace(Protocol):
    """One followed face of one frame."""

    @property
    def id(self) -> int:
        """Stays the same while the face is followed."""

    @property
    def mesh(self) -> Points:
        """(468, 3) float32, pixels of the frame."""

    @property
    def pose(self) -> HeadPose:
        """Where the head points."""


class FaceTracker(Protocol):
    """Follows the faces of one chunk; its frames come in order."""

    @property
    def embedded(self) -> int:
        """Embeddings made so far."""

    def update(self, frame: Image, index: int, time_s: float) -> Sequence[TrackedFace]:
        """The followed faces of the next frame."""

    def frame_faces(self, index: int, time_s: float) -> FrameFaces:
        """Every face of that frame, followed or not, as the guard sees it."""


class SwapOutcome(Protocol):
    """What a swap did."""

    @property
    def yaw_relative_deg(self) -> float:
        """Turn of the target's head against the portrait's."""

    @property
    def coverage(self) -> float:
        """Mean of the mask in the core of the face, 0 to 1."""

    @property
    def strength(self) -> float:
        """0 when nothing was changed, 1 in full."""


class FaceSwapper(Protocol):
    """Puts the source's face in the place of one face."""

    def swap(self, frame: Image, mesh: Points) -> SwapOutcome:
        """Changes the frame in place, inside the face's region only."""


class StillSwapper(FaceSwapper, Protocol):
    """A swapper that takes more time and care over a picture which is to be driven."""

    @property
    def portrait(self) -> tuple[Image, Points]:
        """The source's face, (h, w, 3) uint8 BGR, and its (468, 3) landmarks there."""

    def swap_still(self, frame: Image, mesh: Points) -> SwapOutcome:
        """Changes the picture in place."""


class FaceEmbedder(Protocol):
    """Makes identity vectors."""

    def embed(self, frame: Image, mesh: Points) -> Embedding:
        """The vector of the face with these landmarks."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """The source's identity, to compare the output with it; ``embedder`` must be of the same model."""

    embedder: FaceEmbedder
    source: Embedding
