"""Who stands in the scenes of a video: a driven portrait, or a filmed person whose mouth is driven."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from generation.engine.faces.landmarks import FaceMesh
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image
from generation.presenter.bases import Base, LoopBase, StillBase
from generation.presenter.driving import DrivingEngine, PuppetEngine
from generation.presenter.idle_engine import IdleEngine
from generation.presenter.loop import Loop, turning
from generation.presenter.scene import Plate

See = Callable[[Iterator[Image]], Iterator[Image]]
"""Gets a run of pictures and gives them back as they shall be seen, one for one."""


class Mouth(Protocol):
    """Makes the engine that moves the lips, where it is not the embedded one."""

    def __call__(self, base: Base, embedded: Callable[[], DrivingEngine], *, first: int) -> DrivingEngine:
        """For the person of ``base`` from frame ``first`` on; ``embedded`` takes its place if need be."""


class Person(Protocol):
    """Stands in every scene of one video."""

    def plate(self, share: float) -> Plate:
        """At the size of a layout with this ``height_share``."""

    def engine(self, background: Image | None, *, first: int) -> DrivingEngine:
        """Draws them from frame ``first`` of the whole video on."""


@dataclass(frozen=True, slots=True)
class Portrayed:
    """A portrait; ``plates`` by the share of the frame's height that they fill."""

    plates: Mapping[float, Plate]
    mouth: Mouth | None = None

    def plate(self, share: float) -> Plate:
        """See ``Person``."""
        return self.plates[share]

    def engine(self, background: Image | None, *, first: int) -> DrivingEngine:
        """See ``Person``; a portrait is the same at any time."""
        if self.mouth is None:
            return PuppetEngine(background)
        return self.mouth(StillBase(background), lambda: PuppetEngine(background), first=first)


@dataclass(frozen=True, slots=True)
class Filmed:
    """An idle clip; ``see``: what is done to its pictures before a mouth is driven on them.

    ``landmarks``: measures the face that ``see`` leaves, where it is another than the clip's.
    """

    loop: Loop
    path: Path
    info: MediaInfo
    see: See = iter
    landmarks: FaceMesh | None = None
    mouth: Mouth | None = None

    def seen(self, see: See, landmarks: FaceMesh, mouth: Mouth | None = None) -> Filmed:
        """The same person as something else shows them, and moves their lips."""
        return replace(self, see=see, landmarks=landmarks, mouth=mouth)

    def pictures(self, first: int, count: int) -> Iterator[Image]:
        """The clip from a frame on, round and round."""
        return self.see(turning(self.path, self.info, first=first, count=count))

    def plate(self, share: float) -> Plate:
        """See ``Person``; the engine of a clip looks at none."""
        del share
        picture = next(turning(self.path, self.info, first=0, count=1))
        return Plate(picture, np.ones(picture.shape[:2], np.float32), self.loop.meshes[0])

    def engine(self, background: Image | None, *, first: int) -> DrivingEngine:
        """See ``Person``."""
        if self.mouth is None:
            return self._embedded(background, first)
        base = LoopBase(self.loop, self.pictures, background=background, first=first)
        return self.mouth(base, lambda: self._embedded(background, first), first=first)

    def _embedded(self, background: Image | None, first: int) -> IdleEngine:
        references = [next(self.pictures(at, 1)) for at in self.loop.references]
        return IdleEngine(
            self.loop,
            self.pictures,
            references=references,
            landmarks=self.landmarks,
            background=background,
            first=first,
        )
