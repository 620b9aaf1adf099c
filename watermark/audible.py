"""The label that is heard: for outputs without a picture, and wherever an opening label is wanted.

GB 45438-2025, 5.3: words that hold both elements at 120 to 160 characters a minute, or the rhythm short,
long, short, short. A label stands before the sound, as loud as what follows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import scipy.signal

from watermark.errors import LabelTextError, SoundLostError, UnsupportedSoundError
from watermark.listening import listen
from watermark.masking import CHANNELS_MAX, RATE_MAX_HZ, RATE_MIN_HZ
from watermark.visible import check_text

TONE_HZ = 1000
DOT_S, DASH_S, GAP_S, EDGE_S = 0.1, 0.3, 0.1, 0.005
RHYTHM_S = (DOT_S, DASH_S, DOT_S, DOT_S)
PAUSE_S = 0.3
PACE_MIN, PACE_MAX = 120, 160
"""Characters a minute."""
LEVEL, QUIETEST, PEAK = 0.1, 0.016, 0.9
"""Root mean square of a label before silence; the least of any label; the highest sample of one."""
BLOCK_S, GATE_DB, ABSOLUTE_DB = 0.4, -10, -60  # blocks that count as speech, after ITU-R BS.1770
RHYTHM_MIN = 0.9  # correlation: a steady tone reaches 0.82, the rhythm 0.98 after AAC 48k
SPOKEN_MIN = 0.6  # the right words 0.93 after AAC 48k, others 0.11
LISTEN_HZ = 16_000

_Any = TypeVar("_Any", np.int16, np.float32)
Wave = npt.NDArray[np.float32]
"""(n,) float32, full scale 1."""


def rhythm(rate_hz: int) -> npt.NDArray[np.int16]:
    """(n,) int16: 0.9 s of a 1 kHz tone, short-long-short-short, at half of full scale.

    Raises:
        UnsupportedSoundError: the rate is outside 8 to 192 kHz.
    """
    _check_rate(rate_hz)
    parts = []
    for seconds in RHYTHM_S:
        count = round(seconds * rate_hz)
        edge = round(EDGE_S * rate_hz)
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / edge)
        tone = np.sin(2 * np.pi * TONE_HZ * np.arange(count) / rate_hz)
        tone[:edge] *= ramp
        tone[count - edge :] *= ramp[::-1]
        parts += [tone, np.zeros(round(GAP_S * rate_hz))]
    return np.round(np.concatenate(parts[:-1]) * 16384).astype(np.int16)


def check_words(text: str, *, seconds: float) -> str:
    """The words of a spoken label themselves, when they say what the standard asks for at its pace.

    Raises:
        LabelTextError: an element is missing, or it is spoken too fast or too slowly.
    """
    count = sum(character.isalnum() for character in check_text(text))
    pace = count * 60 / seconds if seconds > 0 else float("inf")
    if not PACE_MIN <= pace <= PACE_MAX:
        raise LabelTextError(f"The label {text!r} has {pace:.0f} characters a minute, not 120 to 160.")
    return text


def with_label(
    pcm: npt.NDArray[_Any], *, rate_hz: int, spoken: npt.NDArray[np.int16] | None = None
) -> npt.NDArray[_Any]:
    """The sound with a label and a short pause before it, of the same type and channels.

    ``pcm``: (n,) or (n, channels), int16 or float32. ``spoken``: (n,) int16 at the same rate, instead of the
    rhythm.

    Raises:
        UnsupportedSoundError: rate, type, shape or values are not those of a sound.
    """
    _check_rate(rate_hz)
    sound = _checked(pcm)
    label = _unit(rhythm(rate_hz) if spoken is None else spoken)
    level = max(loudness(sound, rate_hz=rate_hz) or LEVEL, QUIETEST)
    label = label * min(level, PEAK / max(float(np.abs(label).max()), 1e-6))
    before = np.concatenate([label, np.zeros(round(PAUSE_S * rate_hz), np.float32)])
    before = np.repeat(before[:, None], sound.shape[1], axis=1)
    whole = np.concatenate([before, sound]).reshape(-1, *pcm.shape[1:])
    if pcm.dtype == np.int16:
        return np.asarray(np.clip(np.round(whole * 32768), -32768, 32767), pcm.dtype)
    return np.asarray(whole, pcm.dtype)


def loudness(sound: Wave, *, rate_hz: int) -> float:
    """Root mean square of the blocks that are speech, of (n, channels); 0 when there are none."""
    power = np.square(sound, dtype=np.float64).mean(axis=1)
    size = min(len(power), round(BLOCK_S * rate_hz))
    blocks = power[: len(power) // size * size].reshape(-1, size).mean(axis=1)
    blocks = blocks[blocks > 10 ** (ABSOLUTE_DB / 10)]
    if not len(blocks):
        return 0.0
    return float(np.sqrt(blocks[blocks >= blocks.mean() * 10 ** (GATE_DB / 10)].mean()))


def hears_label(
    path: Path,
    *,
    within_s: float = 10.0,
    spoken: npt.NDArray[np.int16] | None = None,
    rate_hz: int = LISTEN_HZ,
) -> float:
    """How well the first seconds of a file show the label, 0 to 1; see ``RHYTHM_MIN`` and ``SPOKEN_MIN``.

    Without ``spoken`` (at ``rate_hz``) the rhythm is looked for.

    Raises:
        UnreadableError: the file cannot be opened.
        UnsupportedSoundError: its sound cannot be decoded.
    """
    label = _unit(rhythm(LISTEN_HZ) if spoken is None else _at_listening_rate(spoken, rate_hz))
    wanted = within_s + len(label) / LISTEN_HZ
    heard = [np.zeros(0, np.float32), *listen(path, rate_hz=LISTEN_HZ, seconds_limit=wanted)]
    return _agreement(np.concatenate(heard), label)


def require_label(
    path: Path,
    *,
    within_s: float = 10.0,
    spoken: npt.NDArray[np.int16] | None = None,
    rate_hz: int = LISTEN_HZ,
) -> float:
    """The same, of a file that must have the label.

    Raises:
        SoundLostError: it is not there.
        UnreadableError: the file cannot be opened.
        UnsupportedSoundError: its sound cannot be decoded.
    """
    seen = hears_label(path, within_s=within_s, spoken=spoken, rate_hz=rate_hz)
    least = RHYTHM_MIN if spoken is None else SPOKEN_MIN
    if seen < least:
        raise SoundLostError(f"The audible label of {path.name} is heard at only {seen:.2f} of {least}.")
    return seen


def _agreement(heard: Wave, label: Wave) -> float:
    """Highest normalised correlation of a label with any place of a sound."""
    if len(heard) < len(label):
        return 0.0
    product = scipy.signal.fftconvolve(heard, label[::-1], "valid")
    energy = np.cumsum(np.concatenate([[0.0], np.square(heard, dtype=np.float64)]))
    there = energy[len(label) :] - energy[: -len(label)]
    scale = np.sqrt(np.maximum(there, 1e-9) * float(np.square(label).sum()))
    return float(min(1.0, max(0.0, (product / scale).max())))


def _at_listening_rate(spoken: npt.NDArray[np.int16], rate_hz: int) -> npt.NDArray[np.int16]:
    _check_rate(rate_hz)
    common = int(np.gcd(rate_hz, LISTEN_HZ))
    wave = scipy.signal.resample_poly(spoken.astype(np.float64), LISTEN_HZ // common, rate_hz // common)
    return np.clip(np.round(wave), -32768, 32767).astype(np.int16)


def _check_rate(rate_hz: int) -> None:
    if not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
        raise UnsupportedSoundError(f"A sound of {rate_hz} Hz is outside {RATE_MIN_HZ} to {RATE_MAX_HZ}.")


def _checked(pcm: npt.NDArray[_Any]) -> Wave:
    """(n, channels) float32 of a sound."""
    if pcm.dtype not in (np.int16, np.float32) or pcm.ndim not in (1, 2):
        raise UnsupportedSoundError(f"A sound of {pcm.shape} {pcm.dtype} is neither int16 nor float32.")
    sound = pcm[:, None] if pcm.ndim == 1 else pcm
    if not len(sound) or not 1 <= sound.shape[1] <= CHANNELS_MAX:
        raise UnsupportedSoundError(f"A sound of {pcm.shape} is empty or has too many channels.")
    if not np.isfinite(sound).all():
        raise UnsupportedSoundError("The sound has samples that are no numbers.")
    return np.asarray(sound / (32768 if pcm.dtype == np.int16 else 1), np.float32)


def _unit(label: npt.NDArray[np.int16]) -> Wave:
    """A label as float32 whose sounding parts have a root mean square of one.

    Raises:
        UnsupportedSoundError: it is empty or silent.
    """
    wave = _checked(label)
    if wave.shape[1] != 1 or not wave.any():
        raise UnsupportedSoundError("The label is silent, or has more than one channel.")
    wave = wave[:, 0]
    sounding = np.abs(wave) > 0.05 * np.abs(wave).max()
    return np.asarray(wave / np.sqrt(np.square(wave[sounding]).mean()), np.float32)
