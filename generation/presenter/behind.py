"""A video behind the person: cut to fill the frame, begun again as often as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.media.chunks import whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import Frame, read_frames
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image, Plane, Planes
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.errors import SceneError
from generation.presenter.scene import Layout, Plate, backdrop


@dataclass(frozen=True, slots=True)
class Backdrop:
    """An uploaded clip; two frames of it are in memory at a time, whatever its length."""

    path: Path
    info: MediaInfo
    begin: int = 0
    """Frames of it that have gone by."""

    def planes(self, layout: Layout, *, fps: float) -> Iterator[Planes]:
        """Frames at the layout's size without an end: each shows what the clip shows at its time.

        Whoever draws on one copies it first: the same frame may come again.

        Raises:
            SceneError: the clip has no frames.
            MediaError: it breaks off inside.
        """
        left = self.begin
        while True:
            shown = 0
            for picture, frames in self.shown(fps=fps):
                shown += frames
                skipped = min(left, frames)
                left -= skipped
                if skipped < frames:
                    yield from [to_planes(backdrop(layout, picture))] * (frames - skipped)
            if not shown:
                raise SceneError("The background has no frames.")
            left %= shown  # whole rounds need not be decoded

    def shown(self, *, fps: float) -> Iterator[tuple[Image, int]]:
        """Once through the clip: each picture that is ever shown, and on how many frames.

        Raises:
            MediaError: it breaks off inside.
        """
        gone = 0  # frames since the clip began
        for frame, next_s in self._timed():
            first = gone
            while gone / fps < next_s:
                gone += 1
            if gone > first:
                yield frame.picture, gone - first

    def since(self, frames: int) -> Backdrop:
        """The same, so many frames later."""
        return replace(self, begin=self.begin + frames)

    def _timed(self) -> Iterator[tuple[Frame, float]]:
        """Each frame, and when the next one takes its place."""
        held: Frame | None = None
        for frame in read_frames(self.path, self.info, whole(self.info)):
            if held is not None:
                yield held, frame.time_s
            held = frame
        if held is not None:
            yield held, max(self.info.duration_s, held.time_s + 1 / float(self.info.rate))


class Before:
    """A driving engine whose person stands before a video."""

    def __init__(self, inner: DrivingEngine, behind: Backdrop) -> None:
        self._inner, self._behind = inner, behind
        self.name, self.needs_gpu = inner.name, inner.needs_gpu

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``.

        Raises:
            SceneError: the engine's frames say nothing of what they cover.
        """
        alone = self._inner.frames(plate, replace(layout, transparent=True), performance, fps=fps)
        for person, behind in zip(alone, self._behind.planes(layout, fps=fps), strict=False):
            yield _over(person, behind)


def _over(person: Planes, behind: Planes) -> Planes:
    """A frame with cover on one without."""
    if person.a is None:
        raise SceneError("The engine's frames cannot be laid on a video.")
    height, width = person.a.shape
    half = cv2.resize(person.a, (width // 2, height // 2), interpolation=cv2.INTER_AREA)

    def mixed(above: Plane, below: Plane, cover: npt.NDArray[Any]) -> Plane:
        share = cover.astype(np.float32) / 255
        return np.asarray(below + (above.astype(np.float32) - below) * share + 0.5, np.uint8)

    return Planes(
        mixed(person.y, behind.y, person.a), mixed(person.u, behind.u, half), mixed(person.v, behind.v, half)
    )
