"""Follow every face through a clip: detector, landmarks and identity, once a frame.

- Every frame is searched; nothing that the detector sees from score .35 up stays unreported.
- A track starts only from a sure and large enough detection, and lives on detections;
  for a few frames without one, on its landmarks.
- A weaker or smaller face is reported without a track: the guard sees it, nobody swaps it.
- A cut ends every track. A gap, a conflict or a changed look puts the identity in doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from generation.engine.errors import EngineError
from generation.engine.faces.association import match, overlap
from generation.engine.faces.cuts import CutFinder
from generation.engine.faces.filter import OneEuro
from generation.engine.faces.identity import Identity
from generation.engine.faces.landmarks import Landmarks, Region
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import Pose, head_pose
from generation.engine.faces.strays import Strays
from generation.engine.types import Detection, Embedding, Face, FrameFaces, Image, Points

FULL_LOOK_EVERY = 3
"""Frames from one search at full size to the next; a blocked face may be hidden in as few as three."""


@dataclass(frozen=True, slots=True)
class TrackLimits:
    """When a detection becomes a track, and how long a track waits."""

    start_score: float = 0.6  # a star pattern scored .44-.66 and passed FaceMesh at .99
    start_width: float = 0.05  # of the frame's width
    presence: float = 0.5
    gap_frames: int = 5
    same_look: float = 0.6  # consecutive frames of one face stay above .77, two people below .32
    conflict: float = 0.5


@dataclass(frozen=True, slots=True)
class Track:
    """One followed face in one frame; ``mesh``: (468, 3) float32, smoothed."""

    id: int
    box: Points
    score: float
    mesh: Points
    presence: float
    pose: Pose
    embedding: Embedding | None
    fresh: bool


@dataclass(slots=True)
class _Live:
    id: int
    box: Points
    score: float
    raw: Landmarks
    identity: Identity
    filter: OneEuro = field(default_factory=OneEuro)
    mesh: Points = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    look: npt.NDArray[np.float32] | None = None
    missed: int = 0
    seen: bool = True

    def looks_the_same(self, least: float) -> bool:
        return self.look is None or float((self.look * self.raw.look).mean()) >= least


class Tracker:
    """Follows the faces of one clip; its frames come in order."""

    def __init__(self, models: FaceModels, fps: float, *, limits: TrackLimits | None = None) -> None:
        self._models = models
        self._usual_step_s = 1 / fps
        self._limits = limits or TrackLimits()
        self._cuts = CutFinder()
        self._live: list[_Live] = []
        self._strays = Strays(models, presence=self._limits.presence)
        self._next_id = 1
        self._glances = 0
        self._index: int | None = None
        self._time_s = float("-inf")
        self._shape = (0, 0)
        self.embedded = 0
        """Embeddings made so far."""

    def update(self, frame: Image, index: int, time_s: float) -> tuple[Track, ...]:
        """The tracks of the next frame.

        Raises:
            ModelOutputError: a network gave NaN.
        """
        step_s = time_s - self._time_s
        if not 0 < step_s < 1:
            step_s = self._usual_step_s
        self._index, self._time_s, self._shape = index, time_s, frame.shape[:2]
        if self._cuts.is_cut(frame):
            self._live.clear()
            self._strays.forget()
        found = self._search(frame)
        unclaimed = self._start(frame, self._follow(frame, found))
        self._settle_conflicts()
        for live in self._live:
            self._advance(live, frame, step_s)
        self.embedded += self._strays.update(frame, unclaimed, time_s=time_s)
        return tuple(self._view(live) for live in self._live if live.seen)

    def frame_faces(self, index: int, time_s: float) -> FrameFaces:
        """Every face of the frame that was updated last, tracked or not.

        Raises:
            EngineError: it is asked for another frame.
        """
        if index != self._index:
            raise EngineError(
                f"Faces of frame {index} were asked for; the tracker is at frame {self._index}."
            )
        tracked = tuple(
            Face(live.id, live.box, live.score, live.identity.embedding, live.identity.fresh)
            for live in self._live
            if live.seen
        )
        height, width = self._shape
        return FrameFaces(index, time_s, width, height, tracked + self._strays.faces())

    def _search(self, frame: Image) -> tuple[Detection, ...]:
        """The faces of this frame: a full look on every third frame, a glance between.

        A glance is believed only while it shows exactly the faces that are followed already; anything more,
        less or untracked gets the full look at once. So a face that is there for three frames is always
        looked for at full size.
        """
        self._glances += 1
        known = bool(self._live) and all(live.seen and not live.missed for live in self._live)
        if known and not self._strays.faces() and self._glances < FULL_LOOK_EVERY:
            found = self._models.glance.detect(frame)
            if len(found) == len(self._live):
                return found
        self._glances = 0
        return self._models.detector.detect(frame)

    def _follow(self, frame: Image, found: tuple[Detection, ...]) -> list[Detection]:
        """Move the tracks to this frame; gives the detections that belong to none."""
        for live in self._live:
            live.raw = self._models.landmarks.measure(frame, Region.of_mesh(live.raw.mesh))
        places = [live.raw.box if self._holds(live.raw) else live.box for live in self._live]
        pairs = match(places, [item.box for item in found])
        for number, live in enumerate(self._live):
            self._place(live, frame, found[pairs[number]] if number in pairs else None)
        claimed = {pairs[number] for number, live in enumerate(self._live) if live.seen and number in pairs}
        self._live = [live for live in self._live if live.missed <= self._limits.gap_frames]
        return [item for number, item in enumerate(found) if number not in claimed]

    def _place(self, live: _Live, frame: Image, item: Detection | None) -> None:
        if item is None:
            # Landmarks alone may cling to a pattern: without a detection they are believed for a few frames,
            # and only while they show the same thing.
            live.missed += 1
            live.seen = live.seen and self._holds(live.raw) and live.looks_the_same(self._limits.same_look)
            live.box = live.raw.box if live.seen else live.box
            return
        if not self._holds(live.raw):
            live.raw = self._models.landmarks.settle(frame, item)
            live.filter = OneEuro()
        live.box, live.score = item.box, item.score
        live.seen = self._holds(live.raw)
        live.missed = 0 if live.seen else live.missed + 1

    def _start(self, frame: Image, found: list[Detection]) -> list[Detection]:
        """New tracks from what is sure and large enough; gives the rest."""
        rest = []
        for item in found:
            sure = item.score >= self._limits.start_score
            large = item.width_px >= self._limits.start_width * frame.shape[1]
            raw = self._models.landmarks.settle(frame, item) if sure and large else None
            if raw is None or not self._holds(raw) or self._taken(raw):
                rest.append(item)
                continue
            identity = Identity(self._models.embedder)
            self._live.append(_Live(self._next_id, item.box, item.score, raw, identity))
            self._next_id += 1
        return rest

    def _advance(self, live: _Live, frame: Image, step_s: float) -> None:
        """Smooth the landmarks, compare the look, renew the identity."""
        if not live.seen:
            live.identity.fresh = False
            return
        live.mesh = live.filter.smooth(live.raw.mesh, step_s=step_s)
        if not live.looks_the_same(self._limits.same_look):
            live.identity.doubt()
        live.look = live.raw.look
        yaw_deg = head_pose(live.mesh).yaw_deg
        self.embedded += live.identity.follow(frame, live.raw.mesh, time_s=self._time_s, yaw_deg=yaw_deg)

    def _settle_conflicts(self) -> None:
        """Of two tracks on one face the elder stays, and its identity is looked at again."""
        kept: list[_Live] = []
        for live in self._live:
            rival = next((k for k in kept if k.seen and live.seen and self._collide(k.raw, live.raw)), None)
            if rival is None:
                kept.append(live)
            else:
                rival.identity.doubt()
        self._live = kept

    def _collide(self, a: Landmarks, b: Landmarks) -> bool:
        return overlap(a.box, b.box) > self._limits.conflict

    def _taken(self, raw: Landmarks) -> bool:
        return any(live.seen and self._collide(live.raw, raw) for live in self._live)

    def _holds(self, raw: Landmarks) -> bool:
        return raw.presence >= self._limits.presence

    def _view(self, live: _Live) -> Track:
        identity = live.identity
        pose = head_pose(live.mesh)
        return Track(
            live.id,
            live.box,
            live.score,
            live.mesh,
            live.raw.presence,
            pose,
            identity.embedding,
            identity.fresh,
        )
