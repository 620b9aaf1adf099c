"""Where in one recording the sounds of another are: spectra, and dynamic time warping between them.

Spectra: 12 mel cepstra and their changes every 10 ms, normalised over the speech of each recording, so that
another speaker and microphone matter less; faded out with the loudness, so that silence is like silence.
Davis and Mermelstein 1980 (cepstra); Sakoe and Chiba 1978 (warping).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

RATE = 16_000
HOP_S, WINDOW_S = 0.01, 0.025
HOP, WINDOW = round(RATE * HOP_S), round(RATE * WINDOW_S)
BINS, MELS, CEPSTRA = 512, 26, 12
STEP_MAX = 3
"""Reference frames that one frame of the recording may pass: it may be three times as fast for a while."""
BAND_S = 8.0
"""How far the recording may run ahead of, or behind, its share of all speech."""
LOUDNESS_WEIGHT = 1.5

BLOCK = 6000
"""Frames that are analysed at a time."""

Signal = npt.NDArray[np.float32]
"""(n,) at 16,000 Hz, full scale 1."""
Features = npt.NDArray[np.float32]
"""(frames, 25): cepstra, changes, loudness 0 to 1; all zero is silence."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording as frames; ``level_db``: of each frame, ``presence``: 0 silence to 1 speech."""

    features: Features
    level_db: npt.NDArray[np.float64]
    presence: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Warp:
    """``path``: the reference frame of each recorded frame; ``costs``: what each match costs."""

    path: npt.NDArray[np.int64]
    costs: npt.NDArray[np.float64]


def analyse(signal: Signal, *, tract: float = 1.0) -> Sound:
    """``signal``: (n,) at 16,000 Hz, -1 to 1; ``tract``: how much higher its resonances lie."""
    padded = np.pad(signal, (0, max(0, WINDOW - len(signal))))
    level = _by_blocks(padded, lambda frames: 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-10))
    top, floor = np.percentile(level, 95), np.percentile(level, 5)
    low = max(top - 40, min(floor + 6, top - 20))
    presence = np.clip((level - low) / 12, 0, 1)
    sharper = np.append(padded[:1], padded[1:] - np.float32(0.97) * padded[:-1])  # the usual pre-emphasis
    window, mel = np.hanning(WINDOW), _mel(tract).T

    def cepstra_of(frames: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        power = np.abs(np.fft.rfft(frames * window, BINS, axis=1)) ** 2
        return np.asarray(dct(np.log(power @ mel + 1e-8), type=2, axis=1, norm="ortho")[:, 1 : CEPSTRA + 1])

    cepstra = _by_blocks(sharper, cepstra_of)
    both = np.hstack([cepstra, _changes(cepstra)])
    speech = presence > 0.5
    chosen = both[speech] if speech.any() else both
    both = (both - chosen.mean(0)) / (chosen.std(0) + 1e-6)
    columns = [both * presence[:, None], LOUDNESS_WEIGHT * presence[:, None]]
    return Sound(np.hstack(columns).astype(np.float32), level, presence)


def _by_blocks(
    signal: Signal, of: Callable[[npt.NDArray[Any]], npt.NDArray[np.float64]]
) -> npt.NDArray[np.float64]:
    """What a function gives of all frames, a minute at a time: half an hour of spectra would be gigabytes."""
    frames = np.lib.stride_tricks.sliding_window_view(signal, WINDOW)[::HOP]
    parts = [of(frames[at : at + BLOCK].astype(np.float64)) for at in range(0, len(frames), BLOCK)]
    return np.concatenate(parts)


def warp(recorded: Features, reference: Features) -> Warp:
    """The cheapest way through the reference, one step a recorded frame, from its beginning to its end."""
    count, width = len(recorded), len(reference)
    lows, band = _band(recorded, reference)
    norms = np.sum(np.square(reference), axis=1)
    back = np.zeros((count, band), np.int8)
    total = np.full(band, np.inf)
    for at in range(count):
        low = lows[at]
        there = min(band, width - low)
        own = norms[low : low + there] - 2 * (reference[low : low + there] @ recorded[at])
        costs = np.full(band, np.inf, np.float32)
        costs[:there] = np.sqrt(np.maximum(own + recorded[at] @ recorded[at], 0))
        if at == 0:
            total[: STEP_MAX + 1] = costs[: STEP_MAX + 1]
            continue
        shift = low - lows[at - 1]
        before = np.concatenate([np.full(STEP_MAX, np.inf), total, np.full(shift + 1, np.inf)])
        steps = np.stack(
            [before[STEP_MAX + shift - step :][:band] for step in range(STEP_MAX + 1)]
        )  # row: how many reference frames were passed
        back[at] = steps.argmin(0)
        total = steps.min(0) + costs
    path = _walked(back, lows, last=width - 1)
    # only along the way: all costs of half an hour would be a gigabyte
    found = np.linalg.norm(recorded.astype(np.float64) - reference[path], axis=1)
    return Warp(path, found)


def _band(recorded: Features, reference: Features) -> tuple[npt.NDArray[np.int64], int]:
    """The first reference frame that each recorded frame may match, and how many: by the share of speech."""
    shares = [np.cumsum(each[:, -1]) / max(float(each[:, -1].sum()), 1e-6) for each in (recorded, reference)]
    middle = np.searchsorted(shares[1], shares[0])
    reach = round(BAND_S / HOP_S)
    band = min(len(reference), 2 * reach + 1)
    lows = np.clip(middle - reach, 0, len(reference) - band)
    return np.maximum.accumulate(lows).astype(np.int64), band


def _walked(back: npt.NDArray[np.int8], lows: npt.NDArray[np.int64], *, last: int) -> npt.NDArray[np.int64]:
    path = np.zeros(len(back), np.int64)
    place = last
    for at in range(len(back) - 1, -1, -1):
        column = min(max(place - lows[at], 0), back.shape[1] - 1)
        path[at] = lows[at] + column
        place = int(path[at]) - int(back[at, column])
    return path


def _changes(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The slope over five frames."""
    wide = np.pad(values, ((2, 2), (0, 0)), "edge")
    return np.asarray((2 * (wide[4:] - wide[:-4]) + wide[3:-1] - wide[1:-3]) / 10)


def _mel(tract: float) -> npt.NDArray[np.float64]:
    """(mels, bins): triangles that are even in mel, 80 to 6,600 Hz for a vocal tract of usual length."""
    edges = np.linspace(1127 * np.log1p(80 / 700), 1127 * np.log1p(6600 / 700), MELS + 2)
    hertz = 700 * np.expm1(edges / 1127) * tract
    bins = np.arange(BINS // 2 + 1) * RATE / BINS
    rising = (bins - hertz[:-2, None]) / (hertz[1:-1] - hertz[:-2])[:, None]
    falling = (hertz[2:, None] - bins) / (hertz[2:] - hertz[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))
