"""At which speed a sound is played, 0.9 to 1.1 of its own: one dimension, found by the pilots alone.

A piece of a few seconds has one spectrum; at another speed the same spectrum is read at other frequencies. So
each speed costs one look-up and one transform, which tries all places of the period at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from watermark.sound import PERIOD, RATE_HZ, SoundCarrier
from watermark.sound_evidence import Evidence, Residual, locate

FASTEST = 0.10
NEAR = 0.045  # what broadcast (25 for 24 frames) and uploads do lies within: tried before the rest
PIECE_S = 4.0
STEP = 1.5e-4  # of the speed; between two of them the peak loses a quarter (measured), the place nothing
LOW_HZ, HIGH_HZ = 400, 2400
PLACES = 163_840  # a quarter more than the band has lines: the best place is at most 0.2 ms away
WORTH_A_CLOSER_LOOK = 6.6
LOOKS = 6
LONGER_S = (8.0, 16.0, 32.0)


@dataclass(frozen=True, slots=True)
class Speed:
    """A speed that the pilots speak for: the sound is this much faster than its original."""

    peak: float
    """Height of the correlation over its noise."""
    speed: float


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the sound, ``offset`` samples from its beginning, at its own speed again."""

    speed: float
    offset: int
    evidence: Evidence


def pieces(residual: Residual) -> list[slice]:
    """The two pieces of a residual, apart from each other, that tell most."""
    length, hop = int(PIECE_S * RATE_HZ), RATE_HZ // 2
    if len(residual) <= length:
        return [slice(0, len(residual))]
    told = np.add.reduceat(np.square(residual), np.arange(0, len(residual), hop))
    score = np.convolve(told, np.ones(length // hop), "valid")
    first = int(score.argmax())
    score[max(0, first - length // hop + 1) : first + length // hop] = -1.0
    starts = [first] + ([int(score.argmax())] if score.max() > 0 else [])
    return [slice(start * hop, start * hop + length) for start in starts]


def grid(nearest: float, farthest: float) -> npt.NDArray[np.float64]:
    """Speeds from ``nearest`` to ``farthest`` away from 1, both ways, the nearest first."""
    away = np.arange(nearest, farthest, STEP) + STEP
    return np.stack([1 + away, 1 - away], axis=1).ravel()


class Ear:
    """One piece of a residual, ready to be compared with the pilots at any speed."""

    def __init__(self, carrier: SoundCarrier, piece: Residual) -> None:
        self._lines = np.arange(LOW_HZ * PERIOD // RATE_HZ, HIGH_HZ * PERIOD // RATE_HZ)
        self._pilots = np.conj(carrier.pilot_spectrum[self._lines])
        centred = np.zeros(2 * PERIOD, np.float32)
        half = len(piece) // 2
        centred[: len(piece) - half] = piece[half:]
        centred[len(centred) - half :] = piece[:half]
        top = int(2 * self._lines[-1] * (1 + FASTEST + STEP)) + 2
        self._spectrum = scipy.fft.rfft(centred)[:top].astype(np.complex64)

    def at(self, speed: float) -> Speed:
        """How well the best place of the period fits at one speed."""
        lines = self._spectrum[np.rint(self._lines * (2 * speed)).astype(np.intp)]
        plane = scipy.fft.ifft(lines * self._pilots, PLACES)
        power = np.square(plane.real) + np.square(plane.imag)
        return Speed(math.sqrt(2 * float(power.max()) / (float(power.mean()) + 1e-30)), speed)


def speeds(carrier: SoundCarrier, residual: Residual, stop: Callable[[], bool]) -> Iterator[Part]:
    """Parts at their likely speeds, the nearest and likeliest first, until ``stop``."""
    ears = [(Ear(carrier, residual[piece]), piece) for piece in pieces(residual)]
    for nearest, farthest in ((0.0, NEAR), (NEAR, FASTEST)):
        for ear, piece in ears:
            found = []
            for speed in grid(nearest, farthest):
                if stop():
                    break
                found.append(ear.at(float(speed)))
            likely = [each for each in found if each.peak >= WORTH_A_CLOSER_LOOK]
            for each in sorted(likely, key=_peak, reverse=True)[:LOOKS]:
                yield from _closer(carrier, residual, piece, each)


def _closer(carrier: SoundCarrier, residual: Residual, piece: slice, found: Speed) -> Iterator[Part]:
    """Longer and longer parts around the piece, each with a finer step of the speed."""
    centre = (piece.start + piece.stop) // 2
    step = STEP / 2
    for seconds in LONGER_S:
        half = int(seconds * RATE_HZ / 2)
        first = max(0, centre - half)
        part = residual[first : centre + half]
        tried = []
        for away in (-1.0, -0.5, 0.0, 0.5, 1.0):
            speed = found.speed * (1 + away * step)
            evidence = Evidence()
            evidence.add(at_own_speed(part, speed))
            tried.append((Speed(locate(carrier, evidence)[0].peak, speed), evidence))
        found, evidence = max(tried, key=lambda each: each[0].peak)
        yield Part(found.speed, first, evidence)
        step /= 2
        if len(part) == len(residual):
            return


def _peak(found: Speed) -> float:
    return found.peak


def at_own_speed(residual: Residual, speed: float) -> Residual:
    """A residual played ``speed`` times too fast, slowed down by cubic interpolation (Catmull-Rom)."""
    count = int((len(residual) - 3) * speed)
    at = np.arange(count) / speed + 1
    whole = at.astype(np.intp)
    t = (at - whole).astype(np.float32)
    a, b, c, d = (residual[whole + step] for step in (-1, 0, 1, 2))
    bend = t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))
    return np.asarray(b + 0.5 * t * (c - a + bend), np.float32)
