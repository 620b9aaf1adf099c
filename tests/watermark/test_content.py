"""Whether a file shows what was recorded: the same clip cut, moved in time, put together anew, or another."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.watermark import attacks
from watermark.content import (
    AGREES,
    HIDDEN,
    Thumbnail,
    Timed,
    compare,
    perceptual_hash,
    tells,
    thumbnail,
    thumbnail_track,
    upright,
)
from watermark.errors import UnsupportedFrameError
from watermark.search import Geometry

WHOLE = Geometry()


@pytest.fixture(scope="module")
def scenes(luma):
    """(12,) pictures that differ as scenes of a film do, one a second."""
    y = luma(540, 960)
    turned = [y, y[::-1], y[:, ::-1], y[::-1, ::-1]]
    shifted = [np.roll(y, (97 * at, 211 * at), (0, 1)) for at in range(1, 9)]
    return [np.ascontiguousarray(each) for each in turned + shifted]


@pytest.fixture(scope="module")
def track(scenes):
    return thumbnail_track(enumerate(scenes))


def shown(scenes, *, first=0, step=1):
    return [Timed(float(at), y) for at, y in enumerate(scenes[first::step])]


def test_a_cut_from_the_middle_is_laid_along_the_record(scenes, track):
    found = compare(track, shown(scenes, first=5), WHOLE)
    assert found.agrees
    assert found.offset_s == 5
    assert found.similarity > 0.99


@pytest.fixture(scope="module")
def cut_out(scenes):
    """A disc of a third of the picture, and the record of four scenes that show only that."""
    rows, columns = np.mgrid[:540, :960]
    cover = np.where(np.hypot(rows - 300, columns - 480) < 230, 255, 0).astype(np.uint8)
    return cover, [Thumbnail(float(at), thumbnail(y, cover), 0) for at, y in enumerate(scenes[4:8])]


def test_a_record_that_shows_next_to_nothing_agrees_with_nothing(scenes):
    cover = np.zeros((540, 960), np.uint8)
    cover[:40, :40] = 255
    track = [Thumbnail(float(at), thumbnail(y, cover), 0) for at, y in enumerate(scenes[4:8])]
    assert not compare(track, shown(scenes, first=4)[:4], WHOLE).agrees


def test_a_record_that_shows_nothing_cannot_be_compared(scenes):
    nothing = Thumbnail(0.0, thumbnail(scenes[4], np.zeros((540, 960), np.uint8)), 0)
    with pytest.raises(UnsupportedFrameError):
        compare([nothing], shown(scenes), WHOLE)


def test_another_clip_does_not_agree_with_a_cut_out_one(scenes, cut_out):
    other = [np.ascontiguousarray(y[:, ::-1]) for y in scenes[4:8]]
    assert not compare(cut_out[1], shown(other), WHOLE).agrees


@pytest.mark.parametrize("behind", [16, 126, 235, "picture"])
def test_a_cut_out_clip_is_known_whatever_is_laid_behind_it(scenes, cut_out, behind):
    cover, track = cut_out
    page = scenes[0] if behind == "picture" else behind
    laid = [np.where(cover == 255, y, page).astype(np.uint8) for y in scenes[4:8]]
    found = compare(track, shown(laid), WHOLE)
    assert (found.agrees, found.offset_s) == (True, 0)
    assert found.similarity > 0.98


def test_only_what_is_covered_is_kept(scenes, cut_out):
    small = cut_out[1][0].luma
    assert 0.2 < (small != HIDDEN).mean() < 0.4
    black = thumbnail(np.zeros((540, 960), np.uint8))
    assert (black != HIDDEN).all()


def test_scenes_in_another_order_are_told_from_a_copied_mark(scenes, track):
    found = compare(track, [Timed(float(at), y) for at, y in enumerate(scenes[::-1])], WHOLE)
    assert found.agrees
    assert found.offset_s is None


def test_a_few_foreign_scenes_do_not_make_it_another_clip(scenes, track):
    mixed = shown(scenes)
    noise = np.random.default_rng(0).integers(0, 255, scenes[0].shape, np.uint8)
    mixed[3:6] = [Timed(float(at), cv2.GaussianBlur(noise, (0, 0), 9)) for at in range(3, 6)]
    assert compare(track, mixed, WHOLE).offset_s == 0


def test_another_clip_does_not_agree(scenes, track):
    other = [np.ascontiguousarray(np.roll(y, 170, 1)[:, ::-1]) for y in scenes[4:]]
    found = compare(track[:4], shown(other), WHOLE)
    assert not found.agrees
    assert found.similarity < AGREES


@pytest.mark.parametrize(
    ("attack", "geometry"),
    [
        (attacks.mirrored, Geometry(mirror=True)),
        (lambda y: np.ascontiguousarray(np.rot90(y)), Geometry(quarter_turns=1)),
        (lambda y: np.ascontiguousarray(np.rot90(y[:, ::-1], 3)), Geometry(mirror=True, quarter_turns=3)),
        (lambda y: attacks.rotated(y, 4), Geometry(degrees=-4)),
        (lambda y: cv2.convertScaleAbs(attacks.jpeg(y, 30), alpha=0.7), WHOLE),
    ],
    ids=["mirror", "turn", "both", "tilt", "jpeg"],
)
def test_what_was_done_to_the_picture_is_undone(scenes, track, attack, geometry):
    changed = [Timed(frame.second, attack(frame.luma)) for frame in shown(scenes, step=4)]
    found = compare(track[::4], changed, geometry)
    assert found.similarity > 0.9
    if geometry != WHOLE:
        assert compare(track[::4], changed, WHOLE).similarity < 0.9


@pytest.mark.parametrize("geometry", [Geometry(mirror=True), Geometry(mirror=True, quarter_turns=1)])
def test_a_frame_is_held_upright_again(geometry):
    y = np.arange(12, dtype=np.uint8).reshape(3, 4)
    held = np.rot90(y[:, ::-1] if geometry.mirror else y, geometry.quarter_turns)
    assert np.array_equal(upright(np.ascontiguousarray(held), geometry), y)


def test_black_frames_and_fades_tell_nothing(scenes, track):
    black = np.full(scenes[0].shape, 16, np.uint8)
    assert not tells(black)
    assert tells(scenes[0])
    assert compare(track, [Timed(0.0, black), Timed(1.0, scenes[1])], WHOLE).agrees
    for record, frames in ((track, [Timed(0.0, black)]), (thumbnail_track([(0.0, black)]), shown(scenes))):
        with pytest.raises(UnsupportedFrameError):
            compare(record, frames, WHOLE)


def test_a_piece_too_small_to_tell_does_not_agree(scenes, track):
    assert compare(track, shown(scenes), Geometry(scale=0.05, dy=500, dx=900)).similarity == 0


def test_a_long_record_is_compared_in_steps(scenes):
    record = thumbnail_track((float(at), scenes[at % 12]) for at in range(600))
    assert compare(record, shown(scenes, first=7), WHOLE).agrees


def test_like_pictures_have_like_hashes(scenes):
    same = [perceptual_hash(attacks.jpeg(y, 50)) ^ perceptual_hash(y) for y in scenes]
    assert max(value.bit_count() for value in same) <= 6
    other = [(perceptual_hash(scenes[0]) ^ perceptual_hash(y)).bit_count() for y in scenes[1:]]
    assert min(other) > 10
