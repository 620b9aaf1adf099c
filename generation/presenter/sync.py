"""Whether mouth and sound agree, measured on the finished file by two measures that share nothing.

- Landmarks: the inner lips' distance as a network reads it.
- Pixels: how much of the mouth is darker than at rest, in a patch that template matching follows from the
  first frame on; no landmarks, no trained weights after the first detection.
- Sound: its envelope against the lips; closures in every bilabial; rest in every silence.

Correlation with our own curve checks rendering, swap and muxing, not phonetics. Bounds and their origin: the
presenter's design measured rolled curves at r .14 (95 %), one frame off at .67 to .84.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av
import av.container
import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.landmarks import Region
from generation.engine.faces.models import FaceModels
from generation.engine.media.chunks import whole
from generation.engine.media.decode import read_frames
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image
from generation.presenter.errors import SyncUnmeasuredError
from generation.presenter.puppet.geometry import aperture
from generation.presenter.speech import Speech
from generation.presenter.visemes import CLOSED, SILENCE, Curves, Viseme, opening

REACH = 6
"""Frames of lag that are looked at."""
DARKER = 18
"""Levels below the mouth at rest that count as open."""
SEARCH_PX = 16
SILENCE_S, SILENCE_EDGE_S = 0.28, 0.12
REST_ENOUGH = 0.020
RATE, FINE_HZ = 16_000, 200
SHIFT_REACH = 100  # steps of the fine envelope: half a second

Series = npt.NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class _Seen:
    lips: Series
    dark: Series


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
) -> SyncReport:
    """Measure a finished clip against the speech that it was made from.

    Raises:
        SyncUnmeasuredError: the first frame shows no face, or frames or sound are missing.
    """
    bounds = bounds or Bounds()
    want = opening(shapes)
    seen = _look(path, info, models)
    count = min(len(seen.lips), len(want))
    if count < len(want) - 1 or count < 2 * REACH:
        raise SyncUnmeasuredError(f"{path.name} shows {len(seen.lips)} of {len(want)} frames.")
    lips, dark, want = seen.lips[:count], seen.dark[:count], want[:count]
    rest, heard = _rest(lips, want), _sound(path, count, fps)
    closed = [_least(lips, each, fps) <= rest + bounds.closure for each in visemes if each.id == CLOSED]
    quiet = [
        _most(lips, each, fps) <= rest + REST_ENOUGH
        for each in visemes
        if each.id == SILENCE and each.end_s - each.start_s > SILENCE_S
    ]
    report = SyncReport(
        landmarks=agreement(lips, want),
        pixels=agreement(dark, want),
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


def _judged(report: SyncReport, bounds: Bounds) -> SyncReport:
    failed = []
    for name, found, least, most in (
        ("landmarks", report.landmarks, bounds.landmarks, bounds.lag),
        ("pixels", report.pixels, bounds.pixels, bounds.lag),
        ("sound", report.sound, bounds.sound, bounds.sound_lag),
    ):
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


def _look(path: Path, info: MediaInfo, models: FaceModels) -> _Seen:
    lips: list[float] = []
    patches: list[npt.NDArray[np.uint8]] = []  # three kilobytes a frame
    follower: _Follower | None = None
    region: Region | None = None
    for picture in _pictures(path, info):
        if region is None or follower is None:
            found = models.detector.detect(picture)
            if not found:
                raise SyncUnmeasuredError(f"The first frame of {path.name} shows no face.")
            face = max(found, key=lambda each: each.width_px)
            region = Region.of_mesh(models.landmarks.settle(picture, face).mesh)
            follower = _Follower(picture, face.points)
        mesh = models.landmarks.measure(picture, region).mesh
        region = Region.of_mesh(mesh)
        lips.append(aperture(mesh))
        patches.append(follower.mouth(picture))
    found_lips = np.array(lips)
    stack = np.array(patches)
    still = stack[found_lips <= np.percentile(found_lips, 10)].mean(0) if len(stack) else stack
    return _Seen(found_lips, (stack < still - DARKER).mean((1, 2)).astype(np.float64))


def _pictures(path: Path, info: MediaInfo) -> Iterator[Image]:
    for frame in read_frames(path, info, whole(info)):
        yield frame.picture


class _Follower:
    """The mouth's patch, found again in each frame by matching the eyes and nose of the first one."""

    def __init__(self, first: Image, points: npt.NDArray[np.float32]) -> None:
        left, right, _, *corners = points
        self._unit = float(np.linalg.norm(right - left))
        eyes, mouth = (left + right) / 2, (corners[0] + corners[1]) / 2
        unit, down = self._unit, np.array([0.0, self._unit])
        self._eyes = _rectangle(eyes + 0.37 * down, 1.5 * unit, 0.5 * unit, first)
        self._mouth = _rectangle(mouth + 0.1 * down, 0.9 * unit, 0.5 * unit, first)
        x0, y0, x1, y1 = self._eyes
        self._template = cv2.cvtColor(first[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY)

    def mouth(self, picture: Image) -> npt.NDArray[np.uint8]:
        """(48, 64) uint8 luma of the mouth."""
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = self._eyes
        left, top = max(0, x0 - SEARCH_PX), max(0, y0 - SEARCH_PX)
        near = picture[top : min(height, y1 + SEARCH_PX), left : min(width, x1 + SEARCH_PX)]
        score = cv2.matchTemplate(
            cv2.cvtColor(near, cv2.COLOR_BGR2GRAY), self._template, cv2.TM_CCOEFF_NORMED
        )
        _, _, _, (x, y) = cv2.minMaxLoc(score)
        dx = left + x - x0 + _peak(score[y], x)
        dy = top + y - y0 + _peak(score[:, x], y)
        mx0, my0, mx1, my1 = self._mouth
        shift = np.array([[1, 0, -(mx0 + dx)], [0, 1, -(my0 + dy)]], np.float32)
        moved = cv2.warpAffine(picture, shift, (mx1 - mx0, my1 - my0), borderMode=cv2.BORDER_REPLICATE)
        small = cv2.resize(cv2.cvtColor(moved, cv2.COLOR_BGR2GRAY), (64, 48), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)


def _peak(line: npt.NDArray[Any], at: int) -> float:
    """The parabola's top between three neighbours."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(line[each]) for each in (at - 1, at, at + 1))
    curve = before - 2 * here + after
    return 0.5 * (before - after) / curve if curve else 0.0


def _rectangle(
    centre: npt.NDArray[Any], width: float, height: float, picture: Image
) -> tuple[int, int, int, int]:
    x0, y0 = max(0, int(centre[0] - width / 2)), max(0, int(centre[1] - height / 2))
    x1 = min(picture.shape[1], max(x0 + 8, int(centre[0] + width / 2)))
    y1 = min(picture.shape[0], max(y0 + 8, int(centre[1] + height / 2)))
    return x0, y0, x1, y1


def _sound(path: Path, frames: int, fps: int) -> Series:
    """The clip's own sound, mono at 16 kHz, padded to the length of the pictures."""
    try:
        with av.open(str(path)) as clip:
            if not clip.streams.audio:
                raise SyncUnmeasuredError(f"{path.name} has no sound.")
            pcm = _decoded(clip)
    except av.FFmpegError as error:
        raise SyncUnmeasuredError(f"The sound of {path.name} cannot be read: {error}.") from error
    length = frames * (RATE // fps)
    if len(pcm) < length - RATE:
        raise SyncUnmeasuredError(f"The sound of {path.name} ends at {len(pcm) / RATE:.1f} s.")
    return np.pad(pcm, (0, max(0, length - len(pcm))))


def _decoded(clip: av.container.InputContainer) -> Series:
    """The sound from the moment of the first picture on: a stream may begin later or earlier than that."""
    picture, sound = clip.streams.video[0], clip.streams.audio[0]
    start_s = float((picture.start_time or 0) * (picture.time_base or 0))
    resampler = av.AudioResampler("s16", "mono", RATE)
    parts: list[npt.NDArray[np.int16]] = []
    begins_s: float | None = None
    for frame in clip.decode(sound):
        if begins_s is None:
            begins_s = float(frame.time or 0.0) - start_s
        parts += [np.asarray(each.to_ndarray()[0], np.int16) for each in resampler.resample(frame)]
    pcm = np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)
    moved = round((begins_s or 0.0) * RATE)
    return np.pad(pcm, (moved, 0)) if moved >= 0 else pcm[-moved:]


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
