"""What moves in a face besides the mouth, and where the mouth parts."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from generation.engine.types import Image
from generation.presenter.puppet.fields import STEP, backward_map, places
from generation.presenter.puppet.gaze import EYEBALL
from generation.presenter.puppet.geometry import LOWER_INNER, UPPER_INNER, Face, face_of
from generation.presenter.puppet.lips import lips_of
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.puppet.seam import on_seam
from generation.presenter.visemes import JAW, TARGETS, WIDE
from tests.generation.presenter.conftest import Portrait

REST = TARGETS[0]


@pytest.fixture(scope="module")
def puppet(closed: Portrait) -> Puppet:
    return Puppet(closed.picture, closed.mesh)


def face(portrait: Portrait) -> Face:
    height, width = portrait.picture.shape[:2]
    return face_of(portrait.mesh, width=width, height=height)


@pytest.mark.parametrize("off", [-4.0, 0.0, 4.0])
def test_lips_part_on_the_line_that_the_picture_shows(closed: Portrait, off: float) -> None:
    found = face(closed)
    line = found.seam + off * found.down
    picture = np.full_like(closed.picture, 150)
    cv2.polylines(picture, [np.round(line * 16).astype(np.int32)], False, (60, 60, 60), 2, cv2.LINE_AA, 4)

    seam = on_seam(picture, found).seam

    assert np.abs((seam - line) @ found.down)[1:-1].max() < 1


def test_without_a_line_the_landmarks_hold(closed: Portrait) -> None:
    found = face(closed)

    moved = on_seam(np.full_like(closed.picture, 150), found)

    assert np.abs(moved.seam - found.seam).max() < 0.5
    rest = [point for point in range(468) if point not in (*UPPER_INNER, *LOWER_INNER)]
    assert (moved.points[rest] == found.points[rest]).all()


@pytest.mark.parametrize("lower", [False, True])
def test_fields_are_inverted_also_over_a_short_lip(closed: Portrait, lower: bool) -> None:
    # a nose so near the mouth that a jaw which pulls at both would fold the skin between them
    short = face(closed)
    points = short.points.copy()
    points[[1, 2, 98, 327, 97, 326]] += short.down * 0.12 * short.unit
    lips = lips_of(replace(short, points=points), cut=False)
    x0, y0, x1, y1 = short.roi
    size = x1 - x0, y1 - y0
    weights = np.append(TARGETS[2][:6], 0).astype(np.float32)
    weights[JAW] = 0.95
    fields = lips.lower if lower else lips.upper

    back = backward_map(fields, weights, lips.grid, size)

    moved = np.tensordot(weights, fields, 1).transpose(1, 2, 0)
    forward = cv2.remap(
        np.ascontiguousarray(moved),
        (back[..., 0] - (STEP / 2 - 0.5)) / STEP,
        (back[..., 1] - (STEP / 2 - 0.5)) / STEP,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    missed = np.hypot(*(back + forward - places(*size)).transpose(2, 0, 1))
    assert np.percentile(missed, 99.5) < 3


def test_eyes_turn_and_come_back(smiling: Portrait) -> None:
    puppet = Puppet(smiling.picture, smiling.mesh)
    still = puppet.frame(REST).copy()

    def pupil(picture: Image, top: int, bottom: int) -> float:
        """Column of the middle of what is dark between the lids."""
        x, y = ((smiling.mesh[top, :2] + smiling.mesh[bottom, :2]) / 2).astype(int)
        dark = 255.0 - cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[y - 2 : y + 3, x - 9 : x + 10]
        weight = np.maximum(dark - 150, 0)
        return float((weight * np.arange(weight.shape[1])).sum() / weight.sum())

    def turned(degrees: float) -> list[float]:
        seen = puppet.frame(REST, gaze=(degrees, 0.0))
        return [pupil(seen, 159, 145), pupil(seen, 386, 374)]

    right, left = turned(2.0), turned(-2.0)

    want = 2 * np.radians(2) * EYEBALL * puppet.face.unit
    assert np.subtract(right, left) == pytest.approx([want, want], rel=0.5)
    assert (puppet.frame(REST) == still).all()


def test_a_glance_stays_between_the_lids(puppet: Puppet, closed: Portrait) -> None:
    drawn = puppet.frame(REST, gaze=(2.0, 1.0)).copy()
    changed = np.argwhere((drawn != closed.picture).any(2))

    assert len(changed) > 20
    for y, x in changed:
        assert any(x0 <= x < x1 and y0 <= y < y1 for x0, y0, x1, y1 in puppet.moving[1:3])


def test_a_shut_eye_does_not_glance(puppet: Puppet) -> None:
    shut = puppet.frame(REST, blink=1.0).copy()
    glanced = puppet.frame(REST, blink=1.0, gaze=(2.0, 0.0))

    assert np.abs(shut.astype(int) - glanced).max() < 40
    assert np.abs(shut.astype(int) - glanced).mean() < 0.01


class Whole(Puppet):
    """Draws both layers in full."""

    def _strip(self, weights: np.ndarray) -> tuple[int, int]:  # noqa: ARG002  the shape of the real one
        return 0, len(self._still)


@pytest.mark.parametrize("who", ["closed", "smiling"])
def test_what_is_saved_by_drawing_parts_of_a_layer_is_not_seen(
    who: str, request: pytest.FixtureRequest
) -> None:
    portrait: Portrait = request.getfixturevalue(who)
    whole, puppet = (each(portrait.picture, portrait.mesh) for each in (Whole, Puppet))
    for shape in (*TARGETS[1:22:4], TARGETS[2] * 1.3):
        one, other = whole.draw(shape), puppet.draw(shape)
        assert one.gap_px == other.gap_px
        assert np.abs(one.mouth.astype(int) - other.mouth).max() <= 1


def test_a_spread_mouth_deepens_its_folds(puppet: Puppet) -> None:
    x0, y0, _, _ = puppet.face.roi
    spread, less = REST.copy(), REST.copy()
    spread[WIDE], less[WIDE] = 0.9, 0.0
    less[JAW] = 0.01  # so that it is drawn, not taken as it is
    drawn = [puppet.draw(shape).mouth.astype(float).mean(2) for shape in (less, spread)]
    for point in (203, 423):
        x, y = (puppet.face.points[point] - (x0, y0)).astype(int)
        here = np.s_[y - 8 : y + 8, x - 14 : x + 14]
        assert drawn[1][here].mean() < 0.97 * drawn[0][here].mean()
