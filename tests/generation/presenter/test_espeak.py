from __future__ import annotations

import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from generation.presenter import espeak
from generation.presenter.errors import (
    SpeechFailedError,
    SpeechTimesError,
    SpeechUnavailableError,
    VoiceMissingError,
)
from generation.presenter.espeak import EspeakEngine
from generation.presenter.normalise import Language
from generation.presenter.pinyin import readings, to_pinyin
from generation.presenter.script import Kind, Script, read
from generation.presenter.speech import Speech, Timing, Voice, check, joined
from generation.presenter.worker import Worker

VOICE = Voice("espeak-zh")
needs_espeak = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)


@pytest.fixture(scope="module")
def engine():
    made = EspeakEngine()
    yield made
    made.close()


def say(engine: EspeakEngine, script: Script) -> Speech:
    return joined([engine.synthesize(segment, voice=VOICE) for segment in script.segments])


@needs_espeak
def test_phones_cover_the_sound_and_words_point_into_the_script(engine: EspeakEngine) -> None:
    script = read("您好，您的余额为¥1,234.56。You paid $5.50 today!", language=Language.ZH)

    speech = check(say(engine, script))

    places = [script.text[word.char_start : word.char_end].strip() for word in speech.words]
    assert "¥1,234.56" in places
    assert "$5.50" in places
    assert places[-1] == "today!"
    assert speech.timing is Timing.EXACT
    assert 5 < speech.duration_s < 12
    assert all(phone.word >= 0 for phone in speech.phones if phone.ipa)


@needs_espeak
def test_bilabials_of_the_text_are_in_the_phones(engine: EspeakEngine) -> None:
    speech = say(engine, read("Maps help people.", language=Language.EN))

    assert [phone.ipa for phone in speech.phones if phone.ipa in ("m", "p")] == ["m", "p", "p", "p", "p"]


@needs_espeak
def test_listed_words_are_said_as_listed(engine: EspeakEngine) -> None:
    listed = say(engine, read("还款", language=Language.ZH))
    alone = say(engine, read("还", language=Language.ZH))

    assert "ua" in "".join(phone.ipa for phone in listed.phones)  # huan
    assert "ua" not in "".join(phone.ipa for phone in alone.phones)  # hai
    assert [word.text for word in listed.words] == ["还", "款"]


@needs_espeak
def test_asked_pauses_and_rates_are_kept(engine: EspeakEngine) -> None:
    def length(inner: str) -> float:
        source = f"<speak>{inner}</speak>"
        return say(engine, read(source, language=Language.ZH, kind=Kind.SSML)).duration_s

    plain = length("您好欢迎")

    assert length("您好<break time='1s'/>欢迎") > plain + 0.8
    assert length("<prosody rate='50%'>您好欢迎</prosody>") > plain * 1.4


@needs_espeak
def test_marks_have_their_time(engine: EspeakEngine) -> None:
    script = read(
        "<speak>您好<break time='1s'/><mark name='gesture.wave'/>欢迎</speak>",
        language=Language.ZH,
        kind=Kind.SSML,
    )

    speech = say(engine, script)

    assert 1.2 < speech.marks["gesture.wave"] < speech.duration_s


@needs_espeak
def test_pinyin_fixes_a_reading_and_ipa_is_refused(engine: EspeakEngine) -> None:
    fixed = "<speak><phoneme alphabet='pinyin' ph='huan2'>还</phoneme></speak>"
    other = "<speak><phoneme alphabet='ipa' ph='x'>还</phoneme></speak>"

    said = say(engine, read(fixed, language=Language.ZH, kind=Kind.SSML))

    assert "ua" in "".join(phone.ipa for phone in said.phones)
    with pytest.raises(SpeechUnavailableError, match="pinyin"):
        say(engine, read(other, language=Language.ZH, kind=Kind.SSML))


@needs_espeak
def test_a_missing_voice_is_an_error_not_another_voice(
    engine: EspeakEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(espeak.VOICES, Language.ZH, "no-such-voice")

    with pytest.raises(VoiceMissingError, match="no voice no-such-voice"):
        say(engine, read("您好", language=Language.ZH))


def test_phrases_win_by_length() -> None:
    assert readings("朝阳支行还款") == [(0, 4, "chao2 yang2 zhi1 hang2"), (4, 6, "huan2 kuan3")]


def test_every_pinyin_letter_leads_back_to_its_character() -> None:
    text, at = to_pinyin("请还款，A。")

    assert text == "qing3 huan2 kuan3 ，A。"
    assert at[text.index("huan2")] == 1
    assert at[text.index("A")] == 4
    assert len(at) == len(text)


# ---- engines that misbehave -----------------------------------------------------------------------

READY = 'print(\'{"ok": true, "sample_rate": 22050}\', flush=True)'
BROKEN = {
    "dead at once": "raise SystemExit(1)",
    "dead after a request": f"{READY}\nsys.stdin.readline()",
    "slow": f"{READY}\nsys.stdin.readline()\ntime.sleep(60)",
    "nonsense": f"{READY}\nsys.stdin.readline()\nprint('hello', flush=True)\ntime.sleep(60)",
    "a list": f"{READY}\nsys.stdin.readline()\nprint('[]', flush=True)\ntime.sleep(60)",
    "half the sound": f'{READY}\nsys.stdin.readline()\nprint(\'{{"ok": true, "bytes": 99}}\', flush=True)',
    "a false length": f'{READY}\nsys.stdin.readline()\nprint(\'{{"ok": true, "bytes": -1}}\', flush=True)',
}


def worker(tmp_path: Path, body: str) -> EspeakEngine:
    script = tmp_path / "worker.py"
    script.write_text("import json, sys, time\n" + textwrap.dedent(body))
    return EspeakEngine(Worker([sys.executable, "-I", str(script)], timeout_s=0.5))


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_engine_fails_after_one_more_try(case: str, tmp_path: Path) -> None:
    engine = worker(tmp_path, BROKEN[case])

    with pytest.raises(SpeechFailedError, match="failed twice"):
        engine.synthesize(read("您好", language=Language.ZH).segments[0], voice=VOICE)
    engine.close()


def test_an_engine_that_dies_once_is_started_again(tmp_path: Path) -> None:
    flag = tmp_path / "died"
    body = f"""
    import pathlib
    print(json.dumps({{"ok": True, "sample_rate": 22050}}), flush=True)
    sys.stdin.readline()
    flag = pathlib.Path({str(flag)!r})
    if not flag.exists():
        flag.touch()
        raise SystemExit(1)
    events = [["word", 0, 1, 1, ""], ["phone", 0, 1, 0, "n"], ["phone", 500, 2, 0, ""]]
    print(json.dumps({{"ok": True, "sample_rate": 22050, "bytes": 44100, "events": events}}), flush=True)
    sys.stdout.buffer.write(b"\\x00\\x20" * 22050)
    sys.stdout.buffer.flush()
    """
    engine = worker(tmp_path, body)

    speech = engine.synthesize(read("你", language=Language.ZH).segments[0], voice=VOICE)

    assert speech.phones[0].ipa == "n"
    engine.close()


def test_a_silent_engine_is_refused(tmp_path: Path) -> None:
    body = f"""
    {READY}
    sys.stdin.readline()
    events = [["word", 0, 1, 1, ""], ["phone", 0, 1, 0, "n"], ["phone", 500, 2, 0, ""]]
    print(json.dumps({{"ok": True, "sample_rate": 22050, "bytes": 44100, "events": events}}), flush=True)
    sys.stdout.buffer.write(bytes(44100))
    sys.stdout.buffer.flush()
    """
    engine = worker(tmp_path, body)

    with pytest.raises(SpeechTimesError, match="silence"):
        engine.synthesize(read("你", language=Language.ZH).segments[0], voice=VOICE)
    engine.close()


def test_without_the_library_the_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "find_spec", lambda _: None)

    with pytest.raises(SpeechUnavailableError) as raised:
        EspeakEngine()
    assert "likeness[espeak]" in raised.value.hint
