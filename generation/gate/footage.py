"""The first look at the footage: who is on a few of its frames, before the job is admitted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from generation.engine.errors import ModelOutputError
from generation.engine.faces.models import FaceModels
from generation.engine.types import Detection, Embedding, Image
from generation.gate.gallery import Gallery, is_strong, mean
from generation.gate.guard import Bands

MAX_FRAMES = 24
PRESENCE_MIN = 0.5
"""Below this the landmarks say that there is no face; its vector would mean nothing."""


FaceBox = tuple[int, int, int, int]
"""x0, y0, x1, y1 of a face in pixels of the picture; the visible label keeps off it."""


class Eyes(Protocol):
    """What is needed of the engine: faces of a picture, and the identity of one."""

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        """Every face from score .35 up."""

    def embed(self, frame: Image, found: Detection) -> Embedding | None:
        """The face's vector, or None when there is no usable face in the box."""


class ModelEyes:
    """The loaded models, looking at single pictures."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        """Every face from score .35 up."""
        return self._models.detector.detect(frame)

    def embed(self, frame: Image, found: Detection) -> Embedding | None:
        """The face's vector, or None when there is no usable face in the box."""
        marks = self._models.landmarks.settle(frame, found)
        if marks.presence < PRESENCE_MIN:
            return None
        try:
            return self._models.embedder.embed(frame, marks.mesh)
        except ModelOutputError:
            return None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen; the fields are those of ``rules.Facts``, and ``boxes`` of all faces for each frame."""

    frames_looked_at: int
    strong_faces: int
    strong_without_embedding: int
    blocked_distance: float
    strangers: int
    stranger_distance: float
    performers: tuple[str, ...]
    performer_distance: float
    faces_at_once: int
    boxes: tuple[tuple[FaceBox, ...], ...] = ()


@dataclass(slots=True)
class _Notes:
    frames: int = 0
    strong: int = 0
    blind: int = 0
    blocked: float = math.inf
    at_once: int = 0
    by_performer: dict[str, list[Embedding]] = field(default_factory=dict)
    strangers: list[float] = field(default_factory=list)
    boxes: list[tuple[FaceBox, ...]] = field(default_factory=list)


def sample_times(
    duration_s: float, cuts_s: Sequence[float] = (), *, most: int = MAX_FRAMES
) -> tuple[float, ...]:
    """When to look: first and last frame, the start of every scene, and about once a second between."""
    if not math.isfinite(duration_s) or duration_s <= 0:
        return (0.0,)
    must = sorted({0.0, duration_s, *(cut for cut in cuts_s if 0 < cut < duration_s)})
    must = [must[round(i * (len(must) - 1) / (most - 1))] for i in range(most)] if len(must) > most else must
    room = max(0, most - len(must))
    steps = min(room, int(duration_s))
    between = [duration_s * (i + 1) / (steps + 1) for i in range(steps)]
    return tuple(sorted({*must, *between}))


def look(
    frames: Iterable[Image], eyes: Eyes, *, performers: Gallery, blocked: Gallery, bands: Bands
) -> Sighting:
    """Compare every face of these frames with the block list, and each strong one with the performers.

    A performer's faces are judged by their mean, as the guard judges a track.
    """
    notes = _Notes()
    for frame in frames:
        notes.frames += 1
        strong_here = 0
        faces = eyes.detect(frame)
        notes.boxes.append(tuple(_box(found) for found in faces))
        for found in faces:
            strong = is_strong(found.score, found.width_px, frame_width_px=frame.shape[1])
            strong_here += strong
            _note(
                notes,
                eyes.embed(frame, found),
                strong=strong,
                performers=performers,
                blocked=blocked,
                bands=bands,
            )
        notes.strong += strong_here
        notes.at_once = max(notes.at_once, strong_here)
    matched, doubtful = _judge(notes.by_performer, performers, bands)
    strangers = [*notes.strangers, *doubtful]
    return Sighting(
        frames_looked_at=notes.frames,
        strong_faces=notes.strong,
        strong_without_embedding=notes.blind,
        blocked_distance=notes.blocked,
        strangers=len(strangers),
        stranger_distance=min(strangers, default=math.inf),
        performers=tuple(sorted(matched)),
        performer_distance=max(matched.values(), default=math.inf),
        faces_at_once=notes.at_once,
        boxes=tuple(notes.boxes),
    )


def _box(found: Detection) -> FaceBox:
    x0, y0, x1, y1 = (round(float(value)) for value in found.box)
    return x0, y0, x1, y1


def _note(
    notes: _Notes,
    face: Embedding | None,
    *,
    strong: bool,
    performers: Gallery,
    blocked: Gallery,
    bands: Bands,
) -> None:
    if face is None:
        notes.blind += strong
        return
    notes.blocked = min(notes.blocked, blocked.nearest(face).distance)
    if not strong:
        return
    nearest = performers.nearest(face)
    if nearest.distance <= bands.review:
        notes.by_performer.setdefault(nearest.who, []).append(face)
    else:
        notes.strangers.append(nearest.distance)


def _judge(
    seen: Mapping[str, Sequence[Embedding]], performers: Gallery, bands: Bands
) -> tuple[dict[str, float], list[float]]:
    """Performers that are surely there, and the distances of those who may be somebody else."""
    distances = {who: performers.distance_to(who, mean(faces)) for who, faces in seen.items()}
    sure = {who: distance for who, distance in distances.items() if distance <= bands.same}
    return sure, [distance for who, distance in distances.items() if who not in sure]
