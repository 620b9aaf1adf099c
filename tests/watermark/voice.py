"""Speech-like sound made in code, for there is no recorded speech here: a pulse train through formants.

Syllables of a vowel with a moving pitch, hissing and stopped consonants between them, pauses for breath, and
a room's noise 40 dB below. It has what matters to the mark: harmonics, formants, gaps, a falling spectrum.
"""

import numpy as np
from scipy.signal import lfilter

# Formants of a, e, i, o, u and schwa of a man, Hz (after Peterson and Barney, 1952), and bandwidths.
VOWELS = np.array(
    [
        [730, 1090, 2440, 3400],
        [530, 1840, 2480, 3500],
        [270, 2290, 3010, 3600],
        [570, 840, 2410, 3300],
        [300, 870, 2240, 3300],
        [490, 1350, 1690, 3400],
    ],
    float,
)
BANDWIDTHS = (70, 100, 140, 220)
HISSES = ((4500, 900), (2800, 700), (6000, 1500))
ROOM_DB = -40


def speech(seconds, *, rate_hz=16_000, pitch_hz=115.0, size=1.0, seed=0):
    """(n,) float32, peak 0.5. ``size`` scales the formants: 1.15 is a woman."""
    rng = np.random.default_rng(seed)
    parts, count, at = [], 0, 0
    while count < seconds * rate_hz:
        at += 1
        syllable = [_consonant(rng, rate_hz), _vowel(rng, rate_hz, pitch_hz, size)]
        if at % 7 == 0:
            syllable.append(np.zeros(int(rng.uniform(0.25, 0.5) * rate_hz)))
        parts += syllable
        count += sum(map(len, syllable))
    sound = np.concatenate(parts)[: int(seconds * rate_hz)]
    sound += rng.normal(0, sound.std() * 10 ** (ROOM_DB / 20), len(sound))
    return (sound * (0.5 / np.abs(sound).max())).astype(np.float32)


def music(seconds, *, rate_hz=16_000, seed=0):
    """(n,) float32, peak 0.5: chords of plucked strings, a bass and a soft drum, 100 beats a minute."""
    rng = np.random.default_rng(seed)
    beat = int(0.6 * rate_hz)
    sound = np.zeros(int(seconds * rate_hz) + 3 * beat)
    t = np.arange(2 * beat) / rate_hz
    for at in range(0, int(seconds * rate_hz), beat):
        root = 110 * 2 ** (rng.choice([0, 3, 5, 7]) / 12)
        for step in (0, 4, 7, 12, 16):
            tone = root * 2 ** (1 + step / 12)
            for k in range(1, 9):
                wave = np.sin(2 * np.pi * k * tone * t + rng.uniform(0, 6)) * np.exp(-t * (2 + 0.8 * k)) / k
                sound[at : at + 2 * beat] += 0.2 * wave
        sound[at : at + 2 * beat] += 0.5 * np.sin(2 * np.pi * root * t) * np.exp(-3 * t)
        sound[at : at + beat] += 0.15 * rng.normal(0, 1, beat) * np.exp(-t[:beat] * 40)
    return (sound[: int(seconds * rate_hz)] * (0.5 / np.abs(sound).max())).astype(np.float32)


def _vowel(rng, rate_hz, pitch_hz, size):
    count = int(rng.uniform(0.12, 0.28) * rate_hz)
    begin, end = VOWELS[rng.integers(len(VOWELS))], VOWELS[rng.integers(len(VOWELS))]
    slide = np.linspace(rng.uniform(0.85, 1.25), rng.uniform(0.8, 1.15), count)
    phase = np.cumsum(pitch_hz * slide * (1 + rng.normal(0, 0.01, count)) / rate_hz)
    pulses = np.diff(np.floor(phase), prepend=0) + 0.004 * rng.normal(0, 1, count)
    source = lfilter([1], [1, -0.96], pulses)
    out = np.empty(count)
    state = [np.zeros(2) for _ in BANDWIDTHS]
    step = rate_hz // 100
    for start in range(0, count, step):
        part, share = source[start : start + step], start / count
        for n, formant in enumerate((1 - share) * begin + share * end):
            part, state[n] = _resonate(part, formant * size, BANDWIDTHS[n], rate_hz, state[n])
        out[start : start + step] = part
    return out * np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 0.4


def _consonant(rng, rate_hz):
    kind, count = rng.integers(4), int(rng.uniform(0.04, 0.11) * rate_hz)
    if kind == 3:
        burst = rng.normal(0, 1, rate_hz // 100) * np.linspace(1, 0, rate_hz // 100)
        return np.concatenate([np.zeros(count), 0.6 * burst])
    centre, width = HISSES[kind]
    hiss, _ = _resonate(rng.normal(0, 1, count), min(centre, 0.42 * rate_hz), width, rate_hz, np.zeros(2))
    return 0.4 * hiss * np.sin(np.pi * np.arange(count) / count)


def _resonate(part, hz, width_hz, rate_hz, state):
    radius = np.exp(-np.pi * width_hz / rate_hz)
    poles = [1, -2 * radius * np.cos(2 * np.pi * hz / rate_hz), radius**2]
    return lfilter([sum(poles)], poles, part, zi=state)
