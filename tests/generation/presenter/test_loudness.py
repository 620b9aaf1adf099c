from __future__ import annotations

import re
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from generation.presenter import loudness
from generation.presenter.loudness import TARGET_LUFS, integrated, normalised, true_peak_db


def tone(level_db: float, *, hertz: float = 997, rate: int = 48_000, seconds: float = 3) -> np.ndarray:
    time = np.arange(round(rate * seconds)) / rate
    return 10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * time)


def octets(level: np.ndarray) -> np.ndarray:
    return np.clip(np.round(level * 32768), -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("level_db", [-6.0, -23.0, -40.0])
def test_a_sine_reads_what_the_standard_says(rate: int, level_db: float) -> None:
    # BS.1770-4: 997 Hz at 0 dBFS in one channel is -3.01 LKFS
    assert integrated(tone(level_db, rate=rate), rate=rate) == pytest.approx(level_db - 3.01, abs=0.05)


def test_silence_between_words_does_not_count() -> None:
    spoken = np.concatenate([tone(-20), np.zeros(48_000 * 6)])

    assert integrated(spoken, rate=48_000) == pytest.approx(-23.01, abs=0.3)


@pytest.mark.parametrize("level_db", [-45.0, -30.0, -12.0])
def test_speech_is_brought_to_one_loudness(level_db: float) -> None:
    found, said = normalised(octets(tone(level_db, rate=22_050)), rate=22_050)

    after = integrated(found / 32768, rate=22_050)
    assert after == pytest.approx(min(TARGET_LUFS, level_db - 3.01 + 20), abs=0.1)
    assert said.gain_db == pytest.approx(after - said.lufs, abs=0.1)


def test_no_peak_is_pushed_beyond_the_limit() -> None:
    clicks = np.zeros(48_000 * 3)
    clicks[::4_800] = 0.5
    found, _ = normalised(octets(clicks + tone(-50)), rate=48_000)

    assert true_peak_db(found / 32768) <= -0.9


@pytest.mark.parametrize("pcm", [np.zeros(0, np.int16), np.zeros(48_000, np.int16)])
def test_silence_stays_silence(pcm: np.ndarray) -> None:
    found, said = normalised(pcm, rate=48_000)

    assert (found == pcm).all()
    assert said.gain_db == 0


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_another_meter_reads_the_same(tmp_path: Path) -> None:
    chance = np.random.Generator(np.random.PCG64(4))
    envelope = np.repeat(chance.uniform(0, 1, 60), 2_205) ** 2
    level = envelope * np.convolve(chance.normal(0, 0.2, len(envelope)), [0.5, 0.3, 0.2], "same")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(octets(level).tobytes())

    done = subprocess.run(
        ["ffmpeg", "-nostats", "-i", str(tmp_path / "a.wav"), "-af", "ebur128", "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = float(re.findall(r"I:\s+(-?[\d.]+) LUFS", done.stderr)[-1])

    assert integrated(octets(level) / 32768, rate=22_050) == pytest.approx(theirs, abs=0.2)


def test_working_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(4)
    pcm = (chance.normal(0, 3000, 22_050) * np.sin(np.arange(22_050) / 3000)).astype(np.int16)
    pcm[776:778] = 20_000  # the highest value is between two blocks
    whole, told = normalised(pcm, rate=22_050)

    monkeypatch.setattr(loudness, "BLOCK", 777)
    parts, again = normalised(pcm, rate=22_050)

    np.testing.assert_array_equal(parts, whole)
    assert again == told
