"""Speech at one loudness, so that nobody reaches for the volume between two videos.

Measured as ITU-R BS.1770-4 has it (K-weighting, blocks of 400 ms, gates at -70 LUFS and 10 LU below the
mean); brought to -18 LUFS, in the middle of what EBU R 128 s2 asks of streams (-20 to -16), but never so far
that a true peak would pass -1 dBTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

from generation.presenter.speech import Pcm

TARGET_LUFS, PEAK_DBTP = -18.0, -1.0
GAIN_MAX_DB = 20.0
"""Silence is not brought to speech level: its noise would be."""
BLOCK_S, OVERLAP = 0.4, 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
OFFSET = -0.691  # BS.1770-4, 2: a 997 Hz sine of full scale in one channel reads -3.01

BLOCK = 1 << 20
"""Samples that are worked on at a time."""
REACH = 64
"""Samples beside a block that its values between samples depend on; the interpolation's own reach is 10."""

Floats = npt.NDArray[np.float64]
Sound = npt.NDArray[np.int16] | Floats
"""(n,), one channel: int16, or float64 of full scale 1."""


@dataclass(frozen=True, slots=True)
class Loudness:
    """What was measured before and applied; ``lufs`` is -inf for silence."""

    lufs: float
    peak_dbtp: float
    gain_db: float


def normalised(pcm: Pcm, *, rate: int) -> tuple[Pcm, Loudness]:
    """The sound at the target loudness, and what was done to it."""
    lufs, peak = integrated(pcm, rate=rate), true_peak_db(pcm)
    if not np.isfinite(lufs):
        return pcm, Loudness(float("-inf"), peak, 0.0)
    gain = float(np.clip(min(TARGET_LUFS - lufs, PEAK_DBTP - peak), -60, GAIN_MAX_DB))
    louder = np.empty_like(pcm)
    for at, level in _blocks(pcm):
        loud = np.round(level * 10 ** (gain / 20) * 32768)
        louder[at : at + len(level)] = np.clip(loud, -32768, 32767).astype(np.int16)
    return louder, Loudness(round(lufs, 2), round(peak, 2), round(gain, 2))


def integrated(sound: Sound, *, rate: int) -> float:
    """Integrated loudness of one channel, LUFS; -inf when nothing passes the gates."""
    size, step = round(BLOCK_S * rate), round(BLOCK_S * rate / OVERLAP)
    if len(sound) < size:
        sound = np.concatenate([_level(sound), np.zeros(size - len(sound))])
    starts = np.arange(0, len(sound) - size + 1, step)
    total = _energy(sound, np.concatenate([starts, starts + size]), rate=rate)
    power = (total[len(starts) :] - total[: len(starts)]) / size
    with np.errstate(divide="ignore"):
        kept = power[OFFSET + 10 * np.log10(power) > ABSOLUTE_GATE]
        if not len(kept):
            return float("-inf")
        gate = OFFSET + 10 * np.log10(kept.mean()) + RELATIVE_GATE
        kept = kept[OFFSET + 10 * np.log10(kept) > gate]
    return float(OFFSET + 10 * np.log10(kept.mean()))


def true_peak_db(sound: Sound) -> float:
    """The highest value between the samples, dBTP, at four times the rate (BS.1770-4, annex 2)."""
    highest = 0.0
    for at, level in _blocks(sound):
        before = _level(sound[max(0, at - REACH) : at])
        behind = _level(sound[at + len(level) : at + len(level) + REACH])
        dense = scipy.signal.resample_poly(np.concatenate([before, level, behind]), 4, 1)
        own = dense[4 * len(before) : 4 * (len(before) + len(level))]
        highest = max(highest, float(np.abs(own).max()))
    return float(20 * np.log10(highest)) if highest else float("-inf")


def _energy(sound: Sound, places: npt.NDArray[np.int64], *, rate: int) -> Floats:
    """The weighted sound's energy before each of these samples."""
    found, carried = np.zeros(len(places)), 0.0
    filters = _k_weighting(rate)
    states = [np.zeros(max(len(b), len(a)) - 1) for b, a in filters]
    for at, level in _blocks(sound):
        weighted = level
        for number, (b, a) in enumerate(filters):
            weighted, states[number] = scipy.signal.lfilter(b, a, weighted, zi=states[number])
        total = np.cumsum(np.square(weighted)) + carried
        here = (places > at) & (places <= at + len(total))
        found[here] = total[places[here] - at - 1]
        carried = float(total[-1])
    return found


def _blocks(sound: Sound) -> Iterator[tuple[int, Floats]]:
    """Where each part begins, and the part at full scale 1: half an hour at once would be gigabytes."""
    for at in range(0, len(sound), BLOCK):
        yield at, _level(sound[at : at + BLOCK])


def _level(part: Sound) -> Floats:
    return part.astype(np.float64) / 32768 if part.dtype == np.int16 else part.astype(np.float64)


def _k_weighting(rate: int) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """The head's shelf and the low cut of BS.1770-4, for any rate (De Man 2018, eqs 6 and 11)."""
    return _shelf(1681.974450955533, 3.999843853973347, 0.7071752369554196, rate), _cut(
        38.13547087602444, 0.5003270373238773, rate
    )


def _shelf(hertz: float, gain_db: float, q: float, rate: int) -> tuple[Floats, Floats]:
    k, vh = np.tan(np.pi * hertz / rate), 10 ** (gain_db / 20)
    vb = vh**0.4996667741545416
    a0 = 1 + k / q + k * k
    b = np.array([vh + vb * k / q + k * k, 2 * (k * k - vh), vh - vb * k / q + k * k]) / a0
    return b, np.array([1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])


def _cut(hertz: float, q: float, rate: int) -> tuple[Floats, Floats]:
    k = np.tan(np.pi * hertz / rate)
    a0 = 1 + k / q + k * k
    return np.array([1.0, -2.0, 1.0]), np.array([1, 2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0])
