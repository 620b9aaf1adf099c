"""A filmed person who speaks: sway, breath and blinks are the clip's own, only mouth and brows are warped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generation.engine.faces.landmarks import FaceMesh, Region
from generation.engine.types import Image, Planes, Points
from generation.presenter.bases import LoopBase, Pictures
from generation.presenter.driving import Performance
from generation.presenter.errors import DrivingMismatchError
from generation.presenter.lipwarp import LipWarp, onto
from generation.presenter.loop import Loop
from generation.presenter.puppet.mouth import Smile
from generation.presenter.scene import Layout, Plate


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
        smile: Smile | None = None,
        first: int = 0,
    ) -> None:
        """``references``: the pictures of ``loop.references``, in their order, with the face that is shown.

        ``landmarks``: measures that face, where it is not the one that the loop was made from.
        ``smile``: where the teeth are taken from.
        ``first``: frame of the whole performance at which the one that is given begins.
        """
        if len(references) != len(loop.references):
            raise DrivingMismatchError(
                f"The loop has {len(loop.references)} reference frames, not {len(references)}."
            )
        self._loop = loop
        self._base = LoopBase(loop, pictures, background=background, first=first)
        self._warps = {
            at: LipWarp(picture, _mesh(picture, loop.meshes[at], landmarks), smile=smile)
            for at, picture in zip(loop.references, references, strict=True)
        }

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``.

        Raises:
            DrivingMismatchError: the loop has another rate, or its pictures end early.
        """
        bases, meshes = self._loop.bases, self._loop.meshes
        for count, shown in enumerate(self._base.shown(plate, layout, performance, fps=fps)):
            basis = bases[shown.at]
            brow = float(performance.motion.brow[count])
            placed = onto(shown.mesh, meshes[basis])
            self._warps[basis].draw(shown.picture, performance.shapes[count], at=placed, brow=brow)
            yield shown.planes()


def _mesh(picture: Image, mesh: Points, landmarks: FaceMesh | None) -> Points:
    return mesh if landmarks is None else landmarks.measure(picture, Region.of_mesh(mesh)).mesh
