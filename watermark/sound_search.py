"""Whose mark a sound carries: alignment first, polarity with it, then speed; every decode is counted.

Only the 40-bit tag accepts. For a sound made without the keys a decode passes it with probability 2^-40, so N
decodes have a false positive with at most N * 2^-40, whatever was searched; every answer states the bound.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from watermark.errors import DecodeLimitError, UnsupportedSoundError
from watermark.listening import listen
from watermark.payload import TAG_BITS, MarkKeys
from watermark.sound import PERIOD, RATE_HZ, SECONDS_MIN, TILE, SoundCarrier
from watermark.sound_evidence import NOWHERE, Evidence, Place, Residual, Residuals, correlate, decode, locate
from watermark.sound_speed import speeds
from watermark.state import MarkState

FIRST_ATTEMPT_S = 4.0  # then whenever twice as much was heard
WORTH_A_DECODE = 5.6  # reading needs 8.5; of a million places without a mark one in ten reaches this
PLACES = 3  # a sound that was marked more than once has as many
SUSPECT = 7.6  # without the mark P = 6e-7 over all places and both signs, 2e-4 over all speeds too
KEPT_S = 120.0
"""Length of sound that the search over speeds looks at."""


@dataclass(frozen=True, slots=True)
class SoundRead:
    """What the search for the sound mark found, with the bound of its error."""

    state: MarkState
    mark_id: int | None = None
    key_id: str = ""
    tenant: str = ""
    z: float = 0.0
    decodes: int = 0
    false_positive_bound: float = 0.0
    speed: float = 1.0
    """How much faster the file plays than what was marked."""
    start_s: float = 0.0
    """Where in what was marked the file begins, of 65.5 s, which come again and again."""
    inverted: bool = False
    """The sound's polarity is turned over, as some equipment does: no sign of tampering."""
    heard_s: float = 0.0
    seconds: float = 0.0
    complete: bool = True
    """False when the budget was spent or the file broke off; the state is then never ``absent``."""
    reason: str = ""
    others: tuple[int, ...] = ()
    """Further ids of ours under this one: the sound was marked before, or mixed."""


@dataclass(frozen=True, slots=True)
class _Finding:
    z: float = 0.0
    mark_id: int | None = None
    carrier: SoundCarrier | None = None
    place: Place = NOWHERE
    speed: float = 1.0
    offset: int = 0
    """Samples of the file before the part that was looked at."""


def read_sound(
    path: Path,
    *,
    keys: Sequence[MarkKeys],
    budget_s: float = 15.0,
    seconds_limit: float = 600.0,
    max_decodes: int = 1000,
) -> SoundRead:
    """Search a file's sound for the mark at every place of its pattern and at speeds from 0.9 to 1.1.

    ``keys``: of all active master secrets and tenants, newest first.

    Raises:
        UnreadableError: the file cannot be opened.
        DecodeLimitError: so many keys that the promised bound could not be kept.
    """
    return _Search(keys, budget_s, max_decodes).read(path, seconds_limit, _at_any_speed)


def read_intact_sound(
    path: Path,
    *,
    keys: Sequence[MarkKeys],
    budget_s: float = 10.0,
    seconds_limit: float = 60.0,
    max_decodes: int = 1000,
) -> SoundRead:
    """Read the mark of a sound that nobody has played at another speed; it stops as soon as it has it.

    Raises:
        UnreadableError: the file cannot be opened.
        DecodeLimitError: so many keys that the promised bound could not be kept.
    """
    return _Search(keys, budget_s, max_decodes).read(path, seconds_limit, lambda _search, found: found)


class _Search:
    """One file, all keys: what was heard, what it cost, and what may still be spent."""

    def __init__(self, keys: Sequence[MarkKeys], budget_s: float, max_decodes: int) -> None:
        self.groups: dict[bytes, list[SoundCarrier]] = {}
        for each in keys:
            self.groups.setdefault(each.sync, []).append(SoundCarrier(each))
        self.evidence = Evidence()
        self.samples = 0
        """Samples that were heard; the evidence may lag a little."""
        self.kept: list[Residual] = []
        self.accepted: dict[int, float] = {}
        self.decodes, self.spent, self.broken = 0, False, ""
        self._max = max_decodes
        self._begun = time.monotonic()
        self._deadline = self._begun + budget_s

    def read(
        self, path: Path, seconds_limit: float, otherwise: Callable[[_Search, _Finding], _Finding]
    ) -> SoundRead:
        """Listen, and when that does not do, search on."""
        if not self.groups or self.out_of_time():
            self.spent = True
            return self._report(_Finding(), "no keys or no time were given")
        found = self._listen(path, seconds_limit)
        if not self.evidence.total.any():
            return self._report(found, self.broken or ("mute" if self.samples else "no sound"))
        # Pilots at this speed and no tag: too weak, or of an unknown tenant; other speeds do not help.
        if found.mark_id is None and found.z < SUSPECT and not self.out_of_time():
            found = otherwise(self, found)
        return self._report(found, "")

    def out_of_time(self) -> bool:
        """Whether the budget is spent; remembers that it was asked in vain."""
        self.spent = self.spent or time.monotonic() > self._deadline
        return self.spent

    def _listen(self, path: Path, seconds_limit: float) -> _Finding:
        """Add piece after piece and try whenever twice as much was heard."""
        best, residuals, due = _Finding(), Residuals(), FIRST_ATTEMPT_S * RATE_HZ
        try:
            for pcm in listen(path, rate_hz=RATE_HZ, seconds_limit=seconds_limit):
                self.samples += len(pcm)
                self._add(residuals.feed(pcm))
                if self.evidence.samples >= due:
                    due = 2 * self.evidence.samples
                    best = better(best, self.attempt(self.evidence))
                if best.mark_id is not None or self.out_of_time():
                    return best
        except UnsupportedSoundError as error:
            self.broken = str(error)
        self._add(residuals.flush())
        return better(best, self.attempt(self.evidence)) if self.evidence.total.any() else best

    def _add(self, residual: Residual) -> None:
        if self.evidence.samples < KEPT_S * RATE_HZ:
            self.kept.append(residual)
        self.evidence.add(residual)

    def attempt(self, evidence: Evidence, groups: Iterable[list[SoundCarrier]] | None = None) -> _Finding:
        """Find the likeliest place for each master secret and decode there with each of its tenants.

        Raises:
            DecodeLimitError: the limit is reached, so the promised bound would no longer hold.
        """
        best = _Finding()
        for group in self.groups.values() if groups is None else groups:
            for place in locate(group[0], evidence, count=PLACES):
                best = better(best, _Finding(z=place.peak, place=place))
                if place.peak < WORTH_A_DECODE:
                    break
                for carrier in group:
                    best = better(best, self._decode(carrier, evidence, place))
        return best

    def _decode(self, carrier: SoundCarrier, evidence: Evidence, place: Place) -> _Finding:
        if self.decodes >= self._max:
            raise DecodeLimitError(f"The limit of {self._max} decodes is reached.")
        self.decodes += 1
        heard = correlate(carrier, evidence, place)
        mark_id = decode(carrier, heard)
        if mark_id is not None:
            self.accepted.setdefault(mark_id, heard.z)
        return _Finding(heard.z, mark_id, carrier, place)

    def _report(self, found: _Finding, nothing: str) -> SoundRead:
        heard_s = self.samples / RATE_HZ
        reason = nothing or self.broken or ("the time was spent before all was tried" if self.spent else "")
        if found.mark_id is None and not reason and heard_s < SECONDS_MIN:
            reason = f"shorter than {SECONDS_MIN:.0f} s"
        state = MarkState.NOT_RUN if reason else MarkState.ABSENT
        if found.mark_id is not None:
            state, reason = MarkState.PRESENT, ""
        elif found.z >= SUSPECT:
            state = MarkState.SUSPECTED
        keys = found.carrier.keys if found.carrier and found.mark_id is not None else None
        return SoundRead(
            state,
            found.mark_id,
            keys.key_id if keys else "",
            keys.tenant if keys else "",
            round(found.z, 2),
            self.decodes,
            self.decodes * 2.0**-TAG_BITS,
            round(found.speed, 6),
            round(_start_s(found), 3),
            found.place.sign < 0 and found.mark_id is not None,
            round(heard_s, 3),
            round(time.monotonic() - self._begun, 3),
            not reason or nothing in ("mute", "no sound"),
            reason,
            tuple(other for other in self.accepted if other != found.mark_id),
        )


def _at_any_speed(search: _Search, found: _Finding) -> _Finding:
    """The search over speeds, of all master secrets in turn."""
    residual = np.concatenate(search.kept)
    for group in search.groups.values():
        for part in speeds(group[0], residual, search.out_of_time):
            seen = search.attempt(part.evidence, [group])
            found = better(found, replace(seen, speed=part.speed, offset=part.offset))
            if found.mark_id is not None:
                return found
    return found


def better(one: _Finding, other: _Finding) -> _Finding:
    """The one with an id; of two, or of none, the one with the higher statistic."""
    return max(one, other, key=lambda each: (each.mark_id is not None, each.z))


def _start_s(found: _Finding) -> float:
    if found.carrier is None or found.mark_id is None:
        return 0.0
    before = found.carrier.start(found.mark_id) * TILE
    at = (-found.place.at - before - found.offset * found.speed) % PERIOD
    return (at - PERIOD if at > PERIOD - RATE_HZ else at) / RATE_HZ
