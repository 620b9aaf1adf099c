from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from generation.engine.media.colour import from_planes, to_planes
from generation.engine.types import Image
from generation.presenter.errors import SyncUnmeasuredError
from generation.presenter.watching import _cut, _Follower, follow

POINTS = np.array([[140, 100], [220, 100], [180, 140], [150, 180], [210, 180]], np.float32)


@pytest.fixture
def picture() -> Image:
    noise = np.random.Generator(np.random.PCG64(3)).integers(0, 255, (60, 90, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(noise, (360, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def moved(picture: Image, x: float, y: float) -> Image:
    shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, shift, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


@pytest.mark.parametrize(
    "places",
    [
        [(2, 0), (4, -2), (7, -4), (10, -6), (13, -8)],  # further than is looked at nearby
        [(0, 0), (11, 9), (-12, 3)],  # jumps
        [(0, 0), (15, 15), (15, 15), (0, 0)],
        [(0.5, 0.25), (1.5, 1.25)],
    ],
    ids=["drift", "jumps", "edge of reach", "parts of a pixel"],
)
@pytest.mark.parametrize("corner", [(0, 0), (48, 40)])
def test_the_mouth_is_found_where_the_head_went(
    places: Sequence[tuple[float, float]], corner: tuple[int, int], picture: Image
) -> None:
    follower = _Follower(picture, POINTS)
    x, y = corner
    at_rest = follower.mouth(picture[y:, x:], corner).astype(int)

    for place in places:
        found = follower.mouth(moved(picture, *place)[y:, x:], corner)
        assert np.abs(found - at_rest).mean() < 6, place


@pytest.mark.parametrize("shrink", [1, 2])
@pytest.mark.parametrize(
    "box", [(41, 33, 101, 90), (-20, -9, 30, 40), (120, 90, 999, 999), (900, 900, 950, 950), (-9, -9, -5, -5)]
)
def test_a_part_shows_its_place_in_the_frame(
    shrink: int, box: tuple[int, int, int, int], picture: Image
) -> None:
    planes = to_planes(np.asarray(cv2.GaussianBlur(picture, (0, 0), 5), np.uint8))
    whole = from_planes(planes)
    size = (whole.shape[1] // shrink, whole.shape[0] // shrink)
    whole = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8)

    part, (x, y) = _cut(planes, box, shrink)

    height, width = part.shape[:2]
    for at, length, low, high, side in zip(
        (x, y), (width, height), box[:2], box[2:], (whole.shape[1], whole.shape[0]), strict=True
    ):
        assert 0 <= at < at + length <= side
        assert at <= max(0, low)
        assert at + length >= min(side, high)
    expected = whole[y : y + height, x : x + width].astype(int)
    assert np.abs(part - expected).mean() < 3


@dataclass
class Blind:
    """A detector that finds nothing."""

    landmarks: None = None
    seen: list[Image] = field(default_factory=list)

    @property
    def detector(self) -> Blind:
        return self

    def detect(self, picture: Image) -> list[object]:
        self.seen.append(picture)
        return []


def test_a_first_frame_without_a_face_is_refused(picture: Image) -> None:
    blind = Blind()

    with pytest.raises(SyncUnmeasuredError, match=r"clip\.mp4 shows no face"):
        follow([to_planes(picture)] * 3, blind, name="clip.mp4")  # type: ignore[arg-type]

    assert len(blind.seen) == 1
