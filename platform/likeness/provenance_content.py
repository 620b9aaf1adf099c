"""The pictures of a file against recorded thumbnails: of the output that a mark names, and of all outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generation import prints
from generation import selectors as jobs
from generation.marking import unpacked
from likeness.provenance_verdict import Content
from watermark import content, frames
from watermark.content import Thumbnail, Timed
from watermark.errors import UnreadableError, UnsupportedFrameError
from watermark.search import Geometry

if TYPE_CHECKING:
    from generation.models import Job

FRAMES = 6
LOOKS_ALIKE = 0.85
"""Correlation with the thumbnails from which two pictures look alike; 0.97 and more after re-encoding."""
SHOWN = 3
_UPRIGHT = (Geometry(), Geometry(mirror=True))
_TURNED = tuple(Geometry(quarter_turns=turns) for turns in (1, 2, 3))


@dataclass(frozen=True, slots=True)
class Compared:
    """Whether the file shows what was delivered; ``offset_s`` of its start in the output."""

    state: Content
    similarity: float | None = None
    offset_s: float | None = None

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "state": self.state.value,
            "similarity": self.similarity,
            "threshold": content.AGREES,
            "offset_s": self.offset_s,
        }


@dataclass(frozen=True, slots=True)
class Lookalike:
    """An output that looks like the file, at ``second`` of it; never a proof."""

    job: Job
    second: int
    distance: int
    similarity: float

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        about = {"job": str(self.job.id), "second": self.second}
        return {**about, "distance": self.distance, "similarity": self.similarity}


def seen(path: Path) -> list[Timed]:
    """Frames of a file that lie evenly over it; none when it has no picture."""
    try:
        return [Timed(second, luma) for second, luma in frames.sampled(path, FRAMES)]
    except UnreadableError:
        return []


def compared(job: Job, shown: list[Timed], geometry: Geometry) -> Compared:
    """The file's pictures, put back as the mark lies on them, against the record of the job."""
    track = _track(job)
    try:
        found = content.compare(track, shown, geometry)
    except UnsupportedFrameError:
        return Compared(Content.UNCOMPARED)
    similarity = round(found.similarity, 3)
    if not found.agrees:
        return Compared(Content.DIFFERS, similarity)
    state = Content.REARRANGED if found.offset_s is None else Content.AGREES
    return Compared(state, similarity, found.offset_s)


def lookalikes(shown: list[Timed], *, tenant: str | None) -> tuple[Lookalike, ...]:
    """Outputs of a tenant, or with None of all, that look like the file as it is, mirrored or turned."""
    telling = [frame for frame in shown if content.tells(frame.luma)]
    orders = _UPRIGHT + _TURNED
    asked = [_hash(frame, order) for order in orders for frame in telling]
    found = []
    for one in prints.alike(asked, tenant=tenant):
        order = orders[one.asked // len(telling)]
        agreed = compared(one.job, telling, order)
        if agreed.similarity is not None and agreed.similarity >= LOOKS_ALIKE:
            found.append(Lookalike(one.job, one.second, one.distance, agreed.similarity))
    return tuple(sorted(found, key=lambda one: -one.similarity)[:SHOWN])


def _hash(frame: Timed, order: Geometry) -> int:
    return content.perceptual_hash(content.thumbnail(content.upright(frame.luma, order)))


def _track(job: Job) -> list[Thumbnail]:
    record = jobs.content_track(job)
    return [Thumbnail(second, luma, 0) for second, luma in unpacked(record)] if record else []
