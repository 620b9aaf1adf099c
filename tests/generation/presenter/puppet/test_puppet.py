from __future__ import annotations

import cv2
import numpy as np
import pytest

from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels
from generation.engine.types import Image
from generation.presenter.puppet.geometry import SMILE, aperture
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.visemes import JAW, PRESS, TARGETS, WIDE
from tests.generation.presenter.conftest import Portrait

REST, CLOSED, OPEN = TARGETS[0], TARGETS[21], TARGETS[2]


def seen(models: FaceModels, picture: Image, portrait: Portrait) -> float:
    """The aperture that the landmark network reads off a drawn frame."""
    return aperture(models.landmarks.measure(picture, Region.of_mesh(portrait.mesh)).mesh)


@pytest.fixture(scope="module")
def puppet(closed: Portrait) -> Puppet:
    return Puppet(closed.picture, closed.mesh)


@pytest.fixture(scope="module")
def smiler(smiling: Portrait) -> Puppet:
    return Puppet(smiling.picture, smiling.mesh)


def test_a_closed_portrait_rests_as_it_is(puppet: Puppet, closed: Portrait) -> None:
    assert puppet.opened < SMILE
    assert not puppet.cut
    assert (puppet.frame(REST) == closed.picture).all()


def test_a_smiling_portrait_closes_its_lips(smiler: Puppet, smiling: Portrait, models: FaceModels) -> None:
    assert smiler.opened > 0.15
    assert smiler.cut
    for shape in (REST, CLOSED):
        assert smiler.draw(shape).gap_px <= 20  # of about 1,600 when open: a few pixels at the corners
        assert seen(models, smiler.frame(shape), smiling) <= 0.08  # the network reads .05 off closed smiles


def test_a_smile_at_rest_is_pressed_and_parts_as_the_jaw_drops(smiler: Puppet) -> None:
    def drawn(jaw: float, press: float) -> np.ndarray:
        shape = REST.copy()
        shape[[JAW, PRESS]] = jaw, press
        return smiler.draw(shape).mouth.astype(int)

    # lips that only touch read .021 more open than a bilabial, and silence counts as speech from .020 on
    assert (drawn(0, 0) == drawn(0, 0.5)).all()
    assert np.abs(drawn(0, 0) - drawn(0, 0.8)).max() > 10
    assert np.abs(drawn(0.1, 0) - drawn(0.1, 0.5)).max() > 10


@pytest.mark.parametrize("viseme", [21, 18])
def test_lips_meet_in_bilabials_and_labiodentals(
    viseme: int, puppet: Puppet, smiler: Puppet, closed: Portrait, models: FaceModels
) -> None:
    assert puppet.draw(TARGETS[viseme]).gap_px == 0
    assert smiler.draw(TARGETS[viseme]).gap_px == 0
    assert seen(models, puppet.frame(TARGETS[viseme]), closed) <= 0.04


def test_the_wider_the_jaw_the_wider_the_mouth(puppet: Puppet, closed: Portrait, models: FaceModels) -> None:
    found = []
    for jaw in (0.0, 0.25, 0.5, 0.75, 1.0):
        shape = OPEN.copy()
        shape[JAW] = jaw
        found.append(seen(models, puppet.frame(shape), closed))

    assert found == sorted(found)
    assert found[-1] > 0.2


def test_spread_lips_are_wider_than_rounded_ones(
    puppet: Puppet, closed: Portrait, models: FaceModels
) -> None:
    def width(shape: np.ndarray) -> float:
        mesh = models.landmarks.measure(puppet.frame(shape), Region.of_mesh(closed.mesh)).mesh
        return float(np.linalg.norm(mesh[61, :2] - mesh[291, :2]))

    spread = REST.copy()
    spread[WIDE] = 1
    assert width(spread) > width(TARGETS[7]) + 0.1 * puppet.face.unit


def test_nothing_moves_outside_the_region(puppet: Puppet, closed: Portrait) -> None:
    x0, y0, x1, y1 = puppet.face.roi
    drawn = puppet.frame(OPEN).copy()

    drawn[y0:y1, x0:x1] = closed.picture[y0:y1, x0:x1]

    assert (drawn == closed.picture).all()


@pytest.mark.parametrize("viseme", range(22))
def test_the_border_of_the_region_shows_no_step(viseme: int, puppet: Puppet, closed: Portrait) -> None:
    x0, y0, x1, y1 = puppet.face.roi
    drawn = puppet.frame(TARGETS[viseme])[y0:y1, x0:x1].astype(int)
    still = closed.picture[y0:y1, x0:x1].astype(int)
    for edge in (np.s_[:2], np.s_[-2:], np.s_[:, :2], np.s_[:, -2:]):
        assert np.abs(drawn[edge] - still[edge]).max() <= 1


@pytest.mark.parametrize("viseme", range(22))
def test_no_black_ticks_beyond_the_corners(viseme: int, puppet: Puppet, closed: Portrait) -> None:
    x0, y0, _, _ = puppet.face.roi
    drawn, still = puppet.draw(TARGETS[viseme]).mouth, closed.picture
    for corner, side in ((61, -1), (291, 1)):
        x, y = closed.mesh[corner, :2].astype(int)
        reach = int(0.12 * puppet.face.unit)
        columns = slice(x - reach, x - 4) if side < 0 else slice(x + 4, x + reach)
        patch = drawn[y - y0 - reach : y - y0 + reach, columns.start - x0 : columns.stop - x0]
        own = still[y - reach : y + reach, columns]
        assert np.percentile(patch, 0.5) >= np.percentile(own, 0.5) - 25


def test_eyes_shut_and_open_again(puppet: Puppet, closed: Portrait) -> None:
    shut = puppet.frame(REST, blink=1.0).copy()
    opened = puppet.frame(REST, blink=0.0)

    assert np.abs(shut.astype(int) - closed.picture).max() > 40
    assert (opened == closed.picture).all()


def test_the_same_shape_gives_the_same_picture(puppet: Puppet) -> None:
    first = puppet.frame(TARGETS[6]).copy()
    puppet.frame(OPEN)

    assert (puppet.frame(TARGETS[6]) == first).all()


def test_a_smile_shows_its_own_teeth(smiler: Puppet, smiling: Portrait) -> None:
    x0, y0, _, _ = smiler.face.roi
    x, y = smiler.face.points[13].astype(int)
    patch = np.s_[y - y0 : y - y0 + 8, x - x0 - 12 : x - x0 + 12]

    drawn = smiler.draw(TARGETS[1]).mouth[patch].astype(float).mean((0, 1))
    own = smiling.picture[y : y + 8, x - 12 : x + 12].astype(float).mean((0, 1))

    assert np.abs(drawn - own).max() < 45


def test_a_blink_leaves_the_rim_of_glasses_alone(puppet: Puppet, closed: Portrait) -> None:
    shut = puppet.frame(REST, blink=1.0).copy()
    for brow, eye in ((105, 159), (334, 386)):
        (x, above), (_, lid) = closed.mesh[brow, :2].astype(int), closed.mesh[eye, :2].astype(int)
        part = np.s_[above : lid - 2, x - 20 : x + 20]
        rim = closed.picture[part].max(2) < 60
        assert rim.sum() > 50  # these glasses have a dark upper rim
        assert (shut[part].max(2)[rim] < 110).mean() > 0.9


def test_a_closed_smile_leaves_no_crumbs_at_its_corners(astronaut: Image, smiling: Portrait) -> None:
    scale = 1296 / smiling.picture.shape[0]
    picture = cv2.resize(astronaut, (1296, 1296), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    mesh = smiling.mesh * np.float32(scale)
    puppet = Puppet(picture, mesh)
    reach, (x0, y0, _, _) = int(0.2 * puppet.face.unit), puppet.face.roi
    for shape in (REST, CLOSED):
        drawn = puppet.draw(shape).mouth.astype(np.float32).mean(2)
        for corner in (61, 291):
            x, y = (mesh[corner, :2] - (x0, y0)).astype(int)
            patch = drawn[y - reach : y + reach, x - reach : x + reach]
            around = cv2.medianBlur(patch.astype(np.uint8), reach // 2 | 1)
            # with the source's own corners in the layers it is .24 to .28
            assert (around - patch).max() < 0.23 * np.median(patch)


def test_brows_rise_and_come_back(smiler: Puppet, smiling: Portrait) -> None:
    still = smiler.frame(REST).copy()
    raised = smiler.frame(REST, brow=1.0).copy()
    for brow in (105, 334):
        x, y = smiling.mesh[brow, :2].astype(int)
        columns = np.s_[x - 3 : x + 3]
        now, before = raised[y - 3 : y + 6, columns].astype(int), still[y - 3 : y + 7, columns].astype(int)
        lower, same = before[1:], before[:-1]
        assert np.abs(now - lower).mean() < 0.5 * np.abs(now - same).mean()
    assert (smiler.frame(REST) == still).all()


def test_brows_under_glasses_stay(puppet: Puppet, closed: Portrait) -> None:
    assert (puppet.frame(REST, brow=1.0) == closed.picture).all()


def test_a_blink_keeps_the_brow_where_it_is(smiler: Puppet) -> None:
    raised = smiler.frame(REST, brow=1.0).copy()
    both = smiler.frame(REST, brow=1.0, blink=1.0)
    x, y = smiler.face.points[105].astype(int)
    part = np.s_[y - 6 : y + 3, x - 10 : x + 10]

    assert (both[part] == raised[part]).all()
