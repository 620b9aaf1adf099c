import numpy as np
import pytest

from tests.watermark import sound_attacks as attacks
from tests.watermark import voice
from watermark.audible import (
    PAUSE_S,
    RHYTHM_MIN,
    SPOKEN_MIN,
    check_words,
    hears_label,
    loudness,
    require_label,
    rhythm,
    with_label,
)
from watermark.errors import LabelTextError, SoundLostError, UnreadableError, UnsupportedSoundError

RATE_HZ = 48_000


@pytest.fixture(scope="module")
def talk():
    return voice.speech(4, rate_hz=RATE_HZ, seed=3)


@pytest.fixture(scope="module")
def words():
    """Stands for the spoken label: another voice."""
    return (voice.speech(2, rate_hz=RATE_HZ, pitch_hz=200, size=1.15, seed=9) * 32767).astype(np.int16)


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(0, np.int16),
        np.zeros((0, 2), np.float32),
        np.zeros(100, np.uint8),
        np.zeros(100, np.float64),
        np.zeros((10, 9), np.float32),
        np.zeros((10, 2, 2), np.int16),
        np.full(100, np.nan, np.float32),
        np.full((100, 2), np.inf, np.float32),
    ],
    ids=["empty", "empty stereo", "8 bit", "double", "nine channels", "three axes", "no numbers", "infinite"],
)
def test_what_is_no_sound_is_refused(pcm):
    with pytest.raises(UnsupportedSoundError):
        with_label(pcm, rate_hz=RATE_HZ)


@pytest.mark.parametrize("rate_hz", [0, 4_000, 200_000])
def test_rate_that_is_none_is_refused(talk, rate_hz):
    with pytest.raises(UnsupportedSoundError):
        rhythm(rate_hz)
    with pytest.raises(UnsupportedSoundError):
        with_label(talk, rate_hz=rate_hz)


@pytest.mark.parametrize(
    "label", [np.zeros(0, np.int16), np.zeros(100, np.int16), np.ones((100, 2), np.int16)], ids=str
)
def test_label_that_says_nothing_is_refused(talk, label):
    with pytest.raises(UnsupportedSoundError):
        with_label(talk, rate_hz=RATE_HZ, spoken=label)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("本视频由人工智能生成", 3.0),
        ("本视频由人工智能生成", 6.0),
        ("本视频由人工智能生成", 0.0),
        ("由银行生成", 2.1),
        ("人工智能", 1.8),
    ],
    ids=["too fast", "too slow", "no time", "no AI", "not generated"],
)
def test_words_that_the_standard_does_not_allow_are_refused(text, seconds):
    with pytest.raises(LabelTextError):
        check_words(text, seconds=seconds)


def test_words_at_their_pace_are_allowed():
    assert check_words("本视频由人工智能生成", seconds=4.3) == "本视频由人工智能生成"


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 192_000])
def test_rhythm_is_short_long_short_short(rate_hz):
    sound = rhythm(rate_hz)
    assert sound.dtype == np.int16
    assert len(sound) == pytest.approx(0.9 * rate_hz, abs=4)
    size = rate_hz // 100
    loud = np.abs(sound[: 90 * size].astype(float)).reshape(90, -1).max(axis=1) > 1000
    runs = "".join("." if on else " " for on in loud).split()
    assert [len(run) for run in runs] == [10, 30, 10, 10]
    spectrum = np.abs(np.fft.rfft(sound.astype(float)))
    assert spectrum.argmax() * rate_hz / len(sound) == pytest.approx(1000, abs=2)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 2), (-1, 6)])
def test_label_comes_before_the_sound_in_every_channel(talk, dtype, shape):
    sound = np.repeat(talk[:, None], shape[1] if len(shape) > 1 else 1, axis=1).reshape(-1, *shape[1:])
    sound = (sound * 32767).astype(np.int16) if dtype == np.int16 else sound.astype(np.float32)
    whole = with_label(sound, rate_hz=RATE_HZ)
    label = len(rhythm(RATE_HZ)) + round(PAUSE_S * RATE_HZ)
    assert (whole.dtype, whole.shape) == (dtype, (label + len(sound), *sound.shape[1:]))
    assert np.allclose(whole[label:], sound, atol=1)
    assert (np.abs(whole[: RATE_HZ // 10].astype(float)).max(axis=0) > 0).all()


@pytest.mark.parametrize("gain", [0.1, 1.0])
def test_label_is_as_loud_as_the_speech(talk, gain):
    sound = (gain * talk).astype(np.float32)
    whole = with_label(sound, rate_hz=RATE_HZ)
    dash = whole[int(0.21 * RATE_HZ) : int(0.49 * RATE_HZ)]
    speech = max(loudness(sound[:, None], rate_hz=RATE_HZ), 0.016)
    assert 20 * np.log10(np.sqrt(np.square(dash).mean()) / speech) == pytest.approx(0, abs=1)
    assert np.abs(whole).max() <= 0.91


@pytest.mark.parametrize("count", [1, 4_800])
def test_label_is_heard_before_silence_and_short_sounds(count):
    whole = with_label(np.zeros(count, np.float32), rate_hz=RATE_HZ)
    assert np.abs(whole[: RATE_HZ // 10]).max() > 0.1


@pytest.mark.parametrize(("codec", "suffix"), [("aac", "m4a"), ("pcm_s16le", "wav"), ("libmp3lame", "mp3")])
def test_rhythm_is_heard_in_the_finished_file(tmp_path, talk, codec, suffix):
    bits = 0 if codec == "pcm_s16le" else 48_000
    path = attacks.write(with_label(talk, rate_hz=RATE_HZ), tmp_path / f"a.{suffix}", codec=codec, bits=bits)
    assert require_label(path) >= RHYTHM_MIN


def test_spoken_label_is_heard_in_the_finished_file(tmp_path, talk, words):
    path = tmp_path / "a.m4a"
    attacks.write(with_label(talk, rate_hz=RATE_HZ, spoken=words), path, bits=48_000)
    assert require_label(path, spoken=words, rate_hz=RATE_HZ) >= SPOKEN_MIN
    with pytest.raises(SoundLostError):
        require_label(path, spoken=words[::-1].copy(), rate_hz=RATE_HZ)


@pytest.mark.parametrize("what", ["speech", "a steady tone", "silence", "too late", "short"])
def test_file_without_the_label_is_refused(tmp_path, talk, what):
    sound = {
        "speech": talk,
        "a steady tone": (0.3 * np.sin(2 * np.pi * 1000 / RATE_HZ * np.arange(4 * RATE_HZ))).astype(
            np.float32
        ),
        "silence": np.zeros(4 * RATE_HZ, np.float32),
        "too late": np.concatenate([talk, talk, talk, with_label(talk, rate_hz=RATE_HZ)]),
        "short": talk[: RATE_HZ // 10],
    }[what]
    path = attacks.write(sound, tmp_path / "a.m4a")
    with pytest.raises(SoundLostError) as caught:
        require_label(path)
    assert caught.value.code == "watermark.sound_lost"
    assert hears_label(path) < RHYTHM_MIN


def test_file_that_is_no_media_is_unreadable(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"nothing")
    with pytest.raises(UnreadableError):
        hears_label(path)
