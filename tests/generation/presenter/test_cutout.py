from __future__ import annotations

import cv2
import numpy as np
import pytest

from generation.engine.faces.topology import OVAL
from generation.engine.look.matte import foreground
from generation.engine.media.colour import from_planes, to_planes
from generation.presenter.cutout import Cutout
from generation.presenter.driving import Performance, PuppetEngine
from generation.presenter.motion import Motion
from generation.presenter.scene import Layout, Plate
from generation.presenter.visemes import TARGETS
from tests.generation.presenter.conftest import Portrait


def figure() -> np.ndarray:
    """A person that is narrow above, wide below, holds an arm out, and does not reach the upper rows."""
    alpha = np.zeros((400, 320), np.float32)
    cv2.circle(alpha, (160, 90), 45, 1.0, -1)
    cv2.rectangle(alpha, (60, 180), (260, 399), 1.0, -1)
    cv2.line(alpha, (240, 220), (300, 130), 1.0, 9)
    return np.asarray(cv2.GaussianBlur(alpha, (0, 0), 1.5), np.float32)


@pytest.mark.parametrize("roll_deg", [-2.4, 0.0, 2.4])
@pytest.mark.parametrize("shift", [(0, 0), (-30, 17), (25, -60)])
def test_no_part_of_the_person_is_left_out_however_it_turns(
    roll_deg: float, shift: tuple[float, float]
) -> None:
    alpha = figure()
    own = np.full((400, 320, 3), 235, np.uint8)
    ground = to_planes(np.full((480, 480, 3), 40, np.uint8))
    dark = int(ground.y[0, 0])
    turn = np.asarray(cv2.getRotationMatrix2D((160, 420), roll_deg, 1.0), np.float64)
    turn[:, 2] += np.array([60 + shift[0], 40 + shift[1]])
    box = (20, 10, 470, 480)

    Cutout(own, alpha, moving=[], left=0).onto(ground, box, turn=turn)

    bright = int(to_planes(own).y[0, 0])
    cover = cv2.warpAffine(alpha, turn, (450, 470), borderMode=cv2.BORDER_REPLICATE)  # it goes on below
    want = dark + cover * (bright - dark)
    assert np.abs(ground.y[10:480, 20:470].astype(int) - want).max() < 12
    assert (ground.y[:10] == dark).all()
    assert (ground.y[:, :20] == dark).all()


def test_an_edge_takes_the_persons_colour_from_inside() -> None:
    ramp = np.clip((np.arange(600) - 280) / 40, 0, 1).astype(np.float32)
    alpha = ramp[None].repeat(1080, 0)
    skin, green = np.array([120, 150, 210.0]), np.array([60, 200, 60.0])
    picture = (green + (skin - green) * alpha[..., None] + 0.5).astype(np.uint8)

    found = foreground(picture, alpha).astype(float)

    half = np.abs(alpha[540] - 0.5) < 0.2
    assert np.abs(found[540, half] - skin).max() < 30
    assert np.abs(picture[540, half] - skin).max() > 60
    sure = alpha[540] == 1
    assert (found[540, sure] == picture[540, sure]).all()


def test_a_driven_face_brings_nothing_of_its_old_background_along(closed: Portrait) -> None:
    height, width = closed.picture.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    cv2.fillPoly(cover, [np.round(closed.mesh[list(OVAL), :2]).astype(np.int32)], 255, cv2.LINE_AA)
    alpha = cv2.GaussianBlur(cover, (0, 0), 1.0).astype(np.float32) / 255
    green = np.array([0, 255, 0], np.float32)
    picture = (green + (closed.picture - green) * alpha[..., None] + 0.5).astype(np.uint8)
    plate = Plate(picture, np.asarray(alpha, np.float32), closed.mesh)
    layout = Layout(width_px=720, height_px=720, colour=(150, 110, 60))
    shapes = np.stack([TARGETS[0], TARGETS[7], TARGETS[2]])
    still = np.zeros(3)
    performance = Performance(shapes, Motion(still, np.zeros((3, 2)), still, still, np.zeros((3, 2))))

    for planes in PuppetEngine().frames(plate, layout, performance, fps=25):
        blue, shown, red = (from_planes(planes)[..., channel].astype(int) for channel in range(3))
        assert (shown - np.maximum(blue, red)).max() < 25
