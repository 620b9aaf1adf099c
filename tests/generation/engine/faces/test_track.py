from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from generation.engine.errors import EngineError
from generation.engine.faces.detect import Detector
from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.pose import similarity2d
from generation.engine.faces.track import Tracker
from generation.engine.types import Detection, FrameFaces, Image

FPS = 25.0


class WeakDetector:
    """The real detector with its scores lowered."""

    def __init__(self, models: FaceModels, score: float) -> None:
        self._inner = models.detector
        self._score = score

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        return tuple(replace(found, score=self._score) for found in self._inner.detect(frame))


class BlinkingDetector:
    """The real detector, blind on some calls."""

    def __init__(self, models: FaceModels, blind: range) -> None:
        self._inner = models.detector
        self._blind = blind
        self._calls = 0

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        self._calls += 1
        return () if self._calls - 1 in self._blind else self._inner.detect(frame)


class CountingDetector:
    """The real detector, counting its calls."""

    def __init__(self, inner: Detector) -> None:
        self._inner = inner
        self.calls = 0

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        self.calls += 1
        return self._inner.detect(frame)


class NoGlance:
    """A glance that never sees anything, so that every frame gets the full look."""

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        del frame
        return ()


def seeing(models: FaceModels, detector: Detector) -> FaceModels:
    return replace(models, detector=detector, glance=NoGlance())


def scene(picture: Image, x: int = 150, scale: float = 0.6) -> Image:
    canvas = np.full((360, 640, 3), (110, 120, 100), np.uint8)
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = min(360, small.shape[0]), small.shape[1]
    canvas[:height, x : x + width] = small[:height]
    return canvas


def run(tracker: Tracker, frames: list[Image]) -> Iterator[FrameFaces]:
    for index, frame in enumerate(frames):
        tracker.update(frame, index, index / FPS)
        yield tracker.frame_faces(index, index / FPS)


def ids(frames: list[FrameFaces]) -> list[list[int | None]]:
    return [[face.track_id for face in frame.faces] for frame in frames]


def test_faces_of_another_frame_are_refused(models: FaceModels, astronaut: Image) -> None:
    tracker = Tracker(models, FPS)
    tracker.update(scene(astronaut), 0, 0.0)
    with pytest.raises(EngineError, match="frame 1"):
        tracker.frame_faces(1, 0.04)


def test_an_empty_scene_has_no_faces(models: FaceModels) -> None:
    seen = list(run(Tracker(models, FPS), [np.full((360, 640, 3), 100, np.uint8)] * 2))
    assert ids(seen) == [[], []]


def test_a_moving_face_is_one_track_embedded_once(models: FaceModels, astronaut: Image) -> None:
    tracker = Tracker(models, FPS)
    seen = list(run(tracker, [scene(astronaut, x=100 + 6 * i) for i in range(10)]))
    assert ids(seen) == [[1]] * 10
    assert [frame.faces[0].fresh for frame in seen] == [True] + [False] * 9
    assert tracker.embedded == 1


def test_a_cut_begins_new_tracks_with_new_embeddings(
    models: FaceModels, astronaut: Image, grace_hopper: Image
) -> None:
    frames = (
        [scene(astronaut)] * 3 + [255 - scene(astronaut)] * 2 + [scene(grace_hopper, x=300, scale=0.5)] * 2
    )
    frames[3:5] = [np.full((360, 640, 3), 250, np.uint8)] * 2
    seen = list(run(Tracker(models, FPS), frames))
    assert ids(seen) == [[1]] * 3 + [[]] * 2 + [[2]] * 2
    assert seen[5].faces[0].fresh


@pytest.mark.parametrize(("gap", "after"), [(3, 1), (8, 2)])
def test_a_track_outlives_a_short_gap_only(
    models: FaceModels, astronaut: Image, gap: int, after: int
) -> None:
    covered = scene(astronaut)
    covered[20:130, 230:340] = 90
    frames = [scene(astronaut)] * 2 + [covered] * gap + [scene(astronaut)] * 2
    seen = list(run(Tracker(models, FPS), frames))
    assert ids(seen) == [[1]] * 2 + [[]] * gap + [[after]] * 2


@pytest.mark.parametrize(("blind", "seen_after"), [(range(2, 4), 0), (range(2, 12), 5)])
def test_landmarks_bridge_a_missing_detection_for_a_few_frames(
    models: FaceModels, astronaut: Image, blind: range, seen_after: int
) -> None:
    tracker = Tracker(seeing(models, BlinkingDetector(models, blind)), FPS)
    seen = ids(list(run(tracker, [scene(astronaut, x=120 + 4 * i) for i in range(14)])))
    assert seen[:2] == [[1]] * 2
    lost = [index for index, faces in enumerate(seen) if not faces]
    assert lost == (list(range(2 + seen_after, 12)) if seen_after else [])


def test_a_known_face_gets_the_full_look_on_every_third_frame(models: FaceModels, astronaut: Image) -> None:
    full, glance = CountingDetector(models.detector), CountingDetector(models.glance)
    seen = list(run(Tracker(replace(models, detector=full, glance=glance), FPS), [scene(astronaut)] * 12))
    assert ids(seen) == [[1]] * 12
    assert (full.calls, glance.calls) == (4, 8)


def test_a_second_face_gets_the_full_look_at_once(models: FaceModels, astronaut: Image) -> None:
    both = scene(astronaut, x=20)
    both[:, 330:] = scene(astronaut, x=330)[:, 330:]
    frames = [scene(astronaut, x=20)] * 2 + [both]
    assert len(list(run(Tracker(models, FPS), frames))[2].faces) == 2


@pytest.mark.parametrize("position", [3, 7, 11])
def test_a_face_exchanged_for_three_frames_is_embedded_on_the_first_of_them(
    models: FaceModels,
    astronaut: Image,
    astronaut_marks: Landmarks,
    grace_hopper: Image,
    grace_marks: Landmarks,
    position: int,
) -> None:
    onto = similarity2d(astronaut_marks.mesh[:, :2], grace_marks.mesh[:, :2])
    other = cv2.warpAffine(astronaut, onto, (512, 600))
    area = np.zeros((600, 512), np.uint8)
    cv2.ellipse(area, (262, 230), (120, 150), 0, 0, 360, 255, -1)
    exchanged = np.where(area[..., None] > 0, other, grace_hopper)
    frames = [scene(grace_hopper)] * 15
    frames[position : position + 3] = [scene(exchanged)] * 3
    seen = list(run(Tracker(models, FPS), frames))
    fresh = [index for index, frame in enumerate(seen) if frame.faces[0].fresh]
    assert fresh == [0, position, position + 3]
    own = models.embedder.embed(astronaut, astronaut_marks.mesh)
    found = seen[position].faces[0].embedding
    assert found is not None
    assert found.distance(own) < models.embedder.thresholds.same


@pytest.mark.parametrize("score", [0.36, 0.59])
def test_a_weak_face_is_reported_and_embedded_but_never_tracked(
    models: FaceModels, astronaut: Image, score: float
) -> None:
    weak = seeing(models, WeakDetector(models, score))
    tracker = Tracker(weak, FPS)
    seen = list(run(tracker, [scene(astronaut)] * 3))
    assert ids(seen) == [[None]] * 3
    assert all(frame.faces[0].embedding is not None for frame in seen)
    assert tracker.embedded == 1


def test_a_small_face_is_reported_with_its_embedding(models: FaceModels, grace_hopper: Image) -> None:
    seen = list(run(Tracker(models, FPS), [scene(grace_hopper, scale=0.16)] * 2))
    face = seen[0].faces[0]
    assert face.track_id is None
    assert face.embedding is not None


def test_a_person_who_appears_for_three_frames_is_always_seen(
    models: FaceModels, astronaut: Image, astronaut_marks: Landmarks, grace_hopper: Image
) -> None:
    frames = [scene(grace_hopper, x=10, scale=0.5) for _ in range(42)]
    for start, x, y, side in (
        (3, 300, 0, 300),
        (12, 420, 200, 150),
        (21, 300, 120, 90),
        (30, 480, 20, 120),
        (38, 320, 60, 200),
    ):
        for frame in frames[start : start + 3]:
            frame[y : y + side, x : x + side] = cv2.resize(
                astronaut, (side, side), interpolation=cv2.INTER_AREA
            )
    own = models.embedder.embed(astronaut, astronaut_marks.mesh)
    seen = list(run(Tracker(models, FPS), frames))
    crowded = [index for index, faces in enumerate(seen) if len(faces.faces) == 2]
    assert crowded == [start + step for start in (3, 12, 21, 30, 38) for step in range(3)]
    for index in (3, 12, 38):  # the others are narrower than 24 px: reported, but not embedded
        vectors = [face.embedding for face in seen[index].faces if face.embedding is not None]
        assert min(own.distance(vector) for vector in vectors) < models.embedder.thresholds.review


def test_two_faces_are_two_tracks(models: FaceModels, astronaut: Image, grace_hopper: Image) -> None:
    frame = scene(astronaut, x=0)
    frame[:300, 330:586] = cv2.resize(grace_hopper, (256, 300), interpolation=cv2.INTER_AREA)
    seen = list(run(Tracker(models, FPS), [frame] * 3))
    assert [sorted(str(i) for i in one) for one in ids(seen)] == [["1", "2"]] * 3


@pytest.mark.media
@pytest.mark.parametrize(
    "name", ["talking-man-480x270.mp4", "turning-woman-480x270.mp4", "signing-man-640x480.mp4"]
)
def test_one_person_is_one_track_through_a_whole_clip(models: FaceModels, media_dir: Path, name: str) -> None:
    with av.open(str(media_dir / name)) as clip:
        tracker = Tracker(models, float(clip.streams.video[0].average_rate or FPS))
        found = [
            [
                track.id
                for track in tracker.update(frame.to_ndarray(format="bgr24"), index, float(frame.time or 0))
            ]
            for index, frame in enumerate(clip.decode(video=0))
            if index < 30
        ]
    assert found == [[1]] * len(found)
