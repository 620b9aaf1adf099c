from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generation.presenter.gestures import gestured, is_unknown, known
from generation.presenter.line import FPS, speak
from generation.presenter.motion import GLANCE_DEG, GLANCE_OFF_ENDS_S, motion
from generation.presenter.normalise import Language
from generation.presenter.script import Kind, read
from generation.presenter.speech import Speech, Voice
from tests.generation.presenter.tones import ToneEngine


@pytest.fixture(scope="module")
def speech() -> Speech:
    script = read("您好" * 30 + "。", language=Language.ZH)
    return speak(script, engine=ToneEngine(), voice=Voice("v")).sentences[0]


def frames(speech: Speech) -> int:
    return round(speech.duration_s * FPS)


@pytest.mark.parametrize("name", ["gesture.wave", "gesture.", "gesture.nodding", "gesture.NOD"])
def test_a_gesture_that_nobody_knows_is_none_and_said(name: str) -> None:
    assert known(name) is None
    assert is_unknown(name)
    assert not gestured({name: 0.2}, fps=FPS, frames=50).roll_deg.any()


@pytest.mark.parametrize("name", ["point", "nod", "chapter.2"])
def test_other_bookmarks_are_no_gestures(name: str) -> None:
    assert known(name) is None
    assert not is_unknown(name)


def test_a_reviewer_hears_of_an_unknown_gesture() -> None:
    source = (
        '<speak>您好。<mark name="gesture.wave"/>请<mark name="gesture.nod"/><mark name="x"/>还款。</speak>'
    )

    notices = read(source, language=Language.ZH, kind=Kind.SSML).notices

    assert [(each.code, each.start) for each in notices] == [("script_gesture", 3)]
    assert "gesture.nod, gesture.tilt, gesture.brows" in notices[0].message


@pytest.mark.parametrize("name", ["gesture.nod", "gesture.tilt", "gesture.brows", "gesture.nod.2"])
def test_a_gesture_begins_at_its_mark_and_is_over_soon(name: str, speech: Speech) -> None:
    marked = replace(speech, marks={name: 2.0})
    plain, moved = (motion(each, seed=3, fps=FPS, frames=frames(speech)) for each in (speech, marked))

    change = sum(
        np.abs(getattr(moved, part) - getattr(plain, part)).reshape(len(plain), -1).sum(1)
        for part in ("roll_deg", "shift", "brow")
    )

    found = np.flatnonzero(change > 1e-6)
    assert 2.0 <= found[0] / FPS < 2.1
    assert found[-1] / FPS < 3.6
    assert change.max() > 0.5
    assert (moved.gaze == plain.gaze).all()


@pytest.mark.parametrize("name", ["gesture.nod", "gesture.tilt", "gesture.brows"])
def test_a_gesture_at_the_end_is_cut_with_the_sentence(name: str, speech: Speech) -> None:
    late = replace(speech, marks={name: speech.duration_s - 0.5})

    found = motion(late, seed=3, fps=FPS, frames=frames(speech))

    assert found.roll_deg[-6:].tolist() == found.brow[-6:].tolist() == [0] * 6
    assert not found.shift[-6:].any()


def test_eyes_wander_a_little_and_look_at_the_viewer_at_both_ends(speech: Speech) -> None:
    found = motion(speech, seed=3, fps=FPS, frames=frames(speech)).gaze

    size, off = np.hypot(*found.T), round(GLANCE_OFF_ENDS_S * FPS)
    assert 0.5 < size.max() <= GLANCE_DEG[1]
    assert not found[:off].any()
    assert not found[-off:].any()
    jumps = (np.abs(np.diff(found, axis=0)).sum(1) > 0).sum()
    assert 2 <= jumps <= speech.duration_s / 0.5 + 1  # eyes jump and stay; they do not drift
    assert (size == 0).mean() > 0.2


def test_glances_are_the_sentences_own(speech: Speech) -> None:
    one, same, other = (motion(speech, seed=seed, fps=FPS, frames=frames(speech)).gaze for seed in (3, 3, 4))

    assert (one == same).all()
    assert (one != other).any()
