"""Recordings whose times are known: eSpeak NG in other voices, rates and pitches than the reference's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from generation.presenter import espeak, recorded
from generation.presenter.cast import at_rate
from generation.presenter.errors import RecordingError
from generation.presenter.espeak import EspeakEngine
from generation.presenter.line import assemble, speak
from generation.presenter.normalise import Language
from generation.presenter.recorded import RATE, Aligned, RecordedEngine, align, decoded
from generation.presenter.script import Kind, Run, Script, read
from generation.presenter.speech import Speech, Timing, Voice, check, joined, padded, silence

pytestmark = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)
VOICE = Voice("wang", "idn_0123456789abcdef")
TEXTS = {
    Language.ZH: "您好，欢迎来到我们银行。您的余额为1234.50元。请不要把密码告诉别人。",
    Language.EN: "Hello, and welcome to our bank. Your balance is $1,200. Please never tell your password.",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[EspeakEngine]:
    made = EspeakEngine()
    yield made
    made.close()


@contextmanager
def speaking_as(variant: str) -> Iterator[None]:
    """eSpeak NG's voices are changed by a suffix."""
    patch = pytest.MonkeyPatch()
    for language, name in list(espeak.VOICES.items()):
        patch.setitem(espeak.VOICES, language, name + variant)
    patch.setattr(espeak, "PINYIN_VOICE", espeak.PINYIN_VOICE + variant)
    yield
    patch.undo()


@dataclass(frozen=True)
class Spoken:
    script: Script
    truth: Speech


def say(
    engine: EspeakEngine, language: Language, *, variant: str = "", rate: float = 1.0, pitch: float = 0.0
) -> Spoken:
    script = read(TEXTS[language], language=language)
    parts = []
    with speaking_as(variant):
        for segment in script.segments:
            runs = tuple(
                replace(part, prosody=replace(part.prosody, rate=rate, pitch_st=pitch))
                for part in segment.parts
                if isinstance(part, Run)
            )
            parts.append(engine.synthesize(replace(segment, parts=runs), voice=Voice("x")))
    return Spoken(script, at_rate(joined(parts), RATE))


@pytest.fixture(scope="module")
def plain(engine: EspeakEngine) -> Spoken:
    return say(engine, Language.ZH)


def boundary_errors_ms(found: Aligned, truth: Speech) -> np.ndarray:
    ours = [phone for phone in joined(found.sentences).phones if phone.ipa]
    theirs = [phone for phone in truth.phones if phone.ipa]
    assert [phone.ipa for phone in ours] == [phone.ipa for phone in theirs]
    return 1000 * np.array(
        [abs(a.start_s - b.start_s) for a, b in zip(ours, theirs, strict=True)]
        + [abs(a.end_s - b.end_s) for a, b in zip(ours, theirs, strict=True)]
    )


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize(
    "manner",
    [{"rate": 0.75}, {"rate": 1.3}, {"pitch": 6}, {"variant": "+f3"}, {"variant": "+whisper"}],
    ids=str,
)
def test_phones_of_another_voice_are_found_within_a_frame(
    manner: dict[str, Any], language: Language, engine: EspeakEngine
) -> None:
    spoken = say(engine, language, **manner)

    found = align(spoken.script, spoken.truth.pcm, engine=engine, voice=VOICE)

    errors = boundary_errors_ms(found, spoken.truth)
    assert np.median(errors) <= 12
    assert np.percentile(errors, 95) <= 60


def test_sentences_are_whole_frames_that_make_up_the_recording(engine: EspeakEngine, plain: Spoken) -> None:
    found = align(plain.script, plain.truth.pcm, engine=engine, voice=VOICE)

    whole = check(joined(found.sentences))
    np.testing.assert_array_equal(whole.pcm, plain.truth.pcm)
    assert [padded(each, fps=25) is each for each in found.sentences[:-1]] == [True, True]
    assert whole.timing is Timing.ALIGNED
    assert whole.voice == VOICE
    places = [plain.script.text[word.char_start : word.char_end] for word in whole.words]
    assert places[0] == "您"
    assert "1234.50元" in places
    spoken = assemble(plain.script, [padded(each, fps=25) for each in found.sentences])
    assert len(spoken.cues) >= 3


def test_pauses_that_the_speaker_made_become_silence(engine: EspeakEngine, plain: Spoken) -> None:
    word = plain.truth.words[3]
    at = round(word.end_s * RATE)
    pcm = np.concatenate([plain.truth.pcm[:at], silence(0.8, sample_rate=RATE), plain.truth.pcm[at:]])

    whole = joined(align(plain.script, pcm, engine=engine, voice=VOICE).sentences)

    pause = max((phone for phone in whole.phones[:30] if not phone.ipa), key=lambda p: p.end_s - p.start_s)
    assert pause.start_s == pytest.approx(word.end_s, abs=0.1)
    assert pause.end_s - pause.start_s == pytest.approx(0.8, abs=0.15)


def test_silence_around_the_recording_stays_silence(engine: EspeakEngine, plain: Spoken) -> None:
    around = silence(0.7, sample_rate=RATE)
    pcm = np.concatenate([around, plain.truth.pcm, around])

    whole = check(joined(align(plain.script, pcm, engine=engine, voice=VOICE).sentences))

    assert not whole.phones[0].ipa
    assert whole.phones[0].end_s == pytest.approx(0.7, abs=0.05)


def test_marks_stand_before_the_word_that_follows_them(engine: EspeakEngine) -> None:
    source = "<speak>您好，<mark name='gesture.wave'/>欢迎来到我们银行。</speak>"
    script = read(source, language=Language.ZH, kind=Kind.SSML)
    said = at_rate(engine.synthesize(script.segments[0], voice=VOICE), RATE)

    found = align(script, said.pcm, engine=engine, voice=VOICE)

    assert found.sentences[0].marks["gesture.wave"] == pytest.approx(said.marks["gesture.wave"], abs=0.1)


# ---- recordings that are refused ----------------------------------------------------------------------

OTHER = {
    "another text": "今天天气很好，我们去公园散步。晚上一起吃饭看电影。明天早上八点在学校门口见面。",
    "a sentence too few": "您好，欢迎来到我们银行。请不要把密码告诉别人。",
    "a sentence too many": TEXTS[Language.ZH] + "谢谢您的光临，祝您生活愉快。",
    "another amount": "您好，欢迎来到我们银行。您的余额为9876000元。请不要把密码告诉别人。",
}


@pytest.mark.parametrize("case", OTHER)
@pytest.mark.parametrize("variant", ["", "+f3"])
def test_a_recording_that_does_not_say_the_script_is_refused(
    case: str, variant: str, engine: EspeakEngine
) -> None:
    pcm = say(engine, Language.ZH, variant=variant).truth.pcm
    script = read(OTHER[case], language=Language.ZH)

    with pytest.raises(RecordingError, match="does not say the script") as raised:
        align(script, pcm, engine=engine, voice=VOICE)

    assert raised.value.measured["fit"] > recorded.FIT_MAX


def test_sound_that_is_not_fit_for_use_is_refused(engine: EspeakEngine, plain: Spoken) -> None:
    pcm = plain.truth.pcm
    level = np.sqrt(np.mean(pcm[np.abs(pcm) > 300].astype(float) ** 2))
    noise = np.random.default_rng(0).normal(0, level / 3, len(pcm))
    bad = {
        "clipped": np.clip(pcm.astype(np.int32) * 12, -32768, 32767),
        "silent": np.zeros_like(pcm),
        "quiet": pcm // 400,
        "noisy": np.clip(pcm + noise, -32768, 32767),
        "empty": pcm[:0],
        "a blip": pcm[:200],
        "noise alone": np.random.default_rng(1).normal(0, 3000, len(pcm)),
    }
    refused = []
    for name, sound in bad.items():
        try:
            align(plain.script, sound.astype(np.int16), engine=engine, voice=VOICE)
        except RecordingError:
            refused.append(name)

    assert refused == list(bad)


# ---- files ----------------------------------------------------------------------------------------------


def file_of(pcm: np.ndarray, kind: str, codec: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as made:
        stream = made.add_stream(codec, rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        for block in (frame, None):
            made.mux(stream.encode(block))
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "codec"),
    [("wav", "pcm_s16le"), ("mp3", "libmp3lame"), ("ipod", "aac"), ("flac", "flac"), ("ogg", "libopus")],
)
def test_files_of_every_kind_are_read(kind: str, codec: str, plain: Spoken, tmp_path: Path) -> None:
    pcm = plain.truth.pcm[: 2 * RATE]

    found = decoded(stored(tmp_path, file_of(pcm, kind, codec)))

    assert len(found) == pytest.approx(len(pcm), abs=0.1 * RATE)
    assert np.sqrt(np.mean(found.astype(float) ** 2)) == pytest.approx(
        np.sqrt(np.mean(pcm.astype(float) ** 2)), rel=0.1
    )


def stored(folder: Path, data: bytes) -> Path:
    path = folder / "recording"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [b"", b"RIFF", b"hello", b"\x00" * 100, b"ID3" + b"\x00" * 50, b"\x00\x00\x00\x18ftypM4A " + b"\x00" * 9],
    ids=repr,
)
def test_files_that_are_no_recordings_are_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(RecordingError):
        decoded(stored(tmp_path, data))


def test_a_playlist_or_a_reference_out_of_the_file_is_not_followed(tmp_path: Path) -> None:
    for data in (b"#EXTM3U\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n"):
        with pytest.raises(RecordingError):
            decoded(stored(tmp_path, data))


def test_a_recording_that_is_too_long_is_refused(
    plain: Spoken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "SECONDS_MAX", 1.0)

    with pytest.raises(RecordingError, match="at most 1 seconds"):
        decoded(stored(tmp_path, file_of(plain.truth.pcm, "wav", "pcm_s16le")))


# ---- as an engine


def test_a_recording_speaks_its_script_and_nothing_else(engine: EspeakEngine, plain: Spoken) -> None:
    spoken = speak(
        plain.script, engine=RecordedEngine(plain.script, plain.truth.pcm, reference=engine), voice=VOICE
    )
    whole = joined(spoken.sentences)

    assert len(whole.pcm) - len(plain.truth.pcm) < RATE // 25
    np.testing.assert_array_equal(whole.pcm[: len(plain.truth.pcm)], plain.truth.pcm)
    assert (whole.voice, whole.timing) == (VOICE, Timing.ALIGNED)
    other = read("谢谢您的光临，祝您生活愉快。" * 3, language=Language.ZH)
    with pytest.raises(RecordingError, match="does not say the script"):
        speak(other, engine=RecordedEngine(other, plain.truth.pcm, reference=engine), voice=VOICE)
