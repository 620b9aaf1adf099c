"""Where the mark lies in a picture that was cropped, scaled, turned or mirrored; every decode is counted.

Only the 40-bit tag accepts a mark. For any picture made without knowledge of the keys a decode passes it with
probability 2^-40, so N decodes have a false positive with at most N * 2^-40; every answer states the bound.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import scipy.fft

from watermark.errors import DecodeLimitError
from watermark.evidence import Evidence
from watermark.invisible import (
    CANONICAL,
    COLUMNS,
    FIELD,
    RING,
    ROWS,
    TILE,
    Carrier,
    Field,
    code_places,
    pattern_of,
)
from watermark.payload import CODE_BITS, TAG_BITS, Soft
from watermark.reading import (
    HALF,
    Sight,
    decode,
    frame_weights,
    halved,
    likely_sets,
    pilot_table,
    pilots,
    ring_gains,
    sight,
    soft_bits,
)

WORTH_A_PEAK = 5.4  # work limit on the peak of a correlation plane; evidence of nothing
WORTH_A_DECODE = 4.0  # decoding needs z of about 9
SPEAKS_ALONE = 5.5  # of 64 sets, one frame: P = 2e-5
SUSPECT_AT_IDENTITY = 7.0  # 512 moments, 22 speeds, 8 ways to turn: P = 2e-6
SUSPECT_AFTER_SEARCH = 7.6  # 2e8 hypotheses: P = 6e-5
SCALES = np.exp(np.arange(math.log(0.45), math.log(1.12), 0.003))
DEGREES = np.arange(-6, 6.01, 0.12)
_SIDE = FIELD * HALF


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

    def decode(self, carrier: Carrier, soft: Soft, *, sign: int = 1) -> int | None:
        """Decode once and count it.

        Raises:
            DecodeLimitError: the limit is reached, so the promised bound would no longer hold.
        """
        if self.decodes >= self._max:
            raise DecodeLimitError(f"The limit of {self._max} decodes is reached.")
        self.decodes += 1
        return decode(carrier, soft, sign=sign)


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
            geometry = Geometry(mirror=mirror, quarter_turns=turns)
            seen = _seen(evidence, geometry)
            for group in groups:
                found = _read(group, seen, geometry, tally)
                if found.mark_id is not None:
                    return found
                if abs(found.z) > abs(best.z):
                    best = replace(found, suspected=abs(found.z) >= SUSPECT_AT_IDENTITY)
    return best


def _seen(evidence: Evidence, geometry: Geometry) -> Sight:
    """All frames as they are; held in other ways one segment of them, which shows whether it is worth it."""
    if not geometry.mirror and not geometry.quarter_turns:
        return evidence.upright()
    chosen = evidence.window()
    halves = [_oriented(evidence.halves[at], geometry.mirror, geometry.quarter_turns) for at in chosen]
    return sight(halves, [evidence.times[at] for at in chosen])


def _oriented(total: Field, mirror: bool, quarter_turns: int) -> Field:
    turned = np.rot90(total, -quarter_turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)


def _read(group: list[Carrier], seen: Sight, geometry: Geometry, tally: Tally) -> Finding:
    """Decode one hypothesis with all carriers of a group, when the pilots make it worth while."""
    table = pilot_table(group[0], seen)
    found = Finding(geometry=geometry)
    for numbers, alone in _readings(group[0], table, seen.times):
        weights = frame_weights(table, numbers) * alone
        agreed = pilots(group[0], seen, numbers, weights)
        if abs(agreed.z) < WORTH_A_DECODE:
            continue
        if not found.z:
            found = replace(found, z=agreed.z)
        sign = 1 if agreed.z > 0 else -1
        for carrier in group:
            soft = soft_bits(carrier, seen, numbers, weights, sign * agreed.agreement)
            mark_id = tally.decode(carrier, soft, sign=sign)
            if mark_id is not None:
                return Finding(agreed.z, mark_id, carrier, geometry, inverted=sign < 0)
    return found


def _readings(
    carrier: Carrier, table: Field, times: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[np.intp], Field]]:
    """Which set each frame may carry, and which frames count: all in their order; or those that speak for
    themselves, in no order, as when a copy was cut together anew or only key frames kept the mark."""
    yield likely_sets(carrier, table, times), np.ones(len(table), np.float32)
    height = np.abs(table).max(1)
    clear = height >= max(SPEAKS_ALONE, height.max() / 2)
    if len(table) > 1 and clear.any():
        yield np.abs(table).argmax(1), clear.astype(np.float32)


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
    peaks: int = 2  # looked at closely
    side: int = _SIDE
    """Of the field of pilots, pixels: at a quarter of the size half of the band is seen, much faster."""


_LINE = tuple((float(s), 0.0) for s in SCALES)
_BOTH = tuple(
    (float(s), sign * float(d))
    for s in np.exp(np.arange(math.log(0.68), math.log(1.06), 0.006))
    for d in np.arange(0.34, 5.11, 0.34)
    for sign in (1, -1)
)
_COARSE = tuple(
    (float(s), float(d))
    for s in np.exp(np.arange(math.log(0.5), math.log(1.12), 0.007))
    for d in np.arange(-5.2, 5.21, 0.4)
)
_STAGES = (
    _Stage(False, _LINE, 0.0015, 0.0),
    _Stage(False, tuple((1.0, float(d)) for d in DEGREES), 0.001, 0.06),
    _Stage(True, _LINE, 0.0015, 0.0),
    _Stage(False, _BOTH, 0.003, 0.17),
    _Stage(True, _COARSE, 0.0035, 0.2, 4, _SIDE // 2),
)


def everywhere(groups: list[list[Carrier]], evidence: Evidence, tally: Tally) -> Finding:
    """Search scale and shift, rotation, mirrored scale, then all of it: 7,000 correlations, few decodes."""
    best = Finding()
    chosen = evidence.window()
    upright = evidence.weighed([evidence.halves[at] for at in chosen], chosen)
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
    peaks, plane = [], half if stage.side == _SIDE else halved(half)
    for scale, degrees in stage.grid:
        if tally.out_of_time():
            break
        peaks.append(_peak(group[0], plane, scale, degrees, stage.side))
    best = Finding()
    for peak in sorted(peaks, reverse=True)[: stage.peaks]:
        if peak.z < WORTH_A_PEAK:
            break
        found = _settled(group, evidence, _refined(group[0], half, peak, stage), stage.mirror, tally)
        if found.mark_id is not None:
            return found
        best = max(best, found, key=lambda finding: finding.z)
    return best


def _settled(group: list[Carrier], evidence: Evidence, peak: _Peak, mirror: bool, tally: Tally) -> Finding:
    """Decode at a peak. It says where the frame lies on the field of pilots; which tiles of which set these
    are is told by the data: the frame is put there where the code bits agree with each other best."""
    chosen = evidence.window()
    total = evidence.weighed(_exact(evidence, chosen, mirror, peak), chosen)
    dy, dx = _subpixel(group[0], total, peak.dy, peak.dx)
    best = Finding()
    for carrier in group:
        top, left = _place(carrier, total, dy, dx)
        geometry = Geometry(
            peak.scale, peak.degrees, mirror, 0, dy % TILE + top * TILE, dx % TILE + left * TILE
        )
        everything = list(range(len(evidence.frames)))
        for frames in (chosen, everything) if len(everything) > len(chosen) else (chosen,):
            halves = _exact(evidence, frames, mirror, peak)
            seen = sight(halves, [evidence.times[at] for at in frames], geometry.dy, geometry.dx)
            found = _read([carrier], seen, geometry, tally)
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


@lru_cache(maxsize=8)
def _pilot_spectrum(carrier: Carrier, side: int) -> npt.NDArray[np.complex64]:
    """(side, side / 2 + 1) spectrum of the field of pilots at half size, or at a quarter."""
    only = np.zeros((FIELD, FIELD, len(RING)), np.float32)
    only[..., carrier.pilots] = carrier.pilot_field
    plane = halved(pattern_of(only))
    return np.asarray(scipy.fft.rfft2(plane if side == _SIDE else halved(plane)), np.complex64)


def _peak(carrier: Carrier, plane: Field, scale: float, degrees: float, side: int = _SIDE) -> _Peak:
    """Best shift of one scale and rotation, by FFT over the field of pilots, which has no edges."""
    part = warped(plane, scale, degrees)[:side, :side]
    product = _pilot_spectrum(carrier, side) * np.conj(scipy.fft.rfft2(part, (side, side)))
    agreement = scipy.fft.irfft2(product, (side, side))
    y, x = divmod(int(agreement.argmax()), side)
    z = float((agreement[y, x] - agreement.mean()) / (agreement.std() + 1e-12))
    pixel = FIELD * TILE / side
    return _Peak(z, scale, degrees, pixel * y, pixel * x)


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


def _exact(evidence: Evidence, chosen: list[int], mirror: bool, peak: _Peak) -> list[Field]:
    """The residuals at the found geometry; below 0.93 the front end itself is done again at the true size."""
    if peak.scale < 0.93 and not peak.degrees:
        return [_oriented(half, mirror, 0) for half in evidence.at_scale(peak.scale, chosen)]
    return [warped(_oriented(evidence.halves[at], mirror, 0), peak.scale, peak.degrees) for at in chosen]


_ONE = np.zeros(1, np.intp)
_EVEN = np.ones(1, np.float32)


def _subpixel(carrier: Carrier, total: Field, dy: float, dx: float) -> tuple[float, float]:
    """Polish the shift to a quarter pixel by the exact pilot statistic."""
    best = (-math.inf, dy, dx)
    for step in (1.0, 0.5, 0.25):
        _, y, x = best
        for a in (-step, 0.0, step):
            for b in (-step, 0.0, step):
                seen = sight([total], [0.0], y + a + TILE, x + b + TILE)
                seen = replace(seen, top=seen.top - 1, left=seen.left - 1)
                best = max(best, (pilots(carrier, seen, _ONE, _EVEN).z, y + a, x + b))
    return best[1], best[2]


def _place(carrier: Carrier, total: Field, dy: float, dx: float) -> tuple[int, int]:
    """The tile of the keyed plane on which the first tile of a residual lies.

    The sums of the code bits are larger where they agree; their signs play no part, so a decode there passes
    by chance no more often than elsewhere.
    """
    seen = sight([total], [0.0], dy % TILE, dx % TILE)
    down, right = int(dy // TILE), int(dx // TILE)
    _, rows, columns, _ = seen.dims.shape
    agreed = pilots(carrier, replace(seen, top=down, left=right), _ONE, _EVEN).agreement
    dims = seen.dims[0][..., carrier.data] * ring_gains(carrier, agreed)[RING[carrier.data]]
    best = (-1.0, 0, 0)
    for top in range(-1, ROWS - rows + 1):
        for left in range(-1, COLUMNS - columns + 1):
            if min(top * TILE + 2 * total.shape[0], left * TILE + 2 * total.shape[1]) > CANONICAL + TILE:
                continue
            number = (down - top) % FIELD * FIELD + (right - left) % FIELD
            cut_y, cut_x = max(0, -top), max(0, -left)
            at = slice(top + cut_y, top + rows), slice(left + cut_x, left + columns)
            signed = dims[cut_y:, cut_x:] * carrier.data_signs(number, *at)
            bits = np.bincount(code_places()[at].ravel(), signed.ravel(), CODE_BITS)
            best = max(best, (float(np.square(bits).sum()), top, left))
    return best[1], best[2]
