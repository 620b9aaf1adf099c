from __future__ import annotations

import numpy as np
import pytest

from generation.presenter.speech import Phone
from generation.presenter.visemes import (
    ARKIT,
    CLOSED,
    JAW,
    LOWER_LIP,
    NEUTRAL,
    PRESS,
    SILENCE,
    TARGETS,
    TUCKED,
    as_records,
    curves,
    ids_of,
    opening,
    to_arkit,
    track,
)


def phones(*tokens: str, each_s: float = 0.12) -> list[Phone]:
    return [Phone(token, at * each_s, (at + 1) * each_s) for at, token in enumerate(tokens)]


@pytest.mark.parametrize(
    ("token", "ids"),
    [
        ("p", (21,)),
        ("pʰ", (21,)),
        ("ˈm", (21,)),
        ("f", (18,)),
        ("ˈɑu", (9,)),
        ("ua", (7, 2)),
        ("iɑu", (6, 9)),
        ("tɕʰ", (16,)),
        ("ts.h", (16,)),
        ("onɡ", (8,)),
        ("aɪɚ", (11, 5)),
        ("ɔːɹ", (3, 13)),
        ("mb", (21, 21)),
        ("☃", (NEUTRAL,)),
        ("ǃ", (NEUTRAL,)),
    ],
)
def test_phones_pass_through_known_shapes(token: str, ids: tuple[int, ...]) -> None:
    assert ids_of(token) == ids


def test_targets_stay_within_their_range() -> None:
    assert TARGETS.shape == (22, 7)
    assert np.abs(TARGETS).max() <= 1


def test_shapes_touch_each_other_and_cover_the_speech() -> None:
    found = track([Phone("", 0, 0.2), Phone("ua", 0.2, 0.5, 2), Phone("p", 0.5, 0.6), Phone("", 0.6, 1.0)])

    assert [each.id for each in found] == [0, 7, 2, 21, 0]
    assert [each.start_s for each in found[1:]] == [each.end_s for each in found[:-1]]
    assert (found[0].start_s, found[-1].end_s) == (0, 1.0)
    assert [each.stressed for each in found] == [False, True, True, False, False]


@pytest.mark.parametrize("consonant", ["p", "b", "m"])
@pytest.mark.parametrize("length_s", [0.02, 0.05, 0.12, 0.3])
def test_lips_close_in_every_bilabial_however_short(consonant: str, length_s: float) -> None:
    before, after = Phone("ɑ", 0, 0.2), Phone("ɑ", 0.2 + length_s, 0.4 + length_s)
    found = track([before, Phone(consonant, 0.2, 0.2 + length_s), after])

    shapes = curves(found, duration_s=0.4 + length_s, fps=25)
    at = int((0.2 + length_s / 2 - 0.04) * 25)
    near = shapes[max(0, at - 1) : at + 3]

    assert opening(near).min() <= 0.005
    assert near[:, PRESS].max() >= 0.6
    assert opening(shapes).max() > 0.1


def test_the_lower_lip_meets_the_teeth_in_f() -> None:
    shapes = curves(track(phones("ɑ", "f", "ɑ")), duration_s=0.36, fps=100)
    at = int((0.18 - 0.04) * 100)

    assert shapes[at, LOWER_LIP] == pytest.approx(-0.55, abs=0.02)
    assert shapes[at, JAW] <= 0.11


def test_a_long_silence_brings_the_mouth_to_rest() -> None:
    found = track([Phone("ɑ", 0, 0.3), Phone("", 0.3, 1.3), Phone("ɑ", 1.3, 1.6)])

    shapes = curves(found, duration_s=1.6, fps=25)

    assert opening(shapes[15:24]).max() <= 0.01


def test_the_mouth_leads_the_sound() -> None:
    found = track([Phone("", 0, 0.5), Phone("ɑ", 0.5, 0.8), Phone("", 0.8, 1.3)])

    shapes = curves(found, duration_s=1.3, fps=200)

    assert 0.58 <= float(np.argmax(opening(shapes))) / 200 <= 0.64  # the vowel's centre is at 0.65


@pytest.mark.parametrize("duration_s", [0.04, 1.0, 1.01, 14.28])
def test_there_is_one_shape_for_every_frame(duration_s: float) -> None:
    found = track([Phone("a", 0, duration_s)])

    shapes = curves(found, duration_s=duration_s, fps=25)

    assert shapes.shape == (int(np.ceil(round(duration_s * 25, 6))), 7)
    assert np.isfinite(shapes).all()
    assert np.abs(shapes).max() <= 1.0


def test_an_hour_of_shapes_is_made_without_an_hour_of_work() -> None:
    # each shape touches only its own neighbourhood: 20,000 of them would else cost (20,000 x 720,000)
    found = track([Phone("pam"[at % 3], at * 0.1, (at + 1) * 0.1) for at in range(2_000)])

    assert len(curves(found, duration_s=200, fps=25)) == 5_000


def test_the_exchange_track_names_changes_only() -> None:
    found = track([Phone("", 0, 0.1), Phone("p", 0.1, 0.2), Phone("b", 0.2, 0.3), Phone("i", 0.3, 0.4)])

    assert as_records(found) == [
        {"offset_ms": 0, "id": SILENCE},
        {"offset_ms": 100, "id": CLOSED},
        {"offset_ms": 300, "id": 6},
    ]


def test_blend_shapes_of_arkit_stay_between_nought_and_one() -> None:
    shapes = to_arkit(curves(track(phones("m", "ɑ", "f", "u", "θ", "i")), duration_s=0.72, fps=60))

    assert tuple(shapes) == ARKIT
    assert all(values.min() >= 0 and values.max() <= 1 for values in shapes.values())
    assert shapes["jawOpen"].max() > 0.5
    assert shapes["mouthPressLeft"].max() > 0.6
    assert shapes["mouthRollLower"].max() > 0.4


def test_ids_that_close_the_mouth_are_those_of_the_standard() -> None:
    assert (SILENCE, TUCKED, CLOSED) == (0, 18, 21)
