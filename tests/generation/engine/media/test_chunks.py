from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest

from generation.engine.media.chunks import ChunkSpan, plan_chunks, whole
from generation.engine.media.info import Keyframe, MediaInfo


def info(frames: int, keys: list[int], rate: int = 25) -> MediaInfo:
    return MediaInfo(
        container="mp4",
        size_bytes=1,
        codec="h264",
        width_px=64,
        height_px=48,
        orientation=1,
        time_base=Fraction(1, rate),
        start_pts=1000,
        duration_s=frames / rate,
        frame_count=frames,
        rate=Fraction(rate),
        variable_rate=False,
        pixel_format="yuv420p",
        bit_depth=8,
        colour_space=2,
        full_range=False,
        interlaced=False,
        pixel_aspect=Fraction(1),
        keyframes=tuple(Keyframe(1000 + k, k) for k in keys),
        audio=None,
    )


@pytest.mark.parametrize(
    ("frames", "keys", "firsts"),
    [
        (1, [0], [0]),
        (250, [0], [0]),
        (5000, [0], [0]),
        (250, [0, 125], [0]),
        (500, [0, 250], [0, 250]),
        (550, [0, 250, 500], [0, 250]),  # the rest of two seconds joins
        (1000, list(range(0, 1000, 10)), [0, 250, 500, 750]),
        (1000, [0, 240, 260, 490, 770], [0, 240, 490, 770]),
        (600, [7, 300], [0, 300]),
        (600, [], [0]),
    ],
)
def test_cuts_lie_at_keyframes_near_the_target(frames: int, keys: list[int], firsts: list[int]) -> None:
    spans = plan_chunks(info(frames, keys), target_s=10.0)
    assert [s.first_frame for s in spans] == firsts
    assert sum(s.frames for s in spans) == frames
    assert all(a.first_frame + a.frames == b.first_frame for a, b in pairwise(spans))


def test_warm_frames_start_at_an_earlier_keyframe() -> None:
    spans = plan_chunks(info(1000, list(range(0, 1000, 5))), target_s=10.0)
    assert spans[0].seek is None
    assert spans[1].warm_frames == 12
    assert spans[1].seek == Keyframe(1235, 235)


def test_span_survives_its_record() -> None:
    for span in plan_chunks(info(1000, list(range(0, 1000, 5)))):
        assert ChunkSpan.from_record(span.as_record()) == span


def test_whole_is_one_span() -> None:
    assert whole(info(77, [0])) == ChunkSpan(index=0, first_frame=0, frames=77)
