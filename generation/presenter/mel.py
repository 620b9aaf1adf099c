"""The mel spectrogram that lip-sync networks of the Wav2Lip family were trained on, without librosa.

Parameters: Rudrabha/Wav2Lip, hparams.py and audio.py: 16 kHz, pre-emphasis .97, Hann window of 800, hop 200,
80 bands from 55 to 7600 Hz on Slaney's scale with equal areas, decibels from -100 with reference 20, scaled
to -4 to 4. EDTalk reads the same.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter, resample_poly

from generation.presenter.speech import Pcm

RATE, WINDOW, HOP, BANDS = 16_000, 800, 200, 80
COLUMNS = 16
"""Of one window: 200 ms."""
COLUMNS_A_SECOND = RATE // HOP
LOW_HZ, HIGH_HZ = 55.0, 7600.0
PRE_EMPHASIS, FLOOR_DB, REFERENCE_DB, RANGE = 0.97, -100.0, 20.0, 4.0

Floats = npt.NDArray[np.float32]


def mel(pcm: Pcm, *, rate: int) -> Floats:
    """(80, n) float32, -4 to 4; 80 columns a second, the first centred on the sound's beginning."""
    sound = pcm.astype(np.float64) / 32768
    if rate != RATE:
        common = int(np.gcd(rate, RATE))
        sound = resample_poly(sound, RATE // common, rate // common)
    emphasised = lfilter([1.0, -PRE_EMPHASIS], [1.0], sound)
    padded = np.pad(emphasised, WINDOW // 2, mode="reflect" if len(sound) > WINDOW // 2 else "constant")
    starts = np.arange(0, len(padded) - WINDOW + 1, HOP)
    window = np.hanning(WINDOW + 1)[:-1]  # periodic
    frames = padded[starts[:, None] + np.arange(WINDOW)] * window
    power = _filters() @ np.abs(np.fft.rfft(frames, axis=1)).T
    decibels = 20 * np.log10(np.maximum(10 ** (FLOOR_DB / 20), power)) - REFERENCE_DB
    scaled = 2 * RANGE * (decibels - FLOOR_DB) / -FLOOR_DB - RANGE
    return np.clip(scaled, -RANGE, RANGE).astype(np.float32)


def windows(found: Floats, *, frames: int, fps: float) -> Floats:
    """(frames, 80, 16) float32: what a network hears for each frame of the picture, from its time on.

    Windows beyond the end are the last one, as Wav2Lip's inference.py has it.
    """
    short = max(0, COLUMNS - found.shape[1])
    padded = np.pad(found, ((0, 0), (0, short)), constant_values=-RANGE)
    last = padded.shape[1] - COLUMNS
    starts = np.minimum((np.arange(frames) * COLUMNS_A_SECOND / fps).astype(int), last)
    return np.stack([padded[:, start : start + COLUMNS] for start in starts]).astype(np.float32)


def silent() -> Floats:
    """(80, 16): what a network hears when nothing is said."""
    return np.full((BANDS, COLUMNS), -RANGE, np.float32)


@cache
def _filters() -> npt.NDArray[np.float64]:
    """(80, 401): triangles of equal area on Slaney's mel scale (Auditory Toolbox, 1998)."""
    edges = _hertz(np.linspace(_mels(LOW_HZ), _mels(HIGH_HZ), BANDS + 2))
    bins = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    areas = 2 / (edges[2:] - edges[:-2])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * areas[:, None])


_KNEE_HZ, _LINEAR, _LOG_STEP = 1000.0, 200.0 / 3, np.log(6.4) / 27


def _mels(hertz: float) -> float:
    if hertz < _KNEE_HZ:
        return hertz / _LINEAR
    return float(_KNEE_HZ / _LINEAR + np.log(hertz / _KNEE_HZ) / _LOG_STEP)


def _hertz(mels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    knee = _KNEE_HZ / _LINEAR
    return np.where(mels < knee, mels * _LINEAR, _KNEE_HZ * np.exp(_LOG_STEP * (mels - knee)))
