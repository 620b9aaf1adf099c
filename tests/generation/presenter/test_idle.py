# ruff: noqa: F811  a fixture is named as its argument
"""Whether a clip can be an idle loop, and where it is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from generation.engine.faces.models import FaceModels
from generation.engine.media.chunks import whole
from generation.engine.media.decode import Frame, read_frames
from generation.engine.media.probe import probe
from generation.engine.types import Image, Points
from generation.presenter.errors import IdleRejectedError
from generation.presenter.idle import FaceWatcher, Sight, Study, examine, smoothed
from generation.presenter.loop import Loop, at_rate, unpacked
from generation.presenter.loop_seam import FADE, faded_meshes, faded_pictures, find_seam
from generation.presenter.puppet.geometry import face_of
from tests.generation.engine.conftest import media_dir  # noqa: F401  a fixture
from tests.generation.presenter.conftest import Portrait

FPS = 25
FRAMES = 12 * FPS
PICTURE = np.zeros((720, 960, 3), np.uint8)


def unit_of(mesh: Points) -> float:
    return face_of(mesh, width=1, height=1).unit


class Script:
    """A watcher that says what it was told to say, frame by frame."""

    def __init__(self, mesh: Points, changes: dict[int, Callable[[Points], Sight | Points]]) -> None:
        self._mesh, self._changes, self._at = mesh, changes, -1

    def see(self, _picture: Image) -> Sight:
        self._at += 1
        thumb = np.zeros((36, 64), np.float32)
        found = self._changes.get(self._at, lambda mesh: mesh)(self._mesh.copy())
        return found if isinstance(found, Sight) else Sight(1, found, thumb)


THUMB = np.zeros((36, 64), np.float32)


def opened(mesh: Points) -> Points:
    mesh[[14, 87, 317], 1] += 40
    return mesh


def shut(mesh: Points) -> Points:
    for top, bottom in ((159, 145), (386, 374)):
        mesh[top, 1] = mesh[bottom, 1]
    return mesh


def turned(mesh: Points) -> Points:
    angle = np.radians(25)
    middle = mesh.mean(0)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    return np.asarray((mesh - middle) @ turn.T + middle, np.float32)


def tilted(mesh: Points) -> Points:
    angle = np.radians(20)
    middle = mesh.mean(0)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return np.asarray((mesh - middle) @ turn.T + middle, np.float32)


def small(mesh: Points) -> Points:
    return np.asarray(mesh * 0.4, np.float32)


def lost(_: Points) -> Sight:
    return Sight(0, None, THUMB)


def two(_: Points) -> Sight:
    return Sight(2, None, THUMB)


def cut(mesh: Points) -> Sight:
    return Sight(1, mesh, THUMB, cut=True)


def some(change: Callable[[Points], Sight | Points], count: int, first: int = 40) -> dict[int, object]:
    return dict.fromkeys(range(first, first + count), change)


BAD: dict[str, tuple[dict[int, object], int, set[str]]] = {
    "nothing": ({}, 0, {"seconds", "eyes_apart_px"}),
    "nine seconds": ({}, 9 * FPS, {"seconds"}),
    "a minute": ({}, 60 * FPS, {"too_long_s"}),
    "talking": (some(opened, 30), FRAMES, {"mouth_open"}),
    "a word": (some(opened, 7), FRAMES, {"mouth_open"}),
    "asleep": (some(shut, 120), FRAMES, {"eyes_shut"}),
    "one frame without a face": (some(lost, 1), FRAMES, {"face_lost"}),
    "nobody": (some(lost, FRAMES, 0), FRAMES, {"face_lost", "eyes_apart_px"}),
    "somebody walks by": (some(two, 9), FRAMES, {"several_faces"}),
    "far away": (some(small, FRAMES, 0), FRAMES, {"eyes_apart_px"}),
    "looking aside": (some(turned, 40), FRAMES, {"yaw_deg"}),
    "a tilted head": (some(tilted, 40), FRAMES, {"roll_deg"}),
    "two takes": (some(cut, 1), FRAMES, {"cuts"}),
    "talking and turned": (some(lambda m: turned(opened(m)), 60), FRAMES, {"mouth_open", "yaw_deg"}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_clip_that_is_no_idle_clip_is_refused_with_its_numbers(case: str, closed: Portrait) -> None:
    changes, frames, names = BAD[case]

    with pytest.raises(IdleRejectedError) as raised:
        examine([PICTURE] * frames, watcher=Script(closed.mesh, changes), fps=FPS)

    assert set(raised.value.failed) == names
    assert raised.value.code == "idle_rejected"
    for name in names:
        assert f"{name} {raised.value.failed[name]:.3g}" in str(raised.value)


def test_what_a_person_does_while_waiting_is_accepted(closed: Portrait) -> None:
    changes = {**some(opened, 4), **some(shut, 6, 90), **some(shut, 6, 180), **some(two, 2, 200)}

    study = examine([PICTURE] * FRAMES, watcher=Script(closed.mesh, changes), fps=FPS)

    assert study.measures["mouth_open"] == pytest.approx(4 / 298, abs=1e-3)
    assert len(study.meshes) == len(study.thumbs) == FRAMES


def test_a_long_clip_is_not_read_to_its_end(closed: Portrait) -> None:
    given = 0

    def endless() -> Iterator[Image]:
        nonlocal given
        while True:
            given += 1
            yield PICTURE

    with pytest.raises(IdleRejectedError, match="too_long"):
        examine(endless(), watcher=Script(closed.mesh, {}), fps=FPS)
    assert given == 20 * FPS + 1


def test_a_large_picture_is_judged_at_the_size_it_is_drawn(closed: Portrait) -> None:
    tall = np.zeros((2160, 8, 3), np.uint8)

    with pytest.raises(IdleRejectedError) as raised:
        examine([tall] * FRAMES, watcher=Script(closed.mesh, {}), fps=FPS)

    assert raised.value.failed["eyes_apart_px"] == pytest.approx(unit_of(closed.mesh) / 2, rel=1e-3)


def test_smoothing_takes_jitter_out_and_does_not_lag() -> None:
    time = np.arange(200) / FPS
    clean = 300 + 20 * np.sin(2 * np.pi * 0.4 * time)
    noisy = clean + np.random.default_rng(1).normal(0, 1, 200)
    meshes = np.zeros((200, 468, 3), np.float32)
    meshes[:, :, 0] = noisy[:, None]

    found = smoothed(meshes, fps=FPS)[:, 0, 0]

    assert np.diff(found, 2).std() < 0.4 * np.diff(noisy, 2).std()
    late = [np.abs(np.roll(found, -lag) - clean)[10:-10].mean() for lag in range(-3, 4)]
    assert int(np.argmin(late)) - 3 == 0


# ---- the seam ----------------------------------------------------------------------------------------


def swaying(mesh: Points, frames: int, *, period_s: float, drift_px: float = 0.0) -> Points:
    time = np.arange(frames) / FPS
    moved = np.repeat(mesh[None], frames, 0)
    moved[:, :, 0] += (8 * np.sin(2 * np.pi * time / period_s) + drift_px * time)[:, None]
    moved[:, :, 1] += (3 * np.cos(2 * np.pi * time / period_s))[:, None]
    return np.asarray(moved, np.float32)


def study_of(meshes: Points) -> Study:
    return Study(meshes, np.zeros((len(meshes), 36, 64), np.float32), {})


def steps(meshes: Points) -> np.ndarray:
    return np.asarray(np.sqrt(((meshes[1:] - meshes[:-1])[:, :, :2] ** 2).sum(2).mean(1)))


def test_the_loop_is_cut_where_the_head_comes_back_with_the_same_speed(closed: Portrait) -> None:
    meshes = swaying(closed.mesh, FRAMES, period_s=8.0)

    seam = find_seam(study_of(meshes), fps=FPS)

    assert (seam.last - seam.first) % (8 * FPS) == 0  # half a period has the place, but not the speed
    loop = faded_meshes(meshes, seam)
    around = np.concatenate([loop[-FADE - 1 :], loop[:2]])
    assert steps(around).max() <= steps(meshes).max() * 1.05


def test_a_seam_s_distance_is_that_of_all_frames_of_the_fade(closed: Portrait) -> None:
    walk = np.cumsum(np.random.default_rng(3).normal(0, 0.4, (FRAMES, 2)), axis=0)
    meshes = np.repeat(closed.mesh[None], FRAMES, 0)
    meshes[:, :, :2] += walk[:, None].astype(np.float32)

    seam = find_seam(study_of(meshes), fps=FPS)

    leads = [walk[end - FADE : end] for end in (seam.first, seam.last)]
    expected = np.sqrt(((leads[0] - leads[1]) ** 2).sum(1).mean()) / unit_of(closed.mesh)
    assert seam.distance == pytest.approx(expected, rel=0.02)


def test_a_worse_seam_is_spread_over_the_fade(closed: Portrait) -> None:
    meshes = swaying(closed.mesh, FRAMES, period_s=9.0, drift_px=0.5)

    loop = faded_meshes(meshes, find_seam(study_of(meshes), fps=FPS))

    usual = np.percentile(steps(meshes), 90)
    assert steps(np.concatenate([loop[-FADE - 1 :], loop[:2]])).max() <= usual * 1.5


def test_among_like_faces_the_picture_around_them_decides(closed: Portrait) -> None:
    meshes = swaying(closed.mesh, FRAMES, period_s=2.0)
    thumbs = np.zeros((FRAMES, 36, 64), np.float32)
    thumbs[:, :, :] = (np.arange(FRAMES) % (10 * FPS))[:, None, None]  # a lamp that dims for ten seconds

    seam = find_seam(Study(meshes, thumbs, {}), fps=FPS)

    assert seam.last - seam.first == 10 * FPS


def test_a_head_that_never_comes_back_is_refused(closed: Portrait) -> None:
    meshes = swaying(closed.mesh, FRAMES, period_s=200.0, drift_px=6.0)

    with pytest.raises(IdleRejectedError, match="alike") as raised:
        find_seam(study_of(meshes), fps=FPS)
    assert raised.value.failed["seam"] > 0.05


def test_a_clip_of_a_moment_has_no_loop(closed: Portrait) -> None:
    with pytest.raises(IdleRejectedError, match="short"):
        find_seam(study_of(swaying(closed.mesh, 3 * FPS, period_s=1.0)), fps=FPS)


def test_pictures_fade_as_their_landmarks_do(closed: Portrait) -> None:
    meshes = swaying(closed.mesh, FRAMES, period_s=8.0)
    meshes[:, 0, 2] = np.arange(FRAMES)  # the depth of a point says which frame it is
    seam = find_seam(study_of(meshes), fps=FPS)
    pictures = (np.full((2, 2, 3), at % 256, np.uint8) for at in range(FRAMES))

    shown = [int(each[0, 0, 0]) for each in faded_pictures(pictures, seam)]
    told = faded_meshes(meshes, seam)[:, 0, 2]

    assert len(shown) == len(told) == seam.last - seam.first
    plain = len(shown) - FADE
    assert shown[:plain] == [each % 256 for each in range(seam.first, seam.first + plain)]
    lead = seam.first - FADE
    for step in range(FADE):
        weight = (step + 1) / (FADE + 1)
        end, begin = seam.last - FADE + step, lead + step
        assert told[plain + step] == pytest.approx(end + (begin - end) * weight, abs=0.01)
        assert shown[plain + step] == pytest.approx(end % 256 + (begin % 256 - end % 256) * weight, abs=1)


@pytest.mark.parametrize(
    ("rate", "count"), [(25, 50), (30, 60), (Fraction(24000, 1001), 48), (50, 100), (12.5, 25)]
)
def test_a_clip_of_another_rate_keeps_its_time(rate: float, count: int) -> None:
    frames = [
        Frame(at, at, float(at / rate), np.full((1, 1, 3), at, np.uint8), None, False) for at in range(count)
    ]

    found = [int(each[0, 0, 0]) / float(rate) for each in at_rate(frames, fps=FPS)]

    assert len(found) == pytest.approx(count / float(rate) * FPS, abs=1)
    assert np.abs(np.array(found) - np.arange(len(found)) / FPS).max() <= 0.5 / float(rate) + 1e-6


# ---- the record --------------------------------------------------------------------------------------


def test_a_loop_comes_back_from_its_record(closed: Portrait) -> None:
    loop = Loop(
        (640, 480), FPS, swaying(closed.mesh, 30, period_s=2.0), tuple(bytes([at]) * at for at in range(30))
    )

    again = unpacked(loop.packed())

    assert (again.meshes == loop.meshes).all()
    assert (again.size_px, again.fps, again.mattes) == (loop.size_px, loop.fps, loop.mattes)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"",
        lambda data: b"PK" + data[2:100],
        lambda data: data[:-40],
        lambda data: data.replace(b"meshes", b"mashes"),
        lambda data: Loop((640, 480), 0, unpacked(data).meshes).packed(),
        lambda data: Loop((640, 480), 25, unpacked(data).meshes[:, :5]).packed(),
        lambda data: Loop((640, 480), 25, unpacked(data).meshes * np.float32(np.nan)).packed(),
        lambda data: Loop((640, 480), 25, unpacked(data).meshes, (b"one",)).packed(),
    ],
)
def test_a_damaged_record_is_refused(spoil: Callable[[bytes], bytes], closed: Portrait) -> None:
    data = Loop((640, 480), FPS, swaying(closed.mesh, 4, period_s=2.0)).packed()

    with pytest.raises(IdleRejectedError, match="damaged"):
        unpacked(spoil(data))


def test_a_mouth_is_drawn_from_a_new_frame_once_the_head_has_turned(closed: Portrait) -> None:
    meshes = np.repeat(closed.mesh[None], 40, 0)
    for at in range(10, 20):
        meshes[at] = tilted(meshes[at])

    loop = Loop((640, 480), FPS, meshes)

    assert loop.references == (0, 10)
    assert loop.bases == (0,) * 10 + (10,) * 10 + (0,) * 20


# ---- real faces --------------------------------------------------------------------------------------

REAL = {
    "talking-man-480x270.mp4": {"seconds", "mouth_open"},
    "turning-woman-480x270.mp4": {"seconds", "yaw_deg"},
    "hand-over-mouth-640x480.mp4": {"seconds", "eyes_apart_px"},
    "signing-man-640x480.mp4": {"seconds", "eyes_apart_px"},
}


@pytest.mark.media
@pytest.mark.parametrize("name", REAL)
def test_clips_of_people_who_do_something_are_refused(name: str, media_dir: Path, models: FaceModels) -> None:
    path = media_dir / name
    info = probe(path)
    pictures = (frame.picture for frame in read_frames(path, info, whole(info)))

    with pytest.raises(IdleRejectedError) as raised:
        examine(islice(pictures, 20), watcher=FaceWatcher(models), fps=FPS)

    assert set(raised.value.failed) >= REAL[name]
