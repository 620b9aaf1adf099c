from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from generation.engine.media.chunks import whole
from generation.engine.media.colour import from_planes, own_planes, redraw, to_frame, to_planes
from generation.engine.media.decode import read_frames
from generation.engine.media.probe import probe
from generation.engine.types import Planes
from tests.generation.engine.media.makers import make_clip

RNG = np.random.default_rng(3)


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    parts = (rows * 2 + columns, 255 - rows - columns // 2, columns + 40)
    return np.clip(np.stack(parts, axis=-1), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("bgr", "yuv"),
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((128, 128, 128), (126, 128, 128)),
        ((0, 0, 255), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((255, 0, 0), (32, 240, 118)),
    ],
)
def test_planes_are_limited_bt709(bgr: tuple[int, int, int], yuv: tuple[int, int, int]) -> None:
    planes = to_planes(np.full((4, 6, 3), bgr, np.uint8))
    assert (planes.y.shape, planes.u.shape, planes.v.shape) == ((4, 6), (2, 3), (2, 3))
    assert (planes.y[1, 2], planes.u[1, 2], planes.v[1, 2]) == pytest.approx(yuv, abs=1)
    assert np.abs(from_planes(planes).astype(int) - bgr).max() <= 2


def test_picture_survives_planes_and_back() -> None:
    picture = smooth(96, 128)
    assert np.abs(from_planes(to_planes(picture)).astype(int) - picture).mean() < 0.8


@pytest.mark.parametrize("box", [(0, 1, 0, 1), (10, 41, 33, 50), (95, 96, 127, 128), (0, 96, 0, 128)])
def test_redraw_touches_only_what_changed(box: tuple[int, int, int, int]) -> None:
    before = smooth(96, 128)
    planes = Planes(*(RNG.integers(16, 235, shape, np.uint8) for shape in ((96, 128), (48, 64), (48, 64))))
    old = [plane.copy() for plane in (planes.y, planes.u, planes.v)]
    after = before.copy()
    y0, y1, x0, x1 = box
    after[y0:y1, x0:x1] ^= 0x55
    redraw(planes, before=before, after=after)
    whole_picture = to_planes(after)
    inside = np.zeros((96, 128), bool)
    inside[y0 // 2 * 2 : -(-y1 // 2) * 2, x0 // 2 * 2 : -(-x1 // 2) * 2] = True
    assert np.array_equal(planes.y[inside], whole_picture.y[inside])
    assert np.array_equal(planes.y[~inside], old[0][~inside])
    for mine, theirs, was in ((planes.u, whole_picture.u, old[1]), (planes.v, whole_picture.v, old[2])):
        assert np.array_equal(mine[inside[::2, ::2]], theirs[inside[::2, ::2]])
        assert np.array_equal(mine[~inside[::2, ::2]], was[~inside[::2, ::2]])


def test_planes_of_a_decoded_picture_are_the_decoded_planes() -> None:
    planes = to_planes(smooth(96, 128))
    again = to_planes(from_planes(planes))
    for mine, was in ((again.y, planes.y), (again.u, planes.u), (again.v, planes.v)):
        change = mine.astype(int) - was
        assert abs(change.mean()) < 0.25  # swscale: 1.2
        assert np.percentile(np.abs(change), 95) <= 1


def test_redraw_of_nothing_changes_nothing() -> None:
    picture = smooth(96, 128)
    planes = Planes(*(RNG.integers(16, 235, shape, np.uint8) for shape in ((96, 128), (48, 64), (48, 64))))
    old = planes.y.copy()
    redraw(planes, before=picture, after=picture.copy())
    assert np.array_equal(planes.y, old)


@pytest.mark.parametrize(
    ("matrix", "height", "color_range", "format_name", "own"),
    [
        (1, 96, 1, "yuv420p", True),
        (1, 96, 0, "yuv420p", True),
        (2, 720, 1, "yuv420p", True),
        (2, 96, 1, "yuv420p", False),
        (6, 720, 1, "yuv420p", False),
        (1, 96, 2, "yuv420p", False),
        (1, 96, 1, "yuvj420p", False),
        (1, 96, 1, "yuv420p10le", False),
        (1, 96, 1, "yuv444p", False),
        (1, 95, 1, "yuv420p", False),
    ],
)
def test_own_planes_are_taken_only_where_they_fit(
    matrix: int, height: int, color_range: int, format_name: str, own: bool
) -> None:
    frame = av.VideoFrame(64, height, format_name)
    frame.colorspace, frame.color_range = matrix, color_range
    assert (own_planes(frame) is not None) is own


def test_own_planes_are_a_copy() -> None:
    frame = to_frame(to_planes(smooth(96, 128)))
    frame.colorspace = 1
    planes = own_planes(frame)
    assert planes is not None
    planes.y[:] = 0
    again = own_planes(frame)
    assert again is not None
    assert again.y.any()


@pytest.mark.parametrize("turned", [False, True])
def test_decoded_planes_show_the_decoded_picture(tmp_path: Path, turned: bool) -> None:
    path = make_clip(tmp_path / "a.mp4", size=(64, 640), frames=3, turn=(90.0, False) if turned else None)
    info = probe(path)
    for frame in read_frames(path, info, whole(info)):
        assert (frame.planes is None) is turned
        if frame.planes:
            again = from_planes(frame.planes)
            assert np.array_equal(again, frame.picture)
