from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generation.engine.errors import UnreadableMediaError
from generation.engine.media.chunks import ChunkSpan, plan_chunks, whole
from generation.engine.media.colour import from_planes
from generation.engine.media.decode import Frame, frames_at, read_frames, read_planes
from generation.engine.media.info import Keyframe
from generation.engine.media.probe import probe
from tests.generation.engine.media.makers import counter, make_clip, read_counter

OPEN_GOP = {"x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0", "bf": "3"}


def frames_of(path: Path) -> list[Frame]:
    info = probe(path)
    return list(read_frames(path, info, whole(info)))


def quadrants(size: tuple[int, int]) -> np.ndarray:
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (200, 30, 30)
    picture[: height // 2, width // 2 :] = (30, 200, 30)
    picture[height // 2 :, : width // 2] = (30, 30, 200)
    picture[height // 2 :, width // 2 :] = (200, 200, 200)
    return picture


@pytest.mark.parametrize("degrees", [0.0, 90.0, 180.0, -90.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_pixels_are_upright(tmp_path: Path, degrees: float, mirrored: bool) -> None:
    stored = quadrants((128, 96))
    path = make_clip(tmp_path / "a.mp4", frames=2, turn=(degrees, mirrored), picture=stored)
    expected = np.rot90(stored, round(degrees / 90))
    if mirrored:
        expected = expected[:, ::-1]
    info = probe(path)
    picture = frames_of(path)[0].picture
    assert info.output_size_px == (picture.shape[1], picture.shape[0])
    assert picture.shape == expected.shape
    assert np.abs(picture.astype(int) - expected).mean() < 6


def test_odd_size_is_padded_with_its_edge(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", size=(127, 95), pix_fmt="yuv444p")
    info = probe(path)
    picture = frames_of(path)[0].picture
    assert info.shown_size_px == (127, 95)
    assert picture.shape == (96, 128, 3)
    assert np.array_equal(picture[:, -1], picture[:, -2])
    assert np.array_equal(picture[-1], picture[-2])
    assert any("even" in note for note in info.notes)


def test_variable_times_are_kept(tmp_path: Path) -> None:
    pts = [0, 40, 55, 300, 310, 311, 700]
    path = make_clip(tmp_path / "a.mkv", frames=7, pts=pts, time_base=Fraction(1, 1000))
    assert [f.pts for f in frames_of(path)] == pts
    assert [f.time_s for f in frames_of(path)] == [p / 1000 for p in pts]


def test_ten_bit_becomes_eight(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=0"}
    )
    info = probe(path)
    frames = frames_of(path)
    assert info.bit_depth == 10
    assert frames[0].picture.dtype == np.uint8
    assert [read_counter(f.picture) for f in frames] == list(range(30))
    assert any("8 bit" in note for note in info.notes)


def test_interlaced_picture_is_deinterlaced(tmp_path: Path) -> None:
    def bar(number: int) -> np.ndarray:
        picture = np.full((96, 128, 3), 30, np.uint8)
        for field in (0, 1):
            left = 12 * number + 6 * field
            picture[field::2, left : left + 12] = 220
        return picture

    options = {"x264-params": "interlaced=1:tff=1", "crf": "5"}
    path = make_clip(tmp_path / "a.mp4", picture=bar, frames=8, options=options)
    info = probe(path)
    assert info.interlaced
    frames = frames_of(path)
    assert len(frames) == 8
    assert [f.pts for f in frames] == sorted({f.pts for f in frames})
    before = np.abs(np.diff(bar(4)[:, :, 0].astype(int), axis=0)).mean()
    after = np.abs(np.diff(frames[4].picture[:, :, 0].astype(int), axis=0)).mean()
    assert after < before / 2


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
@pytest.mark.parametrize("options", [{}, OPEN_GOP, {"bf": "0"}], ids=["closed", "open", "no-b"])
def test_each_chunk_gets_its_own_frames(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    path = make_clip(tmp_path / name, frames=90, options=options)
    info = probe(path)
    seen = []
    for span in plan_chunks(info, target_s=0.9):
        frames = list(read_frames(path, info, span))
        assert [read_counter(f.picture) for f in frames] == [f.index for f in frames]
        assert sum(f.warm for f in frames) == span.warm_frames
        seen += [f.index for f in frames if not f.warm]
    assert seen == list(range(90))


def test_leading_frames_belong_to_the_former_chunk(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", frames=40, codec="mpeg2video", options={"bf": "2"}, gop=12)
    info = probe(path)
    keys = [k.first_frame for k in info.keyframes]
    assert 0 in keys
    assert len(keys) > 2
    for span in plan_chunks(info, target_s=0.5):
        own = [f for f in read_frames(path, info, span) if not f.warm]
        assert [read_counter(f.picture) for f in own] == list(
            range(span.first_frame, span.first_frame + span.frames)
        )


def test_wrong_index_falls_back_to_the_start(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=60)
    info = probe(path)
    step = info.keyframes[1].pts // 12
    no_keyframe = Keyframe(info.keyframes[1].pts + step, 13)
    span = ChunkSpan(index=1, first_frame=30, frames=5, seek=no_keyframe, warm_frames=0)
    frames = list(read_frames(path, info, span))
    assert [read_counter(f.picture) for f in frames] == list(range(30, 35))


def test_fewer_frames_than_planned_are_an_error(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=50)
    span = ChunkSpan(index=0, first_frame=0, frames=60)
    with pytest.raises(UnreadableMediaError, match=r"after 1\.960 s: 10 of 60 frames are missing"):
        list(read_frames(path, probe(path), span))


def test_picture_that_breaks_off_names_the_last_good_time(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4", frames=50, container_options={"movflags": "faststart"}, options={"crf": "5"}
    )
    info = probe(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(UnreadableMediaError, match=r"breaks off after [01]\.\d+ s|cannot be read"):
        list(read_frames(path, info, whole(info)))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_frames_at_gives_the_frame_of_each_time(tmp_path: Path, name: str) -> None:
    path = make_clip(tmp_path / name, frames=100)
    info = probe(path)
    frames = list(frames_at(path, info, [0.0, 0.04, 0.5, 0.51, 2.0, 3.96, 99.0]))
    assert [read_counter(f.picture) for f in frames] == [0, 1, 13, 50, 99]
    assert [f.index for f in frames] == [0, 1, 13, 50, 99]


def test_still_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "a.png"
    cv2.imwrite(str(path), counter(77, (127, 95)))
    info = probe(path)
    assert info.still
    frames = frames_of(path)
    assert [read_counter(f.picture) for f in frames] == [77]
    assert frames[0].picture.shape == (96, 128, 3)
    assert [f.index for f in frames_at(path, info, [0.0])] == [0]


@pytest.mark.parametrize(
    ("colour", "height"),
    [((1, 1, 1), 96), ((6, 6, 6), 96), (None, 96), (None, 720)],
    ids=["709", "601", "sd", "hd"],
)
def test_matrix_of_the_input_is_honoured(
    tmp_path: Path, colour: tuple[int, int, int] | None, height: int
) -> None:
    import av

    width = 128
    matrix = {None: 1 if height > 576 else 5}.get(colour, colour[2] if colour else 0)
    red = np.zeros((height, width, 3), np.uint8)
    red[:] = (20, 20, 220)
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if colour:
            stream.codec_context.color_primaries, stream.codec_context.color_trc = colour[:2]
            stream.codec_context.colorspace = colour[2]
        sws = 1 if matrix == 1 else 5
        frame = av.VideoFrame.from_ndarray(red, "bgr24").reformat(format="yuv420p", dst_colorspace=sws)
        frame.pts = 0
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert probe(path).colour_space == (colour[2] if colour else 2)
    assert np.abs(frames_of(path)[0].picture.astype(int) - red).max() <= 4


@pytest.mark.parametrize(
    "made",
    [
        {"size": (128, 720)},  # stored as the encoder takes it
        {"size": (128, 96)},  # another matrix
        {"size": (128, 720), "turn": (90.0, False)},
        {"size": (128, 720), "pix_fmt": "yuv444p"},
    ],
    ids=["as it is", "BT.601", "turned", "4:4:4"],
)
def test_planes_show_what_the_pictures_show(tmp_path: Path, made: dict[str, Any]) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=4, picture=quadrants(made["size"]), **made)
    info = probe(path)

    planes = list(read_planes(path, info, whole(info)))

    pictures = [frame.picture for frame in frames_of(path)]
    assert len(planes) == len(pictures) == 4
    for one, picture in zip(planes, pictures, strict=True):
        assert np.abs(from_planes(one).astype(int) - picture).mean() < 1.5


def test_planes_are_only_read_and_leave_out_warm_frames(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=24, size=(128, 720))
    info = probe(path)
    span = plan_chunks(info, target_s=0.4)[1]

    planes = list(read_planes(path, info, span))

    assert span.warm_frames
    assert [read_counter(from_planes(one)) for one in planes] == list(range(span.first_frame, 24))
    with pytest.raises(ValueError, match="read-only"):
        planes[0].y[0, 0] = 0


def test_planes_that_break_off_are_an_error(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=12)
    info = probe(path)
    span = replace(whole(info), frames=20)

    with pytest.raises(UnreadableMediaError, match="missing"):
        list(read_planes(path, info, span))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"x264-params": "bframes=3:b-adapt=0:b-pyramid=none:scenecut=0"}),
        ("a.mp4", {"x264-params": "bframes=5:b-adapt=0:b-pyramid=normal:scenecut=0"}),
        ("a.mkv", OPEN_GOP),
        ("a.mp4", {"x264-params": "interlaced=1"}),
    ],
)
def test_one_time_alone_gives_the_same_frame_as_all(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    path = make_clip(tmp_path / name, frames=40, gop=15, options=options)
    info = probe(path)
    all_of_them = frames_of(path)

    for wanted in (0, 1, 2, 13, 14, 15, 16, 29, 38, 39):
        (found,) = frames_at(path, info, [all_of_them[wanted].time_s - 0.01])
        assert (found.index, found.pts) == (wanted, all_of_them[wanted].pts)
        assert np.array_equal(found.picture, all_of_them[wanted].picture)

    (last,) = frames_at(path, info, [99.0])
    assert last.index == 39
