"""The gate while frames run: asked about every face of every frame, before anything is replaced.

- A blocked face stops the job, however small or unsure it is.
- A face that could be replaced must be a released performer's, by the mean of its track; else the job stops.
- A face that could be replaced and cannot be compared stops the job.
- A track that was once a performer's must not become somebody else's.
- Any other face is kept as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from generation.engine.errors import GuardAbortError
from generation.engine.types import Action, Embedding, Face, FrameFaces, Guard, Verdict
from generation.gate.gallery import Gallery, is_strong, mean

SWAP = Verdict(Action.SWAP)
KEEP = Verdict(Action.KEEP, "face.kept")
TRACK_MEMORY = 8
"""The newest embeddings of a track that its mean is made of."""


@dataclass(frozen=True, slots=True)
class Bands:
    """Distances of the embedding model: the same person up to ``same``, undecided up to ``review``."""

    same: float
    review: float


@dataclass(slots=True)
class _Track:
    seen: list[Embedding] = field(default_factory=list)
    verdict: Verdict | None = None
    who: str = ""


@dataclass(slots=True)
class GuardTally:
    """What the guard saw; goes into the job's report."""

    frames: int = 0
    faces: int = 0
    embedded: int = 0
    kept: int = 0
    nearest_blocked: float = math.inf
    farthest_performer: float = 0.0


_Tracks = dict[int, _Track]


class FaceGuard:
    """The engine's guard for one chunk of one permitted job.

    Asked directly it knows one tracker's tracks. Ids begin anew with each tracker: every further one gets a
    guard of its own from ``follow``, so that the faces of two people are never taken for one track.
    """

    def __init__(self, *, performers: Gallery, blocked: Gallery, bands: Bands) -> None:
        self._performers = performers
        self._blocked = blocked
        self._bands = bands
        self._tracks: _Tracks = {}
        self._seen: list[Embedding] = []
        self.performers: set[str] = set()
        """Whom it let be replaced, by their consents."""
        self.tally = GuardTally()

    def __call__(self, frame: FrameFaces) -> Mapping[int, Verdict]:
        """A verdict for every track of the frame.

        Raises:
            GateError: a vector cannot be compared; the engine stops.
            GuardAbortError: a strong face has no track, so no verdict could reach it.
        """
        return self._ask(frame, self._tracks)

    def follow(self) -> Guard:
        """A guard for one more tracker: with tracks of its own, and this one's lists, tally and memory."""
        return partial(self._ask, tracks={})

    def _ask(self, frame: FrameFaces, tracks: _Tracks) -> Mapping[int, Verdict]:
        self.tally.frames += 1
        verdicts: dict[int, Verdict] = {}
        for face in frame.faces:
            self.tally.faces += 1
            verdict = self._judge(face, frame, tracks)
            if face.track_id is not None:
                verdicts[face.track_id] = verdict
            elif verdict.action is Action.ABORT:
                raise GuardAbortError(verdict.code, frame=frame.index)
        return verdicts

    def renew(self, blocked: Gallery) -> None:
        """Use a newer block list from here on; faces that were already seen are compared with it at once.

        Raises:
            GuardAbortError: one of them is on it.
        """
        self._blocked = blocked
        if any(self._is_blocked(face) for face in self._seen):
            raise GuardAbortError("face.blocked", frame=self.tally.frames)

    @property
    def gallery_version(self) -> int:
        """Version of the block list in use."""
        return self._blocked.version

    def _judge(self, face: Face, frame: FrameFaces, tracks: _Tracks) -> Verdict:
        track = tracks.setdefault(face.track_id, _Track()) if face.track_id is not None else _Track()
        new = face.embedding is not None and (face.fresh or not track.seen)
        if face.embedding is not None and new:
            self.tally.embedded += 1
            self._seen.append(face.embedding)
            track.seen = [*track.seen, face.embedding][-TRACK_MEMORY:]
            if self._is_blocked(face.embedding):
                return Verdict(Action.ABORT, "face.blocked")
        strong = is_strong(face.score, float(face.box[2] - face.box[0]), frame_width_px=frame.width_px)
        if track.verdict is not None and not new:
            return track.verdict
        if track.verdict is None and not strong:
            self.tally.kept += 1
            return KEEP
        track.verdict = self._compare(track)
        return track.verdict if face.track_id is not None else Verdict(Action.ABORT, "coverage.incomplete")

    def _compare(self, track: _Track) -> Verdict:
        if not track.seen:
            return Verdict(Action.ABORT, "coverage.incomplete")
        nearest = self._performers.nearest(mean(track.seen))
        newest = self._performers.distance_to(nearest.who, track.seen[-1])
        self.tally.farthest_performer = max(self.tally.farthest_performer, nearest.distance)
        if nearest.distance <= self._bands.same and newest <= self._bands.review:
            if track.who not in ("", nearest.who):
                return Verdict(Action.ABORT, "target.ambiguous")
            track.who = nearest.who
            self.performers.add(nearest.who)
            return SWAP
        undecided = newest <= self._bands.review
        return Verdict(Action.ABORT, "face.review" if undecided else "performer.no_release")

    def _is_blocked(self, face: Embedding) -> bool:
        distance = self._blocked.nearest(face).distance
        self.tally.nearest_blocked = min(self.tally.nearest_blocked, distance)
        return not distance > self._bands.review
