from __future__ import annotations

import cv2
import numpy as np
import pytest

from generation.engine.look.matte import foreground
from generation.engine.media.colour import to_planes
from generation.presenter.cutout import Cutout


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
