"""A person drawn without a background must look, over any background, as if drawn on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from generation.engine.media.colour import from_planes, to_planes
from generation.engine.types import Planes
from generation.presenter import overlay
from generation.presenter.cutout import Cutout, spread
from generation.presenter.errors import SceneError
from generation.presenter.loop import Loop
from generation.presenter.loop_stage import LoopStage
from generation.presenter.scene import Layout, Plate, Stage, backdrop
from generation.presenter.subtitles import Cue

OPAQUE = Layout(width_px=640, height_px=360, colour=(40, 200, 90))
ALONE = replace(OPAQUE, transparent=True)
GREEN = (0, 255, 0)  # behind the person of the portrait
CUE = Cue(0.0, 9.0, ("Your card", "is ready"))


@pytest.fixture(scope="module")
def plate() -> Plate:
    """A blue and red person with a soft edge before a green wall."""
    rows, columns = np.mgrid[:360, :300].astype(np.float32)
    away = np.minimum(
        np.hypot(rows - 120, columns - 150) - 70, np.hypot((rows - 420) / 1.6, columns - 150) - 110
    )
    alpha = np.clip(0.5 - away / 6, 0, 1)
    stripes = 128 + 90 * np.sin(rows / 9)
    person = np.stack([stripes, np.full_like(rows, 60), 255 - stripes], 2)
    picture = person * alpha[..., None] + np.array(GREEN, np.float32) * (1 - alpha[..., None])
    return Plate(picture.astype(np.uint8), alpha, np.zeros((468, 3), np.float32))


def drawn(plate: Plate, layout: Layout, cues: Sequence[Cue] = (), *, roll_deg: float = 1.5) -> Planes:
    stage = Stage(plate, layout, backdrop(OPAQUE), cues)
    return stage.planes(plate.picture, roll_deg=roll_deg, shift=(5.0, -3.0), time_s=1.0)


def composed(front: Planes, behind: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32: what a player shows that multiplies colours by their cover."""
    assert front.a is not None
    cover = (front.a / np.float32(255))[..., None]
    return from_planes(front) * cover + behind * (1 - cover)


def test_a_frame_without_a_cover_plane_takes_no_person_alone(plate: Plate) -> None:
    cutout = Cutout(plate.picture, plate.alpha, moving=[])
    with pytest.raises(SceneError, match="cover"):
        cutout.alone(to_planes(backdrop(OPAQUE)), (0, 0, 300, 360), turn=np.eye(2, 3))


@pytest.mark.parametrize("front", ["nothing", "subtitle", "logo"])
def test_over_the_background_it_is_the_opaque_picture(plate: Plate, front: str) -> None:
    cues = [CUE] if front == "subtitle" else []
    wanted, found = (drawn(plate, replace(each, centre=0.2), cues) for each in (OPAQUE, ALONE))
    if front == "logo":
        mark = np.zeros((40, 80, 4), np.uint8)
        mark[5:35, 5:75] = (200, 180, 20, 255)
        mark = cv2.GaussianBlur(mark, (0, 0), 2).astype(np.uint8)
        for planes in (wanted, found):
            overlay.logo(mark, OPAQUE, place="left").blend(planes)
    assert found.a is not None
    cover = found.a / np.float32(255)
    behind = to_planes(backdrop(OPAQUE)).y
    assert np.abs(found.y * cover + behind * (1 - cover) - wanted.y).max() <= 8
    # a sample of chroma stands for four of luma: edges on bright green bleed by that much
    wrong = np.abs(composed(found, backdrop(OPAQUE).astype(np.float32)) - from_planes(wanted)).max(2)
    assert np.quantile(wrong, 0.97) <= 6
    assert wrong.mean() < 1.5


def test_opaque_frames_carry_no_cover(plate: Plate) -> None:
    assert drawn(plate, OPAQUE).a is None


@pytest.mark.parametrize("roll_deg", [-2.0, 0.0, 2.0])
def test_nothing_of_the_portrait_is_left_where_there_is_no_cover(plate: Plate, roll_deg: float) -> None:
    found = drawn(plate, ALONE, roll_deg=roll_deg)
    assert found.a is not None
    hidden = from_planes(found)[found.a == 0].astype(int)
    assert 0.3 < len(hidden) / found.a.size < 0.9
    assert (hidden[:, 1] - hidden[:, [0, 2]].max(1)).max() < 10


@pytest.mark.parametrize("centre", [0.2, 0.5])
def test_nothing_of_the_room_of_a_clip_is_left(plate: Plate, centre: float) -> None:
    height, width = plate.alpha.shape
    matte = cv2.imencode(".png", np.round(plate.alpha * 255).astype(np.uint8))[1].tobytes()
    loop = Loop((width, height), 25, np.zeros((1, 468, 3), np.float32), (matte,))
    alone, opaque = (
        LoopStage(loop, replace(each, centre=centre), backdrop(OPAQUE)).planes(plate.picture, at=0, time_s=0)
        for each in (ALONE, OPAQUE)
    )
    assert alone.a is not None
    hidden = from_planes(alone)[alone.a == 0].astype(int)
    assert 0.3 < len(hidden) / alone.a.size < 0.9
    assert (hidden[:, 1] - hidden[:, [0, 2]].max(1)).max() < 10
    wrong = np.abs(composed(alone, backdrop(OPAQUE).astype(np.float32)) - from_planes(opaque)).max(2)
    assert np.quantile(wrong, 0.97) <= 6


def test_what_lies_under_no_cover_stands_still(plate: Plate) -> None:
    stage = Stage(plate, ALONE, backdrop(OPAQUE))
    one, other = (
        stage.planes(plate.picture, roll_deg=roll, shift=(0.0, 0.0), time_s=0.0) for roll in (-1.0, 1.0)
    )
    assert one.a is not None
    assert other.a is not None
    hidden = (one.a == 0) & (other.a == 0)
    assert not np.array_equal(one.a, other.a)
    assert np.array_equal(one.y[hidden], other.y[hidden])


def test_a_subtitle_is_solid_where_nobody_stands(plate: Plate) -> None:
    aside = replace(ALONE, centre=0.1)
    bare, told = drawn(plate, aside), drawn(plate, aside, [CUE])
    assert bare.a is not None
    assert told.a is not None
    letters = (told.y > 225) & (bare.a == 0) & (bare.y < 200)
    assert letters.sum() > 100
    assert np.median(told.a[letters]) > 215
    assert told.a[letters].min() > 100


@pytest.mark.parametrize("size", [(120, 90), (133, 301)])
def test_spread_colours_go_on_from_the_covered_and_are_soon_flat(size: tuple[int, int]) -> None:
    plane, cover = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    for part, level in ((np.s_[:20, :20], 80), (np.s_[-20:, -20:], 160)):
        plane[part], cover[part] = level, 255
    found = spread(plane, cover)
    assert (found.min(), found.max()) == (80, 160)
    assert found[21, 10] < 110 < 130 < found[-22, -10]
    assert found[size[0] // 2, size[1] // 2] == found[10, -10] == 120
