from dataclasses import asdict

import numpy as np
import pytest

from watermark.errors import LabelPlacementError, LabelSizeError, LabelTextError
from watermark.placement import ORDER, LabelPlan, contrast, place, swept, tone_for
from watermark.visible import Label, Look, Place, Tone

SIZES = [(640, 360), (1280, 720), (1920, 1080), (720, 1280), (608, 1080), (480, 480), (854, 480)]
TEXT = "AI MODIFIED · AI生成"


def flat(width, height, level=60):
    return np.full((height, width), level, np.uint8)


def placed(width, height, faces=(), *, level=60, text=TEXT, icon=True):
    lumas = [flat(width, height, level)]
    return place(text, icon=icon, opening_s=0.0, lumas=lumas, faces=faces)


def face(width, height, x, y, size=0.2):
    """A square face with its middle at these shares of the picture."""
    side = size * min(width, height)
    return (x * width - side / 2, y * height - side / 2, x * width + side / 2, y * height + side / 2)


def overlaps(label, box):
    x, y, w, h = label.rectangle
    return box[0] < x + w and box[2] > x and box[1] < y + h and box[3] > y


@pytest.mark.parametrize(("text", "icon", "fault"), [
    ("", True, LabelTextError),
    ("  ", False, LabelTextError),
    ("生成 AI", True, LabelTextError),
    ("AI生成 😀", False, LabelTextError),
    ("AI生成 " + "W" * 60, False, LabelSizeError),
])  # fmt: skip
def test_label_that_cannot_be_drawn_is_refused(text, icon, fault):
    with pytest.raises(fault):
        placed(360, 640, text=text, icon=icon)


def test_faces_everywhere_are_refused():
    with pytest.raises(LabelPlacementError):
        placed(640, 360, [[(0.0, 0.0, 640.0, 360.0)]])


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_without_faces_the_label_stands_top_right(width, height):
    plan = placed(width, height, [[], []])
    x, y, w, h = Label(width, height, plan.text, plan.look).rectangle
    assert plan.place == Place.TOP_RIGHT
    assert x + w > width * 0.9
    assert y < height * 0.1
    assert [n % 2 for n in (x, y, w, h)] == [0, 0, 0, 0]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(("x", "y"), [(0.85, 0.12), (0.15, 0.12), (0.5, 0.4), (0.9, 0.9), (0.5, 0.1)])
def test_no_face_is_covered(width, height, x, y):
    box = face(width, height, x, y)
    plan = placed(width, height, [[box]])
    assert not overlaps(Label(width, height, plan.text, plan.look), box)


def test_face_that_passes_a_corner_between_two_frames_keeps_it_free():
    width, height = 1280, 720
    before, after = face(width, height, 0.6, 0.2), face(width, height, 0.75, 0.46)
    for seen in ([[before], []], [[], [after]]):
        assert placed(width, height, seen).place == Place.TOP_RIGHT
    assert placed(width, height, [[before], [after]]).place != Place.TOP_RIGHT


def test_two_people_far_apart_are_not_one_who_moved():
    left, right = face(1280, 720, 0.1, 0.5), face(1280, 720, 0.9, 0.5)
    assert len(swept([[left], [right]], room=0.5)) == 2
    assert len(swept([[left], [left]], room=0.5)) == 3


def test_narrower_layout_is_tried_before_the_picture_is_refused():
    width, height = 1280, 720
    two = Label(width, height, TEXT, Look(icon=True, layout=2)).rectangle
    left = (0.0, 0.0, (two[0] - 2) / 1.25, 720.0)  # with its room it ends just before the narrower label
    below = (0.0, (two[1] + two[3] + 2 + 0.4 * 720) / 1.4, 1280.0, 720.0)
    plan = placed(width, height, [[left, below]])
    assert (plan.place, plan.layout) == (Place.TOP_RIGHT, 2)
    assert Label(width, height, plan.text, plan.look).rectangle == two
    with pytest.raises(LabelPlacementError):
        placed(width, height, [[left, below, (1180.0, 40.0, 1260.0, 120.0)]])


@pytest.mark.parametrize(("level", "tone"), [
    (16, Tone.LIGHT_ON_DARK), (60, Tone.LIGHT_ON_DARK), (200, Tone.DARK_ON_LIGHT), (235, Tone.DARK_ON_LIGHT),
])  # fmt: skip
def test_tone_follows_the_background(level, tone):
    plan = placed(1280, 720, level=level)
    assert plan.tone == tone
    assert plan.contrast > 7


@pytest.mark.parametrize("level", range(16, 236, 4))
def test_any_background_gives_a_readable_contrast(level):
    assert max(contrast(tone, level) for tone in Tone) >= 6


def test_background_of_all_shades_is_still_readable():
    ramp = np.tile(np.linspace(16, 235, 1280).astype(np.uint8), (720, 1))
    _tone, ratio = tone_for((0, 0, 1280, 120), [ramp, ramp[:, ::-1].copy()])
    assert ratio >= 4.5  # WCAG 2.2, 1.4.3


def test_worst_frame_of_the_clip_decides_the_tone():
    area = (900, 20, 300, 80)
    dark, bright = flat(1280, 720, 20), flat(1280, 720, 235)
    alone, both = tone_for(area, [dark])[1], tone_for(area, [dark, bright])[1]
    assert alone > both >= 4.5


def test_plan_survives_its_record():
    plan = placed(1280, 720)
    assert LabelPlan.from_record(asdict(plan)) == plan
    assert set(ORDER) == set(Place)


@pytest.mark.parametrize(
    ("opening_s", "time_s", "shown"), [(0.0, 900.0, True), (3.0, 2.96, True), (3.0, 3.0, False)]
)
def test_opening_ends(opening_s, time_s, shown):
    assert LabelPlan(TEXT, opening_s=opening_s).shows(time_s) is shown


def test_close_up_is_labelled_beside_the_face_not_over_it():
    box = (96.0, 48.0, 224.0, 192.0)  # of 320 x 240: with all its room it leaves no place
    plan = placed(320, 240, [[box]] * 3, text="AI生成 · AI GENERATED", icon=False)
    assert not overlaps(Label(320, 240, plan.text, plan.look), box)


def test_top_right_in_two_lines_goes_before_another_corner():
    width, height = 640, 480
    plan = placed(width, height, [[face(width, height, 0.5, 0.15)]])
    assert (plan.place, plan.layout) == (Place.TOP_RIGHT, 2)


def test_hair_above_a_face_is_left_free():
    width, height = 640, 480
    box = (500.0, 95.0, 570.0, 180.0)
    _x, y, _w, h = Label(width, height, TEXT, Look(icon=True)).rectangle
    assert y + h < box[1]  # it would not touch the face, but the hair
    assert placed(width, height, [[box]]).place != Place.TOP_RIGHT
