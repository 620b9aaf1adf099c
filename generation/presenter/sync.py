"""Whether mouth and sound agree, measured on the finished file by two measures that share nothing.

- Landmarks: the inner lips' distance as a network reads it.
- Pixels: how much of the mouth is darker than at rest, in a patch that template matching follows from the
  first frame on; no landmarks, no trained weights after the first detection.
- Sound: its envelope against the lips; closures in every bilabial; rest in every silence.

Correlation with our own curve checks rendering, swap and muxing, not phonetics. Bounds and their origin: the
presenter's design measured rolled curves at r .14 (95 %), one frame off at .67 to .84.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generation.engine.faces.models import FaceModels
from generation.engine.media.info import MediaInfo
from generation.presenter.errors import SyncUnmeasuredError
from generation.presenter.speech import Speech
from generation.presenter.visemes import CLOSED, SILENCE, Curves, Viseme, opening
from generation.presenter.watching import RATE, Seen, Series, look, sound

REACH = 6
"""Frames of lag that are looked at."""
SILENCE_S, SILENCE_EDGE_S = 0.28, 0.12
REST_ENOUGH = 0.020
ENOUGH = 100
"""Frames from which loudness and lips must agree: in two or three words a loud closed sound decides. That the
sound is in its place is measured in any length, against itself (``shift_ms``)."""
FINE_HZ = 200
SHIFT_REACH = 100  # steps of the fine envelope: half a second


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file must hold to be delivered."""

    landmarks: float = 0.85
    pixels: float = 0.75
    sound: float = 0.45
    lag: int = 1
    sound_lag: int = 2
    shift_ms: float = 50.0
    rest: float = 0.04
    closure: float = 0.015

    @classmethod
    def swapped(cls) -> Bounds:
        """After another face was put on."""
        return cls(landmarks=0.75, pixels=0.65, rest=0.08, closure=0.03)

    @classmethod
    def smiling(cls) -> Bounds:
        """For a portrait whose smile was closed: the network reads .05 to .07 off lips that visibly meet."""
        return cls(rest=0.08, closure=0.03)


@dataclass(frozen=True, slots=True)
class Agreement:
    """``r`` at the best ``lag`` in frames; lag above 0: the picture comes late."""

    r: float
    lag: int


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What was measured; ``failed`` names each bound that was missed, empty when the file may go out."""

    landmarks: Agreement
    pixels: Agreement
    sound: Agreement
    shift_ms: float
    rest: float
    closures: int
    closures_held: int
    silences: int
    silences_held: int
    frames: int
    failed: tuple[str, ...] = field(default=())

    def as_record(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def measure(
    path: Path,
    info: MediaInfo,
    *,
    speech: Speech,
    visemes: Sequence[Viseme],
    shapes: Curves,
    fps: int,
    models: FaceModels,
    bounds: Bounds | None = None,
    scenes: Sequence[range] = (),
    seen: Seen | None = None,
    looks: Sequence[int] = (),
) -> SyncReport:
    """Measure a finished clip against the speech that it was made from.

    ``scenes``: the frames in which each of several scenes stands alone; between them one fades into the next.

    ``seen``: what ``watching.follow`` saw of its frames, where they were looked at before; ``looks``: the
    frames before which it was asked anew.

    Raises:
        SyncUnmeasuredError: the first frame shows no face, or frames or sound are missing.
    """
    bounds = bounds or Bounds()
    want = opening(shapes)
    seen = look(path, info, models, cuts=[scene.start for scene in scenes[1:]]) if seen is None else seen
    count = min(len(seen.lips), len(want))
    if count < len(want) - 1 or count < 2 * REACH:
        raise SyncUnmeasuredError(f"{path.name} shows {len(seen.lips)} of {len(want)} frames.")
    lips, dark, want = seen.lips[:count], seen.dark[:count], want[:count]
    rest, heard = _rest(lips, want), sound(path, count, fps)
    alone = _split(scenes or [range(count)], looks)
    closed = [_least(lips, each, fps) <= rest + bounds.closure for each in visemes if each.id == CLOSED]
    quiet = [
        _most(lips, each, fps) <= rest + REST_ENOUGH
        for each in visemes
        if each.id == SILENCE and each.end_s - each.start_s > SILENCE_S
    ]
    report = SyncReport(
        landmarks=agreement(lips, want),
        pixels=agreement(_each(dark, alone), _each(want, alone)),
        sound=agreement(lips, _smooth(_level(heard, RATE // fps)[:count])),
        shift_ms=_shift_ms(heard, speech),
        rest=round(float(rest), 4),
        closures=len(closed),
        closures_held=sum(closed),
        silences=len(quiet),
        silences_held=sum(quiet),
        frames=count,
    )
    return _judged(report, bounds)


def _split(scenes: Sequence[range], borders: Sequence[int]) -> list[range]:
    """The scenes, cut at these frames."""
    found = []
    for scene in scenes:
        inside = sorted(at for at in borders if scene.start < at < scene.stop)
        found += [range(a, b) for a, b in pairwise([scene.start, *inside, scene.stop])]
    return found


def _each(series: Series, parts_of: Sequence[range]) -> Series:
    """Each part by itself, of mean 0 and deviation 1: a smaller mouth is darker in other numbers."""
    parts = [series[part.start : part.stop] for part in parts_of]
    return np.concatenate(
        [(part - part.mean()) / max(float(part.std()), 1e-9) for part in parts if len(part)]
    )


def _judged(report: SyncReport, bounds: Bounds) -> SyncReport:
    failed = []
    for name, found, least, most in (
        ("landmarks", report.landmarks, bounds.landmarks, bounds.lag),
        ("pixels", report.pixels, bounds.pixels, bounds.lag),
        ("sound", report.sound, bounds.sound, bounds.sound_lag),
    ):
        if name == "sound" and report.frames < ENOUGH:
            continue
        if not found.r >= least:
            failed.append(f"{name}.r")
        if abs(found.lag) > most:
            failed.append(f"{name}.lag")
    if report.closures_held < report.closures:
        failed.append("closures")
    if report.silences_held < report.silences:
        failed.append("silences")
    if not abs(report.shift_ms) <= bounds.shift_ms:
        failed.append("sound.shift")
    # without the absolute bound a mouth that never closes passes
    if not report.rest <= bounds.rest:
        failed.append("rest")
    return SyncReport(
        **{**{name: getattr(report, name) for name in report.__slots__}, "failed": tuple(failed)}
    )


def agreement(found: Series, want: Series) -> Agreement:
    """The best correlation within six frames either way."""
    best = Agreement(float("-inf"), 0)
    for lag in sorted(range(-REACH, REACH + 1), key=abs):
        late, early = max(0, lag), max(0, -lag)
        r = _pearson(found[late : len(found) - early], want[early : len(want) - late])
        if r > best.r + 1e-6:
            best = Agreement(r, lag)
    return Agreement(round(best.r, 4), best.lag)


def _pearson(a: Series, b: Series) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-18))


def _rest(lips: Series, want: Series) -> float:
    still = lips[want <= 0.004]
    return float(np.median(still)) if len(still) >= 3 else float(np.percentile(lips, 5))


def _least(lips: Series, each: Viseme, fps: int) -> float:
    first = max(0, int((each.start_s - 0.04) * fps))
    return float(lips[first : int(np.ceil((each.end_s + 0.04) * fps)) + 1].min(initial=1.0))


def _most(lips: Series, each: Viseme, fps: int) -> float:
    first, last = (each.start_s + SILENCE_EDGE_S) * fps, (each.end_s - SILENCE_EDGE_S) * fps
    return float(lips[int(np.ceil(first)) : int(last)].max(initial=0.0))


def _level(pcm: npt.NDArray[Any], hop: int) -> Series:
    """Root mean square of each ``hop`` samples."""
    count = len(pcm) // hop
    cut = pcm[: count * hop].astype(np.float64).reshape(count, hop)
    return np.asarray(np.sqrt(np.mean(np.square(cut), axis=1)))


def _smooth(level: Series) -> Series:
    return np.asarray(np.convolve(level, [0.25, 0.5, 0.25], "same"))


def _shift_ms(heard: Series, speech: Speech) -> float:
    """How much later the sound is in the clip than it was said."""
    said = _level(speech.pcm, round(speech.sample_rate / FINE_HZ))
    there = _level(heard, RATE // FINE_HZ)
    # the hops are not quite equal at 22,050 Hz: read both at the same times
    step = round(speech.sample_rate / FINE_HZ) / speech.sample_rate
    times = np.arange(min(len(there), int(len(said) * step * FINE_HZ))) / FINE_HZ
    said = np.interp(times, np.arange(len(said)) * step, said)
    there = there[: len(times)]
    scores = {}
    for lag in range(-SHIFT_REACH, SHIFT_REACH + 1):
        late, early = max(0, lag), max(0, -lag)
        scores[lag] = _pearson(there[late : len(there) - early], said[early : len(said) - late])
    return round(max(scores, key=lambda lag: scores[lag]) * 1000 / FINE_HZ, 1)
