from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest

from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import head_pose
from generation.engine.faces.track import Tracker
from generation.engine.swap.performer import performer_frames, tone
from generation.engine.types import Image


def clip(
    models: FaceModels, portrait: Image, marks: Landmarks, height: int = 360, fps: float = 12.5
) -> Iterator[Image]:
    return performer_frames(portrait, marks.mesh, models.triangles, width=640, height=height, fps=fps)


@pytest.fixture(scope="module")
def frames(models: FaceModels, grace_hopper: Image, grace_marks: Landmarks) -> list[Image]:
    return list(clip(models, grace_hopper, grace_marks))


def test_a_clip_has_the_frames_that_were_asked_for(frames: list[Image]) -> None:
    assert len(frames) == 75
    assert {frame.shape for frame in frames} == {(360, 640, 3)}


def test_two_runs_give_the_same_frames(
    models: FaceModels, grace_hopper: Image, grace_marks: Landmarks, frames: list[Image]
) -> None:
    again = clip(models, grace_hopper, grace_marks)
    for first, second in zip(islice(again, 12), frames, strict=False):
        assert (first == second).all()


def test_the_performer_turns_blinks_and_stays_one_person(models: FaceModels, frames: list[Image]) -> None:
    tracker = Tracker(models, 12.5)
    seen = [tracker.update(frame, index, index / 12.5) for index, frame in enumerate(frames[:58])]
    assert [[track.id for track in tracks] for tracks in seen] == [[1]] * 58
    yaws = [tracks[0].pose.yaw_deg for tracks in seen]
    assert max(yaws) - min(yaws) > 12
    assert max(abs(yaw) for yaw in yaws) < 20
    still, moved = frames[0], frames[43]
    assert np.abs(still.astype(int) - moved).mean() > 1
    assert np.abs(still[:, :60].astype(int) - moved[:, :60]).max() <= 3


def test_a_blink_covers_the_iris_with_skin(
    models: FaceModels, grace_hopper: Image, grace_marks: Landmarks
) -> None:
    made = list(islice(clip(models, grace_hopper, grace_marks, height=600, fps=25), 25))
    marks = models.landmarks.settle(made[16], models.detector.detect(made[16])[0])
    x, y = (int(v) for v in marks.mesh[[159, 145], :2].mean(0))
    open_eye, closed = (made[i][y - 3 : y + 4, x - 4 : x + 5].mean(2) for i in (16, 21))
    assert closed.min() > open_eye.min() + 15
    assert abs(head_pose(marks.mesh).roll_deg) < 12


@pytest.mark.parametrize(("width", "height"), [(360, 640), (320, 320), (854, 480)])
def test_any_frame_shape_is_filled(
    models: FaceModels, grace_hopper: Image, grace_marks: Landmarks, width: int, height: int
) -> None:
    made = performer_frames(
        grace_hopper, grace_marks.mesh, models.triangles, width=width, height=height, seconds=0.08
    )
    assert [frame.shape for frame in made] == [(height, width, 3)] * 2


def test_the_tone_is_quiet_deterministic_and_ends_softly() -> None:
    sound = tone(1.5)
    assert sound.dtype == np.int16
    assert sound.shape == (72000,)
    assert 2000 < int(np.abs(sound).max()) < 12000
    assert abs(int(sound[0])) < 10
    assert abs(int(sound[-1])) < 10
    assert (tone(1.5) == sound).all()
    assert tone(0).shape == (0,)
