"""A video behind the person: cut to fill the frame, begun again as often as it takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from generation.engine.media.chunks import whole
from generation.engine.media.colour import to_planes
from generation.engine.media.decode import Frame, read_frames
from generation.engine.media.info import MediaInfo
from generation.engine.types import Planes
from generation.presenter.errors import SceneError
from generation.presenter.scene import Layout, backdrop


@dataclass(frozen=True, slots=True)
class Backdrop:
    """An uploaded clip; two frames of it are in memory at a time, whatever its length."""

    path: Path
    info: MediaInfo

    def planes(self, layout: Layout, *, fps: float) -> Iterator[Planes]:
        """Frames at the layout's size without an end: each shows what the clip shows at its time.

        Whoever draws on one copies it first: the same frame may come again.

        Raises:
            SceneError: the clip has no frames.
            MediaError: it breaks off inside.
        """
        while True:
            shown = 0  # frames since the clip began
            for frame, next_s in self._timed():
                planes = None
                while shown / fps < next_s:
                    planes = planes or to_planes(backdrop(layout, frame.picture))
                    yield planes
                    shown += 1
            if not shown:
                raise SceneError("The background has no frames.")

    def _timed(self) -> Iterator[tuple[Frame, float]]:
        """Each frame, and when the next one takes its place."""
        held: Frame | None = None
        for frame in read_frames(self.path, self.info, whole(self.info)):
            if held is not None:
                yield held, frame.time_s
            held = frame
        if held is not None:
            yield held, max(self.info.duration_s, held.time_s + 1 / float(self.info.rate))
