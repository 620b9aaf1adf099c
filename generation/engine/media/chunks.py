"""Where a video is cut into pieces that are processed one by one and joined by stream copy.

Cuts lie at keyframes, counted in shown frames: a leading frame of an open GOP, which is stored after the
keyframe but shown before it, belongs to the former chunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from generation.engine.media.info import Keyframe, MediaInfo

WARM_FRAMES = 12  # decoded before a chunk without output, so that filters and tracks have settled
SHORTEST = 0.25  # a rest shorter than this share of the target joins the last chunk


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """A run of shown frames; ``seek`` is where decoding starts, None for the start of the file."""

    index: int
    first_frame: int
    frames: int
    seek: Keyframe | None = None
    warm_frames: int = 0

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ChunkSpan:
        """What ``as_record`` gave."""
        seek = record["seek"]
        return cls(**{**record, "seek": Keyframe(**seek) if seek else None})


def plan_chunks(info: MediaInfo, *, target_s: float = 10.0) -> list[ChunkSpan]:
    """Spans that cover every frame once, each about ``target_s`` long where keyframes allow it."""
    cuts = [0, *_cuts(info, target_s), info.frame_count]
    return [_span(info, index, a, b) for index, (a, b) in enumerate(pairwise(cuts))]


def whole(info: MediaInfo) -> ChunkSpan:
    """One span over all frames."""
    return ChunkSpan(index=0, first_frame=0, frames=info.frame_count)


def _cuts(info: MediaInfo, target_s: float) -> list[int]:
    """First frames of the second and later chunks."""
    cuts: list[int] = []
    started = 0.0
    times = [float((k.pts - info.start_pts) * info.time_base) for k in info.keyframes]
    for at, key in enumerate(info.keyframes):
        length = times[at] - started
        following = (times[at + 1] if at + 1 < len(times) else info.duration_s) - started
        short_rest = info.duration_s - times[at] < SHORTEST * target_s
        if key.first_frame == 0 or length <= 0 or short_rest:
            continue
        if target_s - length <= following - target_s:
            cuts.append(key.first_frame)
            started = times[at]
    return cuts


def _span(info: MediaInfo, index: int, first: int, end: int) -> ChunkSpan:
    warm = min(WARM_FRAMES, first)
    seek = [k for k in info.keyframes if k.first_frame <= first - warm]
    return ChunkSpan(
        index=index,
        first_frame=first,
        frames=end - first,
        seek=seek[-1] if first and seek else None,
        warm_frames=warm,
    )
