"""Whom a mouth is put on: a portrait that sways and blinks, or a filmed person; both with closed lips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from generation.engine.types import Image, Planes, Points
from generation.presenter.driving import Performance
from generation.presenter.errors import DrivingMismatchError
from generation.presenter.loop import Loop
from generation.presenter.loop_stage import LoopStage
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.scene import Layout, Plate, Stage, backdrop, own_colours

Pictures = Callable[[int, int], Iterator[Image]]
"""First frame and how many: the loop's pictures from there on, round and round, (h, w, 3) uint8 BGR."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame before its mouth: ``picture`` may be drawn on; ``at``: its number in a loop, else 0."""

    picture: Image
    mesh: Points
    at: int
    planes: Callable[[], Planes]
    """The frame for the encoder, with the picture as it is by then."""


class Base(Protocol):
    """Shows the person of a performance with the lips closed, one frame for each row of its shapes."""

    def shown(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Shown]:
        """The frames, in order; each is drawn on and turned into planes before the next one is asked for."""

    def reference(self, plate: Plate) -> tuple[Image, Points]:
        """One picture of the person with the lips closed, and its mesh."""


class StillBase:
    """The portrait of the plate."""

    def __init__(self, background: Image | None = None) -> None:
        self._background = background

    def shown(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Shown]:
        """See ``Base``."""
        own = own_colours(plate)
        puppet = Puppet(own, plate.mesh, smile=plate.smile)
        stage = Stage(
            plate, layout, backdrop(layout, self._background), performance.cues, moving=puppet.moving, own=own
        )
        rest = np.zeros(performance.shapes.shape[1])
        moved = performance.motion
        for count in range(len(performance.shapes)):
            right, down = moved.gaze[count].tolist()
            blink, brow = float(moved.blink[count]), float(moved.brow[count])
            picture = puppet.frame(rest, blink=blink, brow=brow, gaze=(right, down))

            def planes(picture: Image = picture, count: int = count) -> Planes:
                roll, shift = float(moved.roll_deg[count]), moved.shift[count]
                return stage.planes(picture, roll_deg=roll, shift=shift, time_s=count / fps)

            yield Shown(picture, plate.mesh, 0, planes)

    def reference(self, plate: Plate) -> tuple[Image, Points]:
        """See ``Base``."""
        return plate.picture, plate.mesh


class LoopBase:
    """A filmed person; the loop is the plate, so that of ``shown`` is not looked at."""

    def __init__(
        self, loop: Loop, pictures: Pictures, *, background: Image | None = None, first: int = 0
    ) -> None:
        """``first``: frame of the whole performance at which the one that is given begins."""
        self.loop, self.first = loop, first
        self._pictures, self._background = pictures, background

    def shown(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Shown]:
        """See ``Base``.

        Raises:
            DrivingMismatchError: the loop has another rate, or its pictures end early.
        """
        del plate
        if fps != self.loop.fps:
            raise DrivingMismatchError(f"The loop has {self.loop.fps} frames a second, {fps} are wanted.")
        stage = LoopStage(self.loop, layout, backdrop(layout, self._background), performance.cues)
        pictures = self._pictures(self.first, len(performance.shapes))
        for count in range(len(performance.shapes)):
            at = (self.first + count) % len(self.loop)
            picture = _own(next(pictures, None), self.loop, count)

            def planes(picture: Image = picture, at: int = at, count: int = count) -> Planes:
                return stage.planes(picture, at=at, time_s=count / fps)

            yield Shown(picture, self.loop.meshes[at], at, planes)

    def reference(self, plate: Plate) -> tuple[Image, Points]:
        """See ``Base``.

        Raises:
            DrivingMismatchError: the loop has no pictures.
        """
        del plate
        at = self.loop.references[0]
        return _own(next(self._pictures(at, 1), None), self.loop, at), self.loop.meshes[at]


def _own(picture: Image | None, loop: Loop, count: int) -> Image:
    """A copy that may be drawn on."""
    if picture is None:
        raise DrivingMismatchError(f"The loop's pictures end at frame {count}.")
    width, height = loop.size_px
    if picture.shape != (height, width, 3):
        raise DrivingMismatchError(f"A picture of the loop is {picture.shape[1]} x {picture.shape[0]}.")
    return np.array(picture)
