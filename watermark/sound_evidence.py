"""What a sound shows of the mark: its residual laid over one period of the pattern, and one decode of it.

A residual of any length is added up at the period of the pattern: memory and work stay bounded, and every
second that is heard adds to the mark and averages the sound out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.ndimage import uniform_filter1d

from watermark.masking import Cells, Overlap, Shape, Stream
from watermark.payload import CODE_BITS, Bits, accept, viterbi
from watermark.sound import PERIOD, RATE_HZ, TILE, TILES, SoundCarrier

BLOCK_FRAMES = 256  # four are taken at once, 8 s: the background is judged within them
BACKGROUND_SHARE = 15
"""Percentile of the level over time that is taken for steady noise, which does not carry the mark."""
KEPT = 0.15  # of the amplitude is expected even there: a steady tone is no noise
TYPICAL = 0.13  # strength that the gauge gives, by mean magnitude to the power 3/4; only weights need it
FLOOR = 1e-3  # of the mean magnitude; below it is what codecs leave of silence
RINGS = 24
APART = 80  # samples: around a place the correlation rings with the band, 5 ms
SMOOTHING = (0.1, 0.2, 0.4, 0.2, 0.1)

Residual = npt.NDArray[np.float32]
"""(n,) float32 at 16 kHz."""


class Residuals:
    """Mono sound at 16 kHz, piece by piece, to a residual in which every cell counts as much as it tells."""

    def __init__(self) -> None:
        self._in = Stream(rate_hz=RATE_HZ, channels=1, block_frames=BLOCK_FRAMES)
        self._out = Overlap(self._in.frames, channels=1)
        self._before = self._in.frames.length - self._in.frames.hop  # samples that come before the first

    def feed(self, pcm: npt.NDArray[np.float32]) -> Residual:
        """The residual that is ready after the next (n,) float32; it lags by a few seconds.

        Raises:
            UnsupportedSoundError: the samples are no numbers.
        """
        self._in.add(pcm[:, None])
        return self._ready()

    def flush(self) -> Residual:
        """The rest."""
        self._in.end()
        return self._ready()

    def _ready(self) -> Residual:
        parts = [np.empty(0, np.float32)]
        frames = self._in.frames
        for _, cells, shape in self._in.ready():
            weighed = _weighed(cells[..., frames.low : frames.high], shape)
            parts.append(self._out.add(weighed)[0])
        ready = np.concatenate(parts)
        skip = min(self._before, len(ready))
        self._before -= skip
        return ready[skip:]


def _weighed(cells: Cells, shape: Shape) -> Cells:
    """Amplitude of the mark over variance of the sound, per cell: what a matched filter would do."""
    power = np.square(cells.real) + np.square(cells.imag)
    mean = float(np.sqrt(power.mean()))
    background = np.percentile(shape.level, BACKGROUND_SHARE, axis=-2, keepdims=True)
    carried = np.maximum(1 - background / (shape.level + 1e-12), KEPT)
    near = np.maximum(uniform_filter1d(power, 3, axis=-1, mode="nearest"), 0)
    noise = near + 0.1 * np.square(shape.level) + (FLOOR * mean) ** 2 + 1e-18
    weight = shape.amplitude(TYPICAL * mean**0.75) * carried / noise
    return np.asarray(cells * weight, np.complex64)


class Evidence:
    """The residual of everything that was heard, added up at the period of the pattern."""

    def __init__(self) -> None:
        self.total: Residual = np.zeros(PERIOD, np.float32)
        self.samples = 0

    def add(self, residual: Residual) -> None:
        """Add what follows."""
        for start in range(0, len(residual), PERIOD):
            part = residual[start : start + PERIOD]
            at = self.samples % PERIOD
            first = min(len(part), PERIOD - at)
            self.total[at : at + first] += part[:first]
            self.total[: len(part) - first] += part[first:]
            self.samples += len(part)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pattern begins in a total, to a fraction of a sample, and which way up it is."""

    at: float
    sign: int
    peak: float
    """Height of the correlation there over its standard deviation."""


NOWHERE = Place(0.0, 1, 0.0)


def locate(carrier: SoundCarrier, evidence: Evidence, *, count: int = 1) -> list[Place]:
    """The likeliest places among all of the period, by the pilots; a second mark has a place of its own."""
    product = scipy.fft.rfft(evidence.total) * np.conj(carrier.pilot_spectrum)
    plane = scipy.fft.irfft(product, PERIOD)
    height, spread = np.abs(plane), float(plane.std()) + 1e-12
    places = []
    for _ in range(count):
        top = int(height.argmax())
        left, middle, right = (float(height[(top + step) % PERIOD]) for step in (-1, 0, 1))
        bend = left - 2 * middle + right
        shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
        places.append(Place(top + shift, 1 if plane[top] > 0 else -1, middle / spread))
        height[np.arange(top - APART, top + APART + 1) % PERIOD] = 0
    return places


@dataclass(frozen=True, slots=True)
class Heard:
    """A total against the signs of a carrier at one place."""

    agreement: npt.NDArray[np.float32]
    """(tiles, dims), in agreement with the signs above zero."""
    z: float
    """Of the pilots; without the mark, at one place, P(z > x) <= exp(-x^2 / 2) (Hoeffding)."""


def correlate(carrier: SoundCarrier, evidence: Evidence, place: Place) -> Heard:
    """All tiles of the total, from ``place`` on."""
    whole = math.floor(place.at)
    tiles = np.roll(evidence.total, -whole).reshape(TILES, TILE)
    heard = tiles.any(axis=1)
    bins = scipy.fft.rfft(tiles[heard])[:, carrier.bins]
    bins = bins * np.exp(2j * np.pi * carrier.bins * ((place.at - whole) / TILE)) * place.sign
    agreement = np.zeros((TILES, carrier.dims), np.float32)
    agreement[heard] = np.concatenate([bins.real, bins.imag], axis=1) * carrier.signs[heard]
    pilots = agreement[:, carrier.pilots]
    return Heard(agreement, float(pilots.sum() / np.sqrt(np.square(pilots).sum() + 1e-12)))


def likeliest_bits(carrier: SoundCarrier, heard: Heard) -> Bits:
    """The 104 bits that fit best, mark or no mark; each ring of the band weighs by what its pilots show."""
    half = carrier.dims // 2
    ring = (np.arange(carrier.dims) % half) * RINGS // half
    pilots = heard.agreement[:, carrier.pilots]
    of_pilots = ring[carrier.pilots]
    gain = np.bincount(of_pilots, pilots.sum(0), RINGS)
    power = np.bincount(of_pilots, np.square(pilots).sum(0), RINGS) + 1e-12
    smooth = np.convolve(np.pad(gain / power, 2, "edge"), SMOOTHING, "valid")
    weight = (np.maximum(smooth, 0) + 1e-9 * np.abs(smooth).max())[ring].astype(np.float32)
    soft = (heard.agreement * weight)[:, carrier.data]
    code = np.bincount(carrier.code_bit.ravel(), soft.ravel(), CODE_BITS)
    return viterbi(code.astype(np.float32))


def decode(carrier: SoundCarrier, heard: Heard) -> int | None:
    """The id, when the tag accepts it."""
    return accept(carrier.keys, likeliest_bits(carrier, heard))
