"""Encoded frames of one video in another: bit for bit, or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.media.encode import EncodeSettings, VideoWriter
from generation.engine.media.info import Keyframe, MediaInfo
from generation.engine.media.join import join
from generation.engine.types import Planes
from generation.presenter.errors import SpliceError
from generation.presenter.splice import take

FRAMES, KEYS = 60, {20, 37}


def info(frames: int) -> MediaInfo:
    return MediaInfo(
        "performance", 1, "x", 320, 240, 1, Fraction(1, 25), 0, frames / 25, frames, Fraction(25), False,
        "yuv420p", 8, 1, False, False, Fraction(1), (Keyframe(0, 0),), None,
    )  # fmt: skip


def planes(number: int, seed: int) -> Planes:
    chance = np.random.default_rng(1000 * seed + number)
    luma = chance.integers(50, 90, (240, 320)).astype(np.uint8)
    luma[40:80, 5 * number % 280 : 5 * number % 280 + 30] = 200
    return Planes(luma, np.full((120, 160), 128, np.uint8), np.full((120, 160), 128, np.uint8))


def chunk(path: Path, first: int, frames: int, *, seed: int = 0) -> Path:
    with VideoWriter(path, info=info(frames), settings=EncodeSettings()) as writer:
        for number in range(first, first + frames):
            writer.write(planes(number, seed), number, key=number in KEYS)
    return path


def shown(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as opened:
        return [frame.to_ndarray() for frame in opened.decode(video=0)]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    whole = tmp_path / "whole.mp4"
    join([chunk(tmp_path / "a.mp4", 0, FRAMES)], audio_from=None, out=whole, metadata={})
    return whole


def test_frames_are_taken_over_bit_for_bit(video: Path, tmp_path: Path) -> None:
    parts = [tmp_path / "0.mp4", chunk(tmp_path / "1.mp4", 20, 10, seed=1), tmp_path / "2.mp4"]
    take(video, parts[0], first=0, frames=20, start=0, fps=25)
    take(video, parts[2], first=37, frames=23, start=30, fps=25)
    out = tmp_path / "out.mp4"

    join(parts, audio_from=None, out=out, metadata={})

    before, after = shown(video), shown(out)
    assert len(after) == 53
    assert all(np.array_equal(before[at], after[at]) for at in range(20))
    assert all(np.array_equal(before[37 + at], after[30 + at]) for at in range(23))
    assert not np.array_equal(before[25], after[25])


@pytest.mark.parametrize(
    ("first", "frames"),
    [
        (5, 15),  # begins between key frames
        (20, 10),  # ends between key frames
        (37, 40),  # the video is over before
        (60, 5),  # behind its end
        (0, 0),
    ],
)
def test_what_cannot_be_cut_out_is_refused_and_leaves_nothing(
    first: int, frames: int, video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "part.mp4"

    with pytest.raises(SpliceError):
        take(video, out, first=first, frames=frames, start=0, fps=25)

    assert not list(tmp_path.glob("part*"))


def test_a_video_that_is_none_is_refused(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")

    with pytest.raises(SpliceError):
        take(bad, tmp_path / "part.mp4", first=0, frames=5, start=0, fps=25)
