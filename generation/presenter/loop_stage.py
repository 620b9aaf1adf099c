"""Where a filmed person stands: in their own room, or cut out before a background; with subtitles."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.media.colour import to_planes
from generation.engine.types import Image, Plane, Planes
from generation.presenter.errors import SceneError
from generation.presenter.loop import Loop
from generation.presenter.scene import Layout, _subtitle
from generation.presenter.subtitles import Cue

ENLARGE_MAX = 1.5
"""A clip that is drawn larger than this looks soft."""
HARDER = 0.08, 0.84  # of a matte: what is nearer to its ends is no person, or all person

Floats = npt.NDArray[np.float32]


class LoopStage:
    """Draws the frames of one loop in one layout."""

    def __init__(self, loop: Loop, layout: Layout, behind: Image, found: Sequence[Cue] = ()) -> None:
        """``behind``: (h, w, 3) uint8 BGR of the layout's size, seen where the loop is cut out.

        Raises:
            SceneError: the clip is too small for the frame, or keeps its room where none is wanted.
        """
        if layout.transparent and not loop.mattes:
            raise SceneError("A clip that keeps its own room cannot be transparent.")
        if behind.shape != (layout.height_px, layout.width_px, 3):
            raise SceneError("The background has another size than the frame.")
        self._loop, self._layout = loop, layout
        self._behind = to_planes(behind)
        self._cues = [(cue, _subtitle(cue, layout)) for cue in found]
        self._crop = None if loop.mattes else _crop(loop, layout)
        lines = self._crop[3] - self._crop[1] if self._crop else loop.size_px[1] / layout.height_share
        if layout.height_px / lines > ENLARGE_MAX:
            raise SceneError(
                f"The clip would be drawn {layout.height_px / lines:.1f} times its size; "
                f"{ENLARGE_MAX} is the most."
            )

    def planes(self, picture: Image, *, at: int, time_s: float) -> Planes:
        """One frame for the encoder; ``picture``: frame ``at`` of the loop, articulated."""
        out = self._whole(picture) if self._crop is not None else self._cut_out(picture, at)
        for cue, drawn in self._cues:
            if cue.start_s <= time_s < cue.end_s:
                drawn.blend(out)
        return out

    def _whole(self, picture: Image) -> Planes:
        x0, y0, x1, y1 = self._crop or (0, 0, 0, 0)
        size = self._layout.width_px, self._layout.height_px
        part = picture[y0:y1, x0:x1]
        if (x1 - x0, y1 - y0) != size:
            how = cv2.INTER_AREA if y1 - y0 > size[1] else cv2.INTER_CUBIC
            part = np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)
        return to_planes(np.ascontiguousarray(part))

    def _cut_out(self, picture: Image, at: int) -> Planes:
        layout = self._layout
        scale = layout.height_px * layout.height_share / picture.shape[0]
        left = layout.width_px * layout.centre - picture.shape[1] * scale / 2
        top = max(0.0, layout.height_px - picture.shape[0] * scale)
        place = np.array([[scale, 0, left], [0, scale, top]])
        size = layout.width_px, layout.height_px
        drawn = cv2.warpAffine(picture, place, size, borderMode=cv2.BORDER_REPLICATE)
        cover = self._cover(at, place, picture.shape[0], size)
        front = to_planes(np.asarray(drawn, np.uint8))
        if layout.transparent:
            return Planes(front.y, front.u, front.v, np.round(cover * 255).astype(np.uint8))
        half = cv2.resize(cover, (size[0] // 2, size[1] // 2), interpolation=cv2.INTER_AREA)
        behind = self._behind
        return Planes(
            _over(front.y, behind.y, cover),
            _over(front.u, behind.u, np.asarray(half, np.float32)),
            _over(front.v, behind.v, np.asarray(half, np.float32)),
        )

    def _cover(self, at: int, place: npt.NDArray[np.float64], lines: int, size: tuple[int, int]) -> Floats:
        matte = self._loop.matte(at)
        larger = place.copy()
        larger[:, :2] *= lines / matte.shape[0]
        cover = cv2.warpAffine(matte, larger, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
        low, span = HARDER
        return np.asarray(np.clip((cover - low) / span, 0, 1), np.float32)


def _over(front: Plane, behind: Plane, cover: Floats) -> Plane:
    return np.asarray(cv2.blendLinear(front, behind, cover, 1 - cover), np.uint8)


def _crop(loop: Loop, layout: Layout) -> tuple[int, int, int, int]:
    """The largest part of the clip that has the frame's shape, about the face."""
    width, height = loop.size_px
    wide = min(width, round(height * layout.width_px / layout.height_px))
    tall = min(height, round(width * layout.height_px / layout.width_px))
    face = np.median(loop.meshes[:, :, :2], axis=(0, 1))
    x0 = int(np.clip(face[0] - wide / 2, 0, width - wide))
    y0 = int(np.clip(face[1] - tall * 0.42, 0, height - tall))
    return x0, y0, x0 + wide, y0 + tall
