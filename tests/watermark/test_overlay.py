from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.watermark import attacks
from watermark.content import Timed
from watermark.errors import UnsupportedFrameError
from watermark.overlay import WIDTH_PX, overlay, tile_agreement
from watermark.overlay import _Canvas as Canvas
from watermark.overlay import _seen as seen
from watermark.search import Geometry

WHOLE = Geometry()


@pytest.fixture(scope="module")
def picture(luma, marked):
    return marked([luma(720, 1280)])[0]


def heat(carrier, y, geometry=WHOLE):
    return tile_agreement(carrier, seen([Timed(0.0, y)], geometry))


def test_tiles_that_were_replaced_do_not_agree(carrier, luma, picture):
    plain = luma(720, 1280)
    half = picture.copy()
    half[:, 640:] = plain[:, 640:]
    whole, changed = heat(carrier, picture), heat(carrier, half)
    inner = np.s_[:4, 4:7]  # tiles that lie wholly in the replaced half
    assert whole[inner].mean() > 2.5
    assert changed[inner].mean() < 1.5
    assert np.allclose(changed[:4, :3], whole[:4, :3], atol=0.5)


def cut(area, **more):
    """Where ``attacks.cropped`` puts a piece of 1280 x 720, in canonical pixels."""
    tall, wide = int(720 * area**0.5), int(1280 * area**0.5)
    dy, dx = int((720 - tall) * 0.61) * 0.75, int((1280 - wide) * 0.37) * 0.75
    return Geometry(scale=tall / 720, dy=dy, dx=dx, **more)


@pytest.mark.parametrize(
    ("attack", "geometry"),
    [
        (lambda y: attacks.cropped(y, 0.6), cut(0.6)),
        (lambda y: attacks.rotated(y, 4), Geometry(degrees=-4)),
        (lambda y: attacks.mirrored(attacks.cropped(y, 0.7)), cut(0.7, mirror=True)),
        (lambda y: np.ascontiguousarray(np.rot90(y)), Geometry(quarter_turns=1)),
    ],
    ids=["crop", "rotate", "mirror", "turn"],
)
def test_the_file_is_drawn_where_its_mark_lies(carrier, picture, attack, geometry):
    piece = attack(picture)
    drawn = cv2.imdecode(
        np.frombuffer(overlay([Timed(0.0, piece)], geometry, carrier, original_px=(1280, 720)), np.uint8), 1
    )
    assert drawn.shape[1] == WIDTH_PX
    canvas = Canvas(piece, geometry, (1280, 720))
    whole = Canvas(picture, WHOLE, (1280, 720))
    both = canvas._inside & cv2.warpAffine(
        whole._inside.astype(np.uint8), between(whole, canvas), canvas._inside.shape[::-1]
    ).astype(bool)
    both = cv2.erode(both.astype(np.uint8), np.ones((15, 15))).astype(bool)
    expected = cv2.warpAffine(whole._picture, between(whole, canvas), canvas._inside.shape[::-1])
    assert np.corrcoef(canvas._picture[both].ravel(), expected[both].ravel())[0, 1] > 0.9


def between(one, other):
    """From the pixels of one canvas to those of another: both know where the delivered picture lies."""
    k = other._k / one._k
    shift = (one._low - other._low) * other._k
    return np.array([[k, 0, shift[0]], [0, k, shift[1]]])


@pytest.mark.parametrize(
    ("mirror", "turns", "corner"),
    [(False, 0, (0, 0)), (True, 0, (1, 0)), (False, 1, (1, 0)), (False, 2, (1, 1)), (True, 3, (1, 1))],
)
def test_the_files_own_corner_is_marked(picture, mirror, turns, corner):
    file = np.ascontiguousarray(np.rot90(picture[:, ::-1] if mirror else picture, turns))
    canvas = Canvas(file, Geometry(mirror=mirror, quarter_turns=turns), (1280, 720))
    expected = np.array(corner) * np.array([960, 540]) * canvas._k - canvas._low * canvas._k
    assert np.allclose(canvas.corners[0], expected, atol=1)


@pytest.mark.parametrize("shape", [(32, 200), (300, 240), (2000, 1000)])
def test_any_shape_is_drawn_and_nothing_known_of_the_original(carrier, shape):
    y = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    data = overlay([Timed(0.0, y)], Geometry(0.7, 2.0, True, 1, -30.0, 900.0), carrier)
    assert data.startswith(b"\x89PNG")
    assert len(data) < 2**20


def test_without_a_frame_there_is_nothing_to_draw(carrier):
    with pytest.raises(UnsupportedFrameError):
        overlay([], WHOLE, carrier)
