"""A filmed person who speaks: sway, breath and blinks are the clip's own, only mouth and brows are warped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from generation.engine.faces.landmarks import FaceMesh, Region
from generation.engine.types import Image, Planes, Points
from generation.presenter.driving import Performance
from generation.presenter.errors import DrivingMismatchError
from generation.presenter.lipwarp import LipWarp, onto
from generation.presenter.loop import Loop
from generation.presenter.loop_stage import LoopStage
from generation.presenter.scene import Layout, Plate, backdrop

Pictures = Callable[[int, int], Iterator[Image]]
"""First frame and how many: the loop's pictures from there on, round and round, (h, w, 3) uint8 BGR."""


class IdleEngine:
    """Satisfies ``DrivingEngine``; the loop is its plate, so that of ``frames`` is not looked at."""

    name = "idle/1"
    needs_gpu = False

    def __init__(
        self,
        loop: Loop,
        pictures: Pictures,
        *,
        references: Sequence[Image],
        landmarks: FaceMesh | None = None,
        background: Image | None = None,
        first: int = 0,
    ) -> None:
        """``references``: the pictures of ``loop.references``, in their order, with the face that is shown.

        ``landmarks``: measures that face, where it is not the one that the loop was made from.
        ``first``: frame of the whole performance at which the one that is given begins.
        """
        if len(references) != len(loop.references):
            raise DrivingMismatchError(
                f"The loop has {len(loop.references)} reference frames, not {len(references)}."
            )
        self.loop, self.first = loop, first
        self._pictures, self._background = pictures, background
        self._warps = {
            at: LipWarp(picture, _mesh(picture, loop.meshes[at], landmarks))
            for at, picture in zip(loop.references, references, strict=True)
        }

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``.

        Raises:
            DrivingMismatchError: the loop has another rate, or its pictures end early.
        """
        del plate
        if fps != self.loop.fps:
            raise DrivingMismatchError(f"The loop has {self.loop.fps} frames a second, {fps} are wanted.")
        stage = LoopStage(self.loop, layout, backdrop(layout, self._background), performance.cues)
        bases = self.loop.bases
        shown = self._pictures(self.first, len(performance.shapes))
        for count, shape in enumerate(performance.shapes):
            at = (self.first + count) % len(self.loop)
            picture = _own(next(shown, None), self.loop, count)
            placed = onto(self.loop.meshes[at], self.loop.meshes[bases[at]])
            self._warps[bases[at]].draw(picture, shape, at=placed, brow=float(performance.motion.brow[count]))
            yield stage.planes(picture, at=at, time_s=count / fps)


def _own(picture: Image | None, loop: Loop, count: int) -> Image:
    """A copy that may be drawn on."""
    if picture is None:
        raise DrivingMismatchError(f"The loop's pictures end at frame {count}.")
    width, height = loop.size_px
    if picture.shape != (height, width, 3):
        raise DrivingMismatchError(f"A picture of the loop is {picture.shape[1]} x {picture.shape[0]}.")
    return np.array(picture)


def _mesh(picture: Image, mesh: Points, landmarks: FaceMesh | None) -> Points:
    return mesh if landmarks is None else landmarks.measure(picture, Region.of_mesh(mesh)).mesh
