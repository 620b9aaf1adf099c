from __future__ import annotations

import math

import numpy as np
import pytest

from generation.engine.types import Detection, Embedding, Image
from generation.gate.footage import look, sample_times
from generation.gate.gallery import Gallery, gallery_of
from generation.gate.guard import Bands

BANDS = Bands(same=0.5, review=0.6)
FRAME = np.zeros((60, 100, 3), np.uint8)


class FakeEyes:
    """Sees the faces that the test wrote down: per frame a list of (place, score, width)."""

    def __init__(self, *frames: list[tuple[float | None, float, float]]) -> None:
        self._frames = list(frames)
        self._now: dict[int, float | None] = {}

    @property
    def frames(self) -> list[Image]:
        return [FRAME] * len(self._frames)

    def detect(self, frame: Image) -> tuple[Detection, ...]:  # noqa: ARG002  a Protocol
        found = []
        for place, score, width in self._frames.pop(0):
            one = Detection(np.array([0, 0, width, width], np.float32), score, np.zeros((5, 2), np.float32))
            self._now[id(one)] = place
            found.append(one)
        self._alive = found
        return tuple(found)

    def embed(self, frame: Image, found: Detection) -> Embedding | None:  # noqa: ARG002  a Protocol
        place = self._now[id(found)]
        return None if place is None else Embedding(np.array([place, 1], np.float32), "m", "l2")


def people(*places: float) -> Gallery:
    rows = [(f"at{x}", np.array([x, 1], np.float32)) for x in places]
    return gallery_of(rows, model_sha256="m", metric="l2")


def test_a_performer_is_recognised() -> None:
    eyes = FakeEyes([(0.1, 0.9, 30)], [(0.55, 0.9, 30)], [(0.0, 0.9, 30)])
    seen = look(eyes.frames, eyes, performers=people(0.0), blocked=people(5.0), bands=BANDS)
    assert (seen.performers, seen.strangers, seen.strong_faces, seen.faces_at_once) == (("at0.0",), 0, 3, 1)
    assert seen.frames_looked_at == 3
    assert seen.blocked_distance == pytest.approx(4.45)


def test_somebody_else_is_a_stranger() -> None:
    eyes = FakeEyes([(0.0, 0.9, 30)], [(2.0, 0.9, 30)])
    seen = look(eyes.frames, eyes, performers=people(0.0), blocked=people(), bands=BANDS)
    assert seen.strangers == 1
    assert seen.stranger_distance == pytest.approx(2.0)
    assert math.isinf(seen.blocked_distance)


def test_a_face_only_near_a_performer_is_a_doubtful_stranger() -> None:
    eyes = FakeEyes([(0.55, 0.9, 30)])
    seen = look(eyes.frames, eyes, performers=people(0.0), blocked=people(), bands=BANDS)
    assert (seen.performers, seen.strangers) == ((), 1)
    assert seen.stranger_distance == pytest.approx(0.55)


def test_a_weak_face_counts_only_against_the_block_list() -> None:
    eyes = FakeEyes([(5.1, 0.4, 30), (7.0, 0.9, 2)])
    seen = look(eyes.frames, eyes, performers=people(0.0), blocked=people(5.0), bands=BANDS)
    assert (seen.strong_faces, seen.strangers) == (0, 0)
    assert seen.blocked_distance == pytest.approx(0.1)


def test_a_strong_face_that_cannot_be_compared_is_counted() -> None:
    eyes = FakeEyes([(None, 0.9, 30), (None, 0.4, 30)])
    seen = look(eyes.frames, eyes, performers=people(0.0), blocked=people(), bands=BANDS)
    assert (seen.strong_faces, seen.strong_without_embedding) == (1, 1)


def test_two_performers_are_both_named() -> None:
    eyes = FakeEyes([(0.0, 0.9, 30), (3.0, 0.9, 30)])
    seen = look(eyes.frames, eyes, performers=people(0.0, 3.0), blocked=people(), bands=BANDS)
    assert (seen.performers, seen.faces_at_once) == (("at0.0", "at3.0"), 2)


def test_no_frames_are_nothing_seen() -> None:
    eyes = FakeEyes()
    seen = look([], eyes, performers=people(0.0), blocked=people(), bands=BANDS)
    assert (seen.frames_looked_at, seen.strong_faces) == (0, 0)


@pytest.mark.parametrize(
    ("duration", "cuts", "expected"),
    [
        (0.0, (), (0.0,)),
        (math.nan, (), (0.0,)),
        (0.5, (), (0.0, 0.5)),
        (2.0, (), (0.0, 2 / 3, 4 / 3, 2.0)),
        (1.0, (0.25, 7.0), (0.0, 0.25, 0.5, 1.0)),
    ],
)
def test_first_last_scene_starts_and_every_second(
    duration: float, cuts: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    assert sample_times(duration, cuts) == pytest.approx(expected)


@pytest.mark.parametrize(("duration", "cuts"), [(600.0, 0), (600.0, 100), (10.0, 30)])
def test_at_most_24_frames_are_looked_at_and_the_ends_are_among_them(duration: float, cuts: int) -> None:
    times = sample_times(duration, tuple(duration * i / 100 for i in range(cuts)))
    assert len(times) <= 24
    assert (times[0], times[-1]) == (0.0, duration)
