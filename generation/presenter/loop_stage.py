"""Where a filmed person stands: in their own room, or cut out before a background; with subtitles."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.media.colour import to_planes
from generation.engine.types import Image, Plane, Planes
from generation.presenter.cutout import FAINT, spread
from generation.presenter.errors import SceneError
from generation.presenter.loop import Loop
from generation.presenter.scene import Layout, _subtitle
from generation.presenter.subtitles import Cue

ENLARGE_MAX = 2.0
"""A clip that is drawn larger than this looks soft; one of 1080 lines fills an upright frame with 1.8."""
HARDER = 0.2, 0.6  # of a matte: below the first is no person, above their sum nothing else
HALF, SURE = 128, 240
"""Of 255: covers from which on a colour is mostly, and all, the person's."""
SMALL, SPREAD = 4, 9
"""Colours are carried outwards in a picture so much smaller, by a box of so many of its pixels."""

Floats = npt.NDArray[np.float32]
_HARDENED = np.clip((np.arange(256) / 255 - HARDER[0]) / HARDER[1] * 255 + 0.5, 0, 255).astype(np.uint8)


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
        cover = self._placed(_octets(self._loop.matte(at)), scale, left, top, lines=picture.shape[0])
        cover = np.asarray(cv2.LUT(cover, _HARDENED), np.uint8)
        drawn = self._placed(picture, scale, left, top, lines=picture.shape[0])
        front = _own_colours(to_planes(drawn), cover)
        if layout.transparent:
            return _alone(front, cover)
        half, behind = _halved(cover), self._behind
        return Planes(
            _over(front.y, behind.y, cover), _over(front.u, behind.u, half), _over(front.v, behind.v, half)
        )

    def _placed(self, picture: Image, scale: float, left: float, top: float, *, lines: int) -> Image:
        """What belongs to a clip of so many lines, where it stands in the frame."""
        size = self._layout.width_px, self._layout.height_px
        times = scale * lines / picture.shape[0]
        if times == 1 and not (left or top) and picture.shape[1::-1] == size:
            return picture
        # the middles of the pixels are laid over each other
        shift = (times - 1) / 2
        place = np.array([[times, 0, left + shift], [0, times, top + shift]])
        border = cv2.BORDER_REPLICATE if picture.ndim == 3 else cv2.BORDER_CONSTANT
        return np.asarray(cv2.warpAffine(picture, place, size, borderMode=border), np.uint8)


def _octets(cover: Floats) -> Plane:
    return np.asarray(np.round(cover * 255), np.uint8)


def _halved(plane: Plane) -> Plane:
    size = plane.shape[1] // 2, plane.shape[0] // 2
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.uint8)


def _own_colours(front: Planes, cover: Plane) -> Planes:
    """The person's colours at the soft edge, too, where the old background shines through."""
    half = _halved(cover)
    return Planes(
        _spread(front.y, cover, SMALL), _spread(front.u, half, SMALL // 2), _spread(front.v, half, SMALL // 2)
    )


def _alone(front: Planes, cover: Plane) -> Planes:
    """The person without the room: players that know no cover, and whoever opens the file, see all of it."""
    half = _halved(cover)
    return Planes(
        _beyond(front.y, cover, SMALL),
        _beyond(front.u, half, SMALL // 2),
        _beyond(front.v, half, SMALL // 2),
        cover,
    )


def _beyond(plane: Plane, cover: Plane, smaller: int) -> Plane:
    """The plane where it is covered; elsewhere those colours go on, worked out in a smaller picture."""
    size = max(1, plane.shape[1] // smaller), max(1, plane.shape[0] // smaller)
    share = np.asarray(cv2.resize(cover, size, interpolation=cv2.INTER_AREA), np.uint8)
    shown = cv2.resize(cv2.multiply(plane, cover, scale=1 / 255), size, interpolation=cv2.INTER_AREA)
    own = spread(np.asarray(cv2.divide(shown, share, scale=255), np.uint8), share)
    large = cv2.resize(own, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.copyTo(large, (cover < FAINT).view(np.uint8), plane), np.uint8)


def _spread(plane: Plane, cover: Plane, smaller: int) -> Plane:
    """The plane with its soft edge in the colours of what is surely covered nearby."""
    size = max(1, plane.shape[1] // smaller), max(1, plane.shape[0] // smaller)
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    sure = (cv2.resize(cover, size, interpolation=cv2.INTER_AREA) >= SURE).astype(np.float32)
    near = cv2.blur(sure, (SPREAD, SPREAD))
    own = cv2.blur(small * sure, (SPREAD, SPREAD)) / np.maximum(near, np.float32(1e-3))
    # far from anything sure the plane keeps its own
    own = np.where(near > 0.02, own, small).astype(np.uint8)
    large = cv2.resize(own, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # two steps: mixing by the cover itself costs three times as much and looks the same
    between = cv2.addWeighted(plane, 0.6, large, 0.4, 0)
    cv2.copyTo(between, cv2.inRange(cover, np.array(HALF), np.array(SURE - 1)), plane)
    return np.asarray(cv2.copyTo(large, cv2.inRange(cover, np.array(1), np.array(HALF - 1)), plane), np.uint8)


def _over(front: Plane, behind: Plane, cover: Plane) -> Plane:
    shown = cv2.multiply(front, cover, scale=1 / 255)
    return np.asarray(cv2.add(shown, cv2.multiply(behind, cv2.bitwise_not(cover), scale=1 / 255)), np.uint8)


def _crop(loop: Loop, layout: Layout) -> tuple[int, int, int, int]:
    """The largest part of the clip that has the frame's shape, about the face."""
    width, height = loop.size_px
    wide = min(width, round(height * layout.width_px / layout.height_px))
    tall = min(height, round(width * layout.height_px / layout.width_px))
    face = np.median(loop.meshes[:, :, :2], axis=(0, 1))
    x0 = int(np.clip(face[0] - wide / 2, 0, width - wide))
    y0 = int(np.clip(face[1] - tall * 0.42, 0, height - tall))
    return x0, y0, x0 + wide, y0 + tall
