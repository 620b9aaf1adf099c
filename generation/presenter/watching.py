"""What a finished clip shows and sounds like: lips by landmarks, the mouth by pixels, the sound by itself."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
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
from generation.engine.media.colour import from_planes
from generation.engine.media.decode import read_planes
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image, Plane, Planes
from generation.presenter.errors import SyncUnmeasuredError
from generation.presenter.puppet.geometry import aperture

DARKER = 18
"""Levels below the mouth at rest that count as open."""
SEARCH_PX, NEAR_PX = 16, 4
"""How far the head is looked for from its first place, and from where it was a frame before."""
LARGE_PX = 420
"""Side of the square around a face from which half the size shows as much: the network takes 192."""
ALIKE = 0.9
"""Correlation with the first frame that needs no search further off; encoded presenters have .95 and more."""
RATE = 16_000
"""Samples a second at which sound is looked at."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""
Series = npt.NDArray[np.float64]
"""(frames,) or (samples,) float64."""


@dataclass(frozen=True, slots=True)
class Seen:
    """By frame: the lips' distance in eye distances, and the share of the mouth that is dark."""

    lips: Series
    dark: Series


_NOWHERE = Region(0.0, 0.0, 0.0, 0.0)
_EVERYTHING = (0, 0, 1 << 20, 1 << 20)


def look(path: Path, info: MediaInfo, models: FaceModels, *, cuts: Collection[int] = ()) -> Seen:
    """Follow the mouth through a clip; ``cuts``: frames in which it is suddenly elsewhere.

    Raises:
        SyncUnmeasuredError: the first frame, or one after a cut, shows no face.
    """
    with closing(read_planes(path, info, whole(info))) as frames:
        return follow(frames, models, name=path.name, cuts=cuts)


def follow(frames: Iterable[Planes], models: FaceModels, *, name: str, cuts: Collection[int] = ()) -> Seen:
    """Follow the mouth through all frames of the clip ``name``, in order; they are only read.

    Raises:
        SyncUnmeasuredError: the first frame, or one after a cut, shows no face.
    """
    lips: list[float] = []
    patches: list[Plane] = []  # three kilobytes a frame
    follower: _Follower | None = None
    region, shrink = _NOWHERE, 1
    for at, planes in enumerate(frames):
        if follower is None or at in cuts:
            picture = from_planes(planes)
            found = models.detector.detect(picture)
            if not found:
                raise SyncUnmeasuredError(f"Frame {at} of {name} shows no face.")
            face = max(found, key=lambda each: each.width_px)
            region = Region.of_mesh(models.landmarks.settle(picture, face).mesh)
            shrink = 2 if region.side >= LARGE_PX else 1
            region = replace(region, x=region.x / shrink, y=region.y / shrink, side=region.side / shrink)
            follower = _Follower(_cut(planes, _EVERYTHING, shrink)[0], face.points / np.float32(shrink))
        part, corner = _cut(planes, _united(_bounds(region), follower.reach), shrink)
        near = replace(region, x=region.x - corner[0], y=region.y - corner[1])
        mesh = models.landmarks.measure(part, near).mesh
        mesh[:, :2] += corner
        region = Region.of_mesh(mesh)
        lips.append(aperture(mesh))
        patches.append(follower.mouth(part, corner))
    borders = [0, *sorted(at for at in cuts if 0 < at < len(lips)), len(lips)]
    dark = [_dark(np.array(lips[a:b]), np.array(patches[a:b])) for a, b in pairwise(borders) if a < b]
    return Seen(np.array(lips), np.concatenate(dark) if dark else np.zeros(0))


def _dark(lips: Series, patches: npt.NDArray[np.uint8]) -> Series:
    """The share of each patch that is darker than the mouth at rest, as one scene shows it."""
    still = patches[lips <= np.percentile(lips, 10)].mean(0)
    return np.asarray((patches < still - DARKER).mean((1, 2)), np.float64)


def _cut(planes: Planes, box: Box, shrink: int) -> tuple[Image, tuple[int, int]]:
    """The part of a frame in which its face lies, as BGR, and its left upper corner: a fifth of the whole.

    ``shrink`` 2: box, part and corner are those of the frame at half its size, which is that of its colours.
    """
    height, width = (side // shrink for side in planes.y.shape)
    x0, y0 = min(max(0, box[0] // 2 * 2), width - 2), min(max(0, box[1] // 2 * 2), height - 2)
    x1, y1 = min(max(x0 + 2, -(-box[2] // 2 * 2)), width), min(max(y0 + 2, -(-box[3] // 2 * 2)), height)
    y = planes.y[y0 * shrink : y1 * shrink, x0 * shrink : x1 * shrink]
    if shrink == 2:
        y = np.asarray(cv2.resize(y, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA), np.uint8)
    half = slice(y0 * shrink // 2, y1 * shrink // 2), slice(x0 * shrink // 2, x1 * shrink // 2)
    return from_planes(Planes(y=y, u=planes.u[half], v=planes.v[half])), (x0, y0)


class _Follower:
    """The mouth's patch, found again in each frame by matching the eyes and nose of the first one."""

    def __init__(self, first: Image, points: npt.NDArray[np.float32]) -> None:
        left, right, _, *corners = points
        unit = float(np.linalg.norm(right - left))
        eyes, mouth = (left + right) / 2, (corners[0] + corners[1]) / 2
        down = np.array([0.0, unit])
        self._eyes = _rectangle(eyes + 0.37 * down, 1.5 * unit, 0.5 * unit, first)
        self._mouth = _rectangle(mouth + 0.1 * down, 0.9 * unit, 0.5 * unit, first)
        x0, y0, x1, y1 = self._eyes
        self._template = cv2.cvtColor(first[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY)
        self._moved: tuple[int, int] | None = None

    @property
    def reach(self) -> Box:
        """The part of every frame that is looked at."""
        x0, y0, x1, y1 = _united(self._eyes, self._mouth)
        more = SEARCH_PX + 2
        return x0 - more, y0 - more, x1 + more, y1 + more

    def mouth(self, part: Image, corner: tuple[int, int]) -> Plane:
        """(48, 64) uint8 luma of the mouth; ``part`` of the frame begins at ``corner``."""
        dx, dy = self._motion(part, corner)
        mx0, my0, mx1, my1 = self._mouth
        shift = np.array([[1, 0, corner[0] - (mx0 + dx)], [0, 1, corner[1] - (my0 + dy)]], np.float32)
        moved = cv2.warpAffine(part, shift, (mx1 - mx0, my1 - my0), borderMode=cv2.BORDER_REPLICATE)
        small = cv2.resize(cv2.cvtColor(moved, cv2.COLOR_BGR2GRAY), (64, 48), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def _motion(self, part: Image, corner: tuple[int, int]) -> tuple[float, float]:
        """How far the eyes are from where they were at first; a head that keeps its pace is found nearby."""
        if self._moved is not None:
            (x, y), between, sure = self._match(part, corner, self._moved, NEAR_PX)
            if sure:
                self._moved = x, y
                return x + between[0], y + between[1]
        self._moved, between, _ = self._match(part, corner, (0, 0), SEARCH_PX)
        return self._moved[0] + between[0], self._moved[1] + between[1]

    def _match(
        self, part: Image, corner: tuple[int, int], about: tuple[int, int], reach: int
    ) -> tuple[tuple[int, int], tuple[float, float], bool]:
        """The best shift around ``about``, what it lacks of a pixel, and whether that is beyond doubt."""
        height, width = part.shape[:2]
        x0, y0, x1, y1 = (at - corner[axis % 2] + about[axis % 2] for axis, at in enumerate(self._eyes))
        left, top = max(0, x0 - reach), max(0, y0 - reach)
        near = part[top : min(height, y1 + reach), left : min(width, x1 + reach)]
        score = cv2.matchTemplate(
            cv2.cvtColor(near, cv2.COLOR_BGR2GRAY), self._template, cv2.TM_CCOEFF_NORMED
        )
        _, most, _, (x, y) = cv2.minMaxLoc(score)
        shift = about[0] + left + x - x0, about[1] + top + y - y0
        inside = 0 < x < score.shape[1] - 1 and 0 < y < score.shape[0] - 1
        sure = inside and most >= ALIKE and max(map(abs, shift)) < SEARCH_PX
        return shift, (_peak(score[y], x), _peak(score[:, x], y)), sure


def _bounds(region: Region) -> Box:
    """The upright box around a turned square, and a little more."""
    half = region.side / 2 * (abs(math.cos(region.angle)) + abs(math.sin(region.angle))) + 2
    x, y = region.x, region.y
    return math.floor(x - half), math.floor(y - half), math.ceil(x + half), math.ceil(y + half)


def _united(one: Box, other: Box) -> Box:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _peak(line: npt.NDArray[Any], at: int) -> float:
    """The parabola's top between three neighbours."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(line[each]) for each in (at - 1, at, at + 1))
    curve = before - 2 * here + after
    return 0.5 * (before - after) / curve if curve else 0.0


def _rectangle(centre: npt.NDArray[Any], width: float, height: float, picture: Image) -> Box:
    x0, y0 = max(0, int(centre[0] - width / 2)), max(0, int(centre[1] - height / 2))
    x1 = min(picture.shape[1], max(x0 + 8, int(centre[0] + width / 2)))
    y1 = min(picture.shape[0], max(y0 + 8, int(centre[1] + height / 2)))
    return x0, y0, x1, y1


def sound(path: Path, frames: int, fps: int) -> Series:
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
