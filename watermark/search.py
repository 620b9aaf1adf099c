"""Where the mark lies in a picture that was cropped, scaled, turned or mirrored; every decode is counted.

Only the 40-bit tag accepts a mark. For any picture made without knowledge of the keys a decode passes it with
probability 2^-40, so N decodes have a false positive with at most N * 2^-40; every answer states the bound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
import scipy.fft

from watermark.errors import DecodeLimitError
from watermark.evidence import Evidence
from watermark.invisible import (
    SEARCH_TILES,
    TILE,
    Carrier,
    Correlation,
    Field,
    correlate,
    decode,
)
from watermark.payload import TAG_BITS

WORTH_A_PEAK = 5.4  # work limit on the peak of a correlation plane; evidence of nothing
WORTH_A_DECODE = 4.0  # decoding needs z of about 9; P(z > 4) = 3e-4 without the mark
SUSPECT_AT_IDENTITY = 6.0  # P = 1.5e-8 for each fixed hypothesis
SUSPECT_AFTER_SEARCH = 7.6  # 2e8 hypotheses: P = 6e-5
SCALES = np.exp(np.arange(math.log(0.45), math.log(1.12), 0.003))
DEGREES = np.arange(-6, 6.01, 0.12)
_SIDE = SEARCH_TILES * TILE // 2


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a picture lies on the marked one: turn it back by ``quarter_turns`` (clockwise), mirror it, then
    turn and scale it about its centre; its corner is then at (dy, dx) canonical pixels of the marked one."""

    scale: float = 1.0
    degrees: float = 0.0
    mirror: bool = False
    quarter_turns: int = 0
    dy: float = 0.0
    dx: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a search says: an accepted id with its carrier, or the best pilot statistic it met."""

    z: float = 0.0
    mark_id: int | None = None
    carrier: Carrier | None = None
    geometry: Geometry = Geometry()
    inverted: bool = False
    """The mark was subtracted more than once: proof of tampering."""
    suspected: bool = False
    """Pilots agree beyond chance, but no tag: too weak to read, or of an unknown tenant."""


class Tally:
    """Counts decodes against a limit, and time against a budget."""

    def __init__(self, *, budget_s: float = math.inf, max_decodes: int = 1000) -> None:
        self.decodes = 0
        self.spent = False
        """True once something was left out for want of time."""
        self._max = max_decodes
        self._deadline = time.monotonic() + budget_s

    @property
    def false_positive_bound(self) -> float:
        """Highest probability that any decode so far would have accepted an unmarked picture."""
        return self.decodes * 2.0**-TAG_BITS

    def out_of_time(self) -> bool:
        """Whether the budget is spent; remembers that it was asked in vain."""
        self.spent = self.spent or time.monotonic() > self._deadline
        return self.spent

    def decode(self, carrier: Carrier, found: Correlation, *, sign: int = 1) -> int | None:
        """Decode once and count it.

        Raises:
            DecodeLimitError: the limit is reached, so the promised bound would no longer hold.
        """
        if self.decodes >= self._max:
            raise DecodeLimitError(f"The limit of {self._max} decodes is reached.")
        self.decodes += 1
        return decode(carrier, found, sign=sign)


def groups_of(carriers: Sequence[Carrier]) -> list[list[Carrier]]:
    """Carriers by master secret: those of one group share their pilots, so one geometry search serves all."""
    groups: dict[bytes, list[Carrier]] = {}
    for carrier in carriers:
        groups.setdefault(carrier.keys.sync, []).append(carrier)
    return list(groups.values())


# ---- intact geometry ----------------------------------------------------------------------------


def at_identity(
    groups: list[list[Carrier]], evidence: Evidence, tally: Tally, quarter_turns: Iterable[int]
) -> Finding:
    """Look at the picture as it is and mirrored, turned by these quarter turns; also for an inverted mark."""
    best = Finding()
    for turns in quarter_turns:
        for mirror in (False, True):
            total = _oriented(evidence.total, mirror, turns)
            for group in groups:
                found = _read(group, total, Geometry(mirror=mirror, quarter_turns=turns), tally)
                if found.mark_id is not None:
                    return found
                if abs(found.z) > abs(best.z):
                    best = replace(found, suspected=abs(found.z) >= SUSPECT_AT_IDENTITY)
    return best


def _oriented(total: Field, mirror: bool, quarter_turns: int) -> Field:
    turned = np.rot90(total, -quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)


def _read(group: list[Carrier], total: Field, geometry: Geometry, tally: Tally) -> Finding:
    """Decode one hypothesis with all carriers of a group, when the pilots make it worth while."""
    z = 0.0
    for carrier in group:
        found = correlate(carrier, total, geometry.dy, geometry.dx)
        z = found.z
        if abs(z) < WORTH_A_DECODE:
            break  # the pilots are the same for the whole group
        sign = 1 if z > 0 else -1
        mark_id = tally.decode(carrier, found, sign=sign)
        if mark_id is not None:
            return Finding(z, mark_id, carrier, geometry, inverted=sign < 0)
    return Finding(z, geometry=geometry)


# ---- search -------------------------------------------------------------------------------------


class _Peak(NamedTuple):
    z: float
    scale: float
    degrees: float
    dy: float
    dx: float


@dataclass(frozen=True, slots=True)
class _Stage:
    mirror: bool
    grid: tuple[tuple[float, float], ...]  # scale, degrees
    step_scale: float
    step_degrees: float


_STAGES = (
    _Stage(False, tuple((float(s), 0.0) for s in SCALES), 0.0015, 0.0),
    _Stage(False, tuple((1.0, float(d)) for d in DEGREES), 0.001, 0.06),
    _Stage(True, tuple((float(s), 0.0) for s in SCALES), 0.0015, 0.0),
)


def everywhere(groups: list[list[Carrier]], evidence: Evidence, tally: Tally) -> Finding:
    """Search scale and shift, rotation, and both again mirrored: 709 correlations, few decodes."""
    best = Finding()
    half = cv2.resize(evidence.total, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    upright: Field = np.asarray(half, np.float32)
    for stage in _STAGES:
        plane = np.ascontiguousarray(upright[:, ::-1]) if stage.mirror else upright
        for group in groups:
            found = _search_stage(group, evidence, plane, stage, tally)
            if found.mark_id is not None:
                return found
            if found.z > best.z:
                best = replace(found, suspected=found.z >= SUSPECT_AFTER_SEARCH)
    return best


def _search_stage(
    group: list[Carrier], evidence: Evidence, half: Field, stage: _Stage, tally: Tally
) -> Finding:
    peaks = []
    for scale, degrees in stage.grid:
        if tally.out_of_time():
            break
        peaks.append(_peak(group[0], half, scale, degrees))
    best = Finding()
    for peak in sorted(peaks, reverse=True)[:2]:
        if peak.z < WORTH_A_PEAK:
            break
        fine = _refined(group[0], half, peak, stage)
        total = _exact(evidence, stage.mirror, fine)
        dy, dx = _subpixel(group[0], total, fine.dy, fine.dx)
        geometry = Geometry(fine.scale, fine.degrees, stage.mirror, 0, dy, dx)
        found = _read(group, total, geometry, tally)
        if found.mark_id is not None:
            return found
        best = max(best, found, key=lambda finding: finding.z)
    return best


def warped(plane: Field, scale: float, degrees: float) -> Field:
    """Turn about the centre and scale; the result is as large as the scaled picture."""
    h, w = plane.shape
    wide, tall = max(8, round(w * scale)), max(8, round(h * scale))
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, scale)
    turn[:, 2] += ((wide - w) / 2, (tall - h) / 2)
    return np.asarray(cv2.warpAffine(plane, turn, (wide, tall), flags=cv2.INTER_LINEAR), np.float32)


def _peak(carrier: Carrier, half: Field, scale: float, degrees: float) -> _Peak:
    """Best shift of one scale and rotation, by FFT over the half-resolution search plane."""
    part = warped(half, scale, degrees)[:_SIDE, :_SIDE]
    product = carrier.pilot_spectrum * np.conj(scipy.fft.rfft2(part, (_SIDE, _SIDE)))
    plane = scipy.fft.irfft2(product, (_SIDE, _SIDE))
    y, x = divmod(int(plane.argmax()), _SIDE)
    z = float((plane[y, x] - plane.mean()) / (plane.std() + 1e-12))
    wrap = _SIDE * 3 // 4  # a turned picture can begin before the plane
    return _Peak(z, scale, degrees, 2.0 * (y - _SIDE * (y > wrap)), 2.0 * (x - _SIDE * (x > wrap)))


def _refined(carrier: Carrier, half: Field, best: _Peak, stage: _Stage) -> _Peak:
    step_scale, step_degrees = stage.step_scale, stage.step_degrees
    for _ in range(3):
        centre = best
        for a in (-1, 0, 1):
            for b in (-1, 0, 1) if step_degrees else (0,):
                if a or b:
                    scale, degrees = centre.scale * (1 + a * step_scale), centre.degrees + b * step_degrees
                    best = max(best, _peak(carrier, half, scale, degrees))
        step_scale, step_degrees = step_scale / 2, step_degrees / 2
    return best


def _exact(evidence: Evidence, mirror: bool, peak: _Peak) -> Field:
    """The residual at the found geometry; below 0.93 the front end itself is done again at the true size."""
    if peak.scale < 0.93 and not peak.degrees:
        return _oriented(evidence.at_scale(peak.scale), mirror, 0)
    return warped(_oriented(evidence.total, mirror, 0), peak.scale, peak.degrees)


def _subpixel(carrier: Carrier, total: Field, dy: float, dx: float) -> tuple[float, float]:
    """Polish the shift to a quarter pixel by the exact pilot statistic."""
    best = (-math.inf, dy, dx)
    for step in (1.0, 0.5, 0.25):
        _, y, x = best
        for a in (-step, 0.0, step):
            for b in (-step, 0.0, step):
                best = max(best, (correlate(carrier, total, y + a, x + b).z, y + a, x + b))
    return best[1], best[2]
