"""What a finished clip shows and sounds like: lips by landmarks, the mouth by pixels, the sound by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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

DARKER = 18
"""Levels below the mouth at rest that count as open."""
SEARCH_PX = 16
RATE = 16_000
"""Samples a second at which sound is looked at."""

Series = npt.NDArray[np.float64]
"""(frames,) or (samples,) float64."""


@dataclass(frozen=True, slots=True)
class Seen:
    """By frame: the lips' distance in eye distances, and the share of the mouth that is dark."""

    lips: Series
    dark: Series


def look(path: Path, info: MediaInfo, models: FaceModels) -> Seen:
    """Follow the mouth through a clip.

    Raises:
        SyncUnmeasuredError: the first frame shows no face.
    """
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
    return Seen(found_lips, (stack < still - DARKER).mean((1, 2)).astype(np.float64))


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
