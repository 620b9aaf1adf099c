"""Which frames of a performance one worker makes at a time, and which are taken over from an earlier video.

Spans begin and end with sentences; every sentence's first frame is a key frame, so that it can be cut out
later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from generation.presenter.package import Package

TARGET_S = 10.0


@dataclass(frozen=True, slots=True)
class Span:
    """A run of frames. ``keys``: key frames in it; ``taken_from``:
    first frame in the earlier video, or None."""

    index: int
    first_frame: int
    frames: int
    keys: tuple[int, ...] = ()
    taken_from: int | None = None

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Span:
        """What ``as_record`` gave."""
        return cls(**{**record, "keys": tuple(record["keys"])})


def plan(package: Package, *, earlier: Package | None = None, target_s: float = TARGET_S) -> list[Span]:
    """Spans that cover every frame once, each about ``target_s`` long; the least that has to be made anew.

    ``earlier``: the performance of a delivered video whose equal sentences are taken over.
    """
    spans: list[Span] = []
    found = _matches(package, earlier) if earlier is not None else {}
    for number in range(len(package.units)):
        unit = package.unit(number)
        taken = earlier.unit(found[number]).start if earlier is not None and number in found else None
        last = spans[-1] if spans else None
        if last is not None and _goes_on(last, taken, most=target_s * package.fps):
            spans[-1] = Span(
                last.index,
                last.first_frame,
                last.frames + unit.stop - unit.start,
                (*last.keys, unit.start),
                last.taken_from,
            )
        else:
            spans.append(Span(len(spans), unit.start, unit.stop - unit.start, (unit.start,), taken))
    return spans


def made_anew(spans: Sequence[Span]) -> int:
    """Frames that are rendered."""
    return sum(span.frames for span in spans if span.taken_from is None)


def _goes_on(last: Span, taken: int | None, *, most: float) -> bool:
    """Whether a unit joins the span before it: both taken from one place, or both made and not yet long."""
    if last.taken_from is None:
        return taken is None and last.frames < most
    return taken == last.taken_from + last.frames


def _matches(package: Package, earlier: Package) -> dict[int, int]:
    """New unit -> equal earlier one; neighbours stay neighbours where they can."""
    found: dict[int, int] = {}
    by_length: dict[int, list[int]] = {}
    for its in range(len(earlier.units)):
        by_length.setdefault(_length(earlier, its), []).append(its)
    for number in range(len(package.units)):
        after = found.get(number - 1, -2) + 1
        fitting = by_length.get(_length(package, number), [])
        for its in (after, *fitting) if after in fitting else fitting:
            if package.same(number, earlier, its):
                found[number] = its
                break
    return found


def _length(package: Package, number: int) -> int:
    unit = package.unit(number)
    return int(unit.stop - unit.start)
