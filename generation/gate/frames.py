"""A few frames of the footage for the first look: the ends, the starts of scenes, one a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from generation.engine.media.chunks import ChunkSpan, whole
from generation.engine.media.decode import read_frames
from generation.engine.media.info import Keyframe, MediaInfo
from generation.engine.types import Image
from generation.gate.footage import sample_times


def sampled_frames(path: Path, info: MediaInfo) -> Iterator[Image]:
    """The frames to look at, in order.

    They are sought one by one, or picked from one pass where keyframes are so rare that this is cheaper.

    Raises:
        MediaError: the file breaks off or cannot be decoded.
    """
    wanted = frame_numbers(info)
    sought = [(number, _keyframe_before(info, number)) for number in wanted]
    cost = sum(number - (key.first_frame if key else 0) + 1 for number, key in sought)
    if info.still or cost >= info.frame_count:
        picked = set(wanted)
        for frame in read_frames(path, info, whole(info)):
            if frame.index in picked:
                yield frame.picture
        return
    for number, key in sought:
        span = ChunkSpan(index=0, first_frame=number, frames=1, seek=key)
        yield from (frame.picture for frame in read_frames(path, info, span))


def frame_numbers(info: MediaInfo) -> tuple[int, ...]:
    """Which frames: encoders put keyframes where scenes start, so keyframes count as such."""
    cuts = [float((key.pts - info.start_pts) * info.time_base) for key in info.keyframes]
    last = info.frame_count - 1
    times = sample_times(info.duration_s, cuts)
    return tuple(sorted({min(last, round(last * time / max(info.duration_s, 1e-9))) for time in times}))


def _keyframe_before(info: MediaInfo, number: int) -> Keyframe | None:
    earlier = [key for key in info.keyframes if key.first_frame <= number]
    return max(earlier, key=lambda key: key.first_frame) if earlier else None
