from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from generation.presenter.cast import Cast, at_rate, voices_of
from generation.presenter.errors import VoiceMissingError
from generation.presenter.normalise import Language
from generation.presenter.script import Kind, Script, Segment, read
from generation.presenter.speech import Speech, SpeechEngine, Voice, check, joined
from generation.presenter.speech_cache import SpeechCache, key_of
from generation.presenter.voices import VoiceEntry
from tests.generation.presenter.tones import RATE, ToneEngine

PERSON, OTHER = "idn_0123456789abcdef", "idn_fedcba9876543210"
KNOWN = {
    "wang": VoiceEntry("wang", (Language.ZH, Language.EN), "one", PERSON),
    "liu": VoiceEntry("liu", (Language.ZH,), "two", OTHER),
    "anna": VoiceEntry("anna", (Language.EN,), "one", PERSON),
}


class Counting(ToneEngine):
    """Tones that count what they were asked for, at a rate of their own."""

    def __init__(self, rate: int = RATE) -> None:
        self.asked: list[str] = []
        self.rate = rate

    def synthesize(self, segment: Segment, *, voice: Voice) -> Speech:
        self.asked.append(f"{voice.id}:{segment.spoken}")
        return at_rate(super().synthesize(segment, voice=voice), self.rate)


def engines(one: SpeechEngine, two: SpeechEngine) -> Callable[[str], SpeechEngine]:
    return lambda name: {"one": one, "two": two}[name]


def ssml(inner: str) -> Script:
    return read(f"<speak>{inner}</speak>", language=Language.ZH, kind=Kind.SSML)


def test_every_voice_of_a_script_is_found() -> None:
    script = ssml("您好<voice name='liu'>再见</voice>")

    assert [each.id for each in voices_of(script, chosen="wang", known=KNOWN)] == ["wang", "liu"]


@pytest.mark.parametrize(
    ("inner", "chosen"),
    [
        ("您好", "nobody"),
        ("您好", "anna"),
        ("您好<voice name='nobody'>再见</voice>", "wang"),
        ("您好<voice name='anna'>再见</voice>", "wang"),
        ("您好 hello", "liu"),
        ("您好", ""),
    ],
)
def test_a_voice_that_does_not_speak_it_is_refused(inner: str, chosen: str) -> None:
    with pytest.raises(VoiceMissingError):
        voices_of(ssml(inner), chosen=chosen, known=KNOWN)


def test_each_part_is_said_by_its_own_voice_at_one_rate() -> None:
    one, two = Counting(), Counting(rate=48_000)
    cast = Cast(KNOWN, engine=engines(one, two))
    script = ssml("您好<voice name='liu'>再见</voice>谢谢")

    speech = check(cast.synthesize(script.segments[0], voice=Voice("wang")))

    assert one.asked == ["wang:您好", "wang:谢谢"]
    assert two.asked == ["liu:再见"]
    assert speech.sample_rate == RATE
    assert [script.text[word.char_start : word.char_end] for word in speech.words] == list("您好再见谢谢")
    assert sum(not phone.ipa for phone in speech.phones) == 1  # no rest inside the sentence


def test_an_unknown_voice_is_an_error_not_another_voice() -> None:
    cast = Cast(KNOWN, engine=engines(Counting(), Counting()))

    with pytest.raises(VoiceMissingError):
        cast.synthesize(ssml("您好").segments[0], voice=Voice("nobody"))


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100, 48_000])
def test_another_rate_keeps_every_time(rate: int) -> None:
    speech = ToneEngine().synthesize(ssml("您好再见").segments[0], voice=Voice("wang"))

    moved = check(at_rate(speech, rate))

    assert moved.duration_s == pytest.approx(speech.duration_s, abs=1 / rate)
    assert np.sqrt(np.mean(moved.pcm.astype(float) ** 2)) == pytest.approx(
        np.sqrt(np.mean(speech.pcm.astype(float) ** 2)), rel=0.05
    )


# ---- sentences said before ---------------------------------------------------------------------------


def said(script: Script, cache: SpeechCache, one: Counting, *, voice: str = "wang") -> Speech:
    cast = Cast(KNOWN, engine=engines(one, one), cache=cache)
    return joined([cast.synthesize(segment, voice=Voice(voice)) for segment in script.segments])


def test_an_edited_sentence_is_said_alone() -> None:
    cache, one = SpeechCache(), Counting()
    said(read("您好。余额¥5。再见。", language=Language.ZH), cache, one)
    one.asked.clear()

    edited = read("您好。您的余额¥66。再见。", language=Language.ZH)
    speech = check(said(edited, cache, one))

    assert one.asked == ["wang:您的余额六十六元。"]
    places = [edited.text[word.char_start : word.char_end] for word in speech.words]
    assert places[:2] + places[-2:] == ["您", "好", "再", "见"]
    fresh = said(edited, SpeechCache(), Counting())
    assert speech.words == fresh.words
    np.testing.assert_array_equal(speech.pcm, fresh.pcm)


def test_nobody_is_given_another_s_voice() -> None:
    cache, one = SpeechCache(), Counting()
    script = read("您好。", language=Language.ZH)
    said(script, cache, one)
    said(script, cache, one, voice="liu")

    assert one.asked == ["wang:您好。", "liu:您好。"]


def test_what_one_owner_said_is_forgotten() -> None:
    cache, one = SpeechCache(), Counting()
    script = read("您好。", language=Language.ZH)
    said(script, cache, one)
    said(script, cache, one, voice="liu")

    assert cache.forget(PERSON) == 1
    assert len(cache) == 1


def test_the_cache_is_bounded_in_octets_and_in_time() -> None:
    now = [0.0]
    script = read("您好。余额。再见。", language=Language.ZH)
    one_sentence = ToneEngine().synthesize(script.segments[0], voice=Voice("wang")).pcm.nbytes
    cache = SpeechCache(size_max=2 * one_sentence, age_max_s=10, clock=lambda: now[0])
    said(script, cache, Counting())
    assert len(cache) == 2
    now[0] = 11
    again = Counting()
    said(script, cache, again)
    assert len(again.asked) == 3
    too_small = SpeechCache(size_max=one_sentence - 1)
    said(script, too_small, Counting())
    assert len(too_small) == 0


SENTENCE = ssml("您好<break time='1s'/><mark name='gesture.wave'/>再见").segments[0]
CHANGES = {
    "a word": ssml("您好<break time='1s'/><mark name='gesture.wave'/>再会").segments[0],
    "a pause": ssml("您好<break time='2s'/><mark name='gesture.wave'/>再见").segments[0],
    "a mark": ssml("您好<break time='1s'/><mark name='gesture.nod'/>再见").segments[0],
    "a manner": ssml(
        "您好<break time='1s'/><mark name='gesture.wave'/><prosody rate='90%'>再见</prosody>"
    ).segments[0],
    "a reading": ssml(
        "您好<break time='1s'/><mark name='gesture.wave'/><phoneme alphabet='pinyin' ph='zai4'>再</phoneme>见"
    ).segments[0],
}


@pytest.mark.parametrize("case", CHANGES)
def test_whatever_changes_the_sound_changes_the_key(case: str) -> None:
    voice = Voice("wang", PERSON)

    assert key_of(CHANGES[case], voice=voice, engine="e") != key_of(SENTENCE, voice=voice, engine="e")


@pytest.mark.parametrize(
    "changed",
    [{"id": "liu"}, {"licence": OTHER}, {"rate": 1.1}, {"name": "other"}, {"version": "2"}],
)
def test_another_voice_has_another_key(changed: dict[str, str]) -> None:
    voice = Voice("wang", PERSON)
    base = key_of(SENTENCE, voice=voice, engine="e")

    assert key_of(SENTENCE, voice=replace(voice, **changed), engine="e") != base
    assert key_of(SENTENCE, voice=voice, engine="f") != base


def test_the_same_sentence_elsewhere_has_the_same_key() -> None:
    moved = replace(read("您好。您好。", language=Language.ZH)).segments
    voice = Voice("wang", PERSON)

    assert key_of(moved[0], voice=voice, engine="e") == key_of(moved[1], voice=voice, engine="e")
