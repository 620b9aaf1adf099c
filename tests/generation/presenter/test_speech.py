from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generation.presenter.errors import SpeechTimesError
from generation.presenter.normalise import Language
from generation.presenter.script import read
from generation.presenter.speech import Phone, Speech, Timing, Voice, Word, check, joined, padded
from tests.generation.presenter.tones import RATE, ToneEngine

GOOD = Speech(
    pcm=np.full(RATE, 8000, np.int16),
    sample_rate=RATE,
    phones=(Phone("a", 0, 0.5, 0, 0), Phone("", 0.5, 1.0)),
    words=(Word("a", 0, 0.5, 0, 1),),
    engine="fake",
    timing=Timing.EXACT,
    voice=Voice("v"),
)
BAD = {
    "no sound": replace(GOOD, pcm=np.zeros(0, np.int16)),
    "silence": replace(GOOD, pcm=np.zeros(RATE, np.int16)),
    "a gap": replace(GOOD, phones=(Phone("a", 0, 0.4), Phone("", 0.5, 1.0))),
    "an overlap": replace(GOOD, phones=(Phone("a", 0, 0.6), Phone("", 0.5, 1.0))),
    "a late start": replace(GOOD, phones=(Phone("a", 0.2, 1.0),)),
    "an early end": replace(GOOD, phones=(Phone("a", 0, 0.9),)),
    "an end beyond the sound": replace(GOOD, phones=(Phone("a", 0, 1.2),)),
    "a phone without length": replace(GOOD, phones=(Phone("a", 0, 0), Phone("", 0, 1.0))),
    "a phone backwards": replace(GOOD, phones=(Phone("a", 0, -0.5), Phone("", -0.5, 1.0))),
    "no phones": replace(GOOD, phones=()),
    "a word outside": replace(GOOD, words=(Word("a", 0.5, 1.5, 0, 1),)),
    "a word without length": replace(GOOD, words=(Word("a", 0.5, 0.5, 0, 1),)),
    "a word without a place": replace(GOOD, words=(Word("a", 0, 0.5, 1, 1),)),
    "a mark outside": replace(GOOD, marks={"gesture": 2.0}),
    "times that are no numbers": replace(GOOD, phones=(Phone("a", 0, float("nan")),)),
}


def test_times_that_cover_the_sound_are_accepted() -> None:
    assert check(GOOD) is GOOD


@pytest.mark.parametrize("case", BAD)
def test_an_engine_with_wrong_times_is_refused(case: str) -> None:
    with pytest.raises(SpeechTimesError) as raised:
        check(BAD[case])

    assert raised.value.code == "tts_failed"


def test_joined_speech_keeps_every_time_and_place() -> None:
    script = read("您好。余额¥5。", language=Language.ZH)
    parts = [ToneEngine().synthesize(segment, voice=Voice("v")) for segment in script.segments]

    whole = check(joined(parts))

    assert whole.duration_s == pytest.approx(sum(part.duration_s for part in parts))
    assert [script.text[word.char_start : word.char_end] for word in whole.words][-1] == "¥5"
    assert whole.words[2].start_s == pytest.approx(parts[0].duration_s)
    assert {phone.word for phone in whole.phones} == {-1, *range(len(whole.words))}


@pytest.mark.parametrize(("rate", "fps"), [(22_050, 25), (24_000, 25), (48_000, 25), (48_000, 30)])
def test_sound_is_padded_to_whole_frames(rate: int, fps: int) -> None:
    length = rate // fps * 3 + 7
    speech = replace(
        GOOD,
        pcm=np.full(length, 8000, np.int16),
        sample_rate=rate,
        phones=(Phone("a", 0, length / rate),),
        words=(),
    )

    whole = check(padded(speech, fps=fps))

    assert len(whole.pcm) == rate // fps * 4
    assert padded(whole, fps=fps) is whole


def test_joining_needs_equal_rates() -> None:
    with pytest.raises(SpeechTimesError):
        joined([GOOD, replace(GOOD, sample_rate=48_000)])
    with pytest.raises(SpeechTimesError):
        joined([])


def test_the_least_exact_timing_is_reported() -> None:
    assert joined([GOOD, replace(GOOD, timing=Timing.ALIGNED)]).timing is Timing.ALIGNED
