"""Frames of a person who says a speech, by the embedded puppet or by another engine of the same contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from generation.engine.types import Planes
from generation.presenter.motion import Motion
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.scene import Layout, Plate, Stage, backdrop, own_colours
from generation.presenter.subtitles import Cue
from generation.presenter.visemes import Curves


@dataclass(frozen=True, slots=True)
class Performance:
    """What is performed: articulation and motion of every frame, and the subtitles."""

    shapes: Curves
    motion: Motion
    cues: Sequence[Cue] = ()

    def part(self, first: int, frames: int, *, fps: float) -> Performance:
        """Some frames of it, their times counted from the first."""
        kept = slice(first, first + frames)
        earlier = first / fps
        cues = [replace(cue, start_s=cue.start_s - earlier, end_s=cue.end_s - earlier) for cue in self.cues]
        shown = tuple(cue for cue in cues if cue.end_s > 0 and cue.start_s * fps < frames)
        return Performance(self.shapes[kept], self.motion.part(kept), shown)

    def at_rest(self) -> Performance:
        """One frame of nobody moving."""
        return Performance(np.zeros_like(self.shapes[:1]), self.motion.part(slice(0, 1)).at_rest())


class DrivingEngine(Protocol):
    """Makes exactly one frame for each row of the performance's shapes."""

    name: str
    needs_gpu: bool

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """The frames, in order."""


class PuppetEngine:
    """The embedded engine: warps the portrait's own pixels on the CPU."""

    name = "puppet/3"
    needs_gpu = False

    def __init__(self, background: npt.NDArray[np.uint8] | None = None) -> None:
        self._background = background

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``."""
        own = own_colours(plate)
        puppet = Puppet(own, plate.mesh, smile=plate.smile)
        stage = Stage(
            plate, layout, backdrop(layout, self._background), performance.cues, moving=puppet.moving, own=own
        )
        moved = performance.motion
        for at, shape in enumerate(performance.shapes):
            right, down = moved.gaze[at].tolist()
            picture = puppet.frame(
                shape, blink=float(moved.blink[at]), brow=float(moved.brow[at]), gaze=(right, down)
            )
            yield stage.planes(
                picture, roll_deg=float(moved.roll_deg[at]), shift=moved.shift[at], time_s=at / fps
            )
