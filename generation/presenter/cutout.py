"""A person cut out, kept as the encoder's planes times their cover, so that a frame is one turn and one sum.

Converting and blending colours again for every frame costs four times as much as moving the planes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.look.matte import Alpha
from generation.engine.media.colour import to_planes
from generation.engine.types import Image, Plane, Planes
from generation.presenter.errors import SceneError

Rectangle = tuple[int, int, int, int]
"""x0, y0, x1, y1; ends exclusive."""
SURE = 0.98
"""From this cover on a pixel is the person's alone and moves with the picture."""
COVER = 3  # the channel
BAND = 96
"""Rows that are turned at a time, each band no wider than the person is there."""
FAINT = 24
"""Below this cover, of 255, a colour divided by it is mostly rounding, and nobody sees it."""
FLAT_BEYOND = 20
"""A person who stands alone has one colour around them from this part of the frame on.

The mark of a teller, 1080p, then reads at z 19.6 instead of 14.6, with as many octets; flat at once takes a
seventh more of them.
"""


class Cutout:
    """The person of one plate; ``moving``: the parts of the picture that change from frame to frame.

    Pictures are (h, w, 3) uint8 BGR, all of one size; ``own`` has the person's colours at the matte's edge.
    """

    def __init__(
        self,
        own: Image,
        alpha: Alpha,
        *,
        moving: Sequence[Rectangle],
        left: int = 0,
        sure: float = SURE,
    ) -> None:
        """``left``: columns of ``own`` before the picture's; ``sure``: from this cover on pixels move."""
        height, width = alpha.shape
        self._left = left
        even = ((0, height % 2), (0, width % 2))
        self._now = np.pad(own, (*even, (0, 0)), "edge")
        cover = np.pad(np.round(alpha * 255).astype(np.uint8), even, "edge")
        self._sure = (cover >= sure * 255).astype(np.uint8)
        # four channels: OpenCV turns them faster than two, three, or twice one
        self._whole = np.zeros((*cover.shape, 4), np.uint8)
        self._whole[..., COVER] = cover
        self._half = np.zeros((cover.shape[0] // 2, cover.shape[1] // 2, 4), np.uint8)
        self._half[..., COVER] = _halved(cover)
        self._edges = _edges(cover)
        self._draw((0, 0, cover.shape[1], cover.shape[0]))
        shifted = [(x0 + left, y0, x1 + left, y1) for x0, y0, x1, y1 in moving]
        self._moving = [_even(each, width, height) for each in shifted]

    def take(self, picture: Image) -> None:
        """Use the moving parts of this picture from now on."""
        for box in self._moving:
            x0, y0, x1, y1 = box
            first, last = max(x0, self._left), min(x1, self._left + picture.shape[1])
            moved = picture[y0:y1, first - self._left : last - self._left]
            sure = self._sure[y0 : y0 + len(moved), first:last]
            cv2.copyTo(moved, sure, self._now[y0 : y0 + len(moved), first:last])
            self._draw(box)

    def _draw(self, box: Rectangle) -> None:
        x0, y0, x1, y1 = box
        planes = to_planes(np.ascontiguousarray(self._now[y0:y1, x0:x1]))
        whole = self._whole[y0:y1, x0:x1]
        half = self._half[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2]
        for into, at, plane in ((whole, 0, planes.y), (half, 0, planes.u), (half, 1, planes.v)):
            cover = np.ascontiguousarray(into[..., COVER])
            into[..., at] = cv2.multiply(plane, cover, scale=1 / 255)

    def onto(self, out: Planes, box: Rectangle, *, turn: npt.NDArray[np.float64]) -> None:
        """Lay the person over what stands in an even box of a frame; ``turn``: (2, 3) from picture to box."""
        for part in self._bands(turn, box):
            x0, y0, x1, y1 = part
            whole, half = self._turned(turn - [[0, 0, x0 - box[0]], [0, 0, y0 - box[1]]], part)
            _lay(out.y[y0:y1, x0:x1], whole, 0)
            for at, plane in enumerate((out.u, out.v)):
                _lay(plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2], half, at)

    def alone(self, out: Planes, box: Rectangle, *, turn: npt.NDArray[np.float64]) -> None:
        """Put the person's own colours and cover into an even box of a frame that has a cover plane.

        The colours are not times their cover, as players of VP9 expect; where the cover is faint, what stood
        there stays.
        """
        if out.a is None:
            raise SceneError("The frame has no plane for the cover.")
        for part in self._bands(turn, box):
            x0, y0, x1, y1 = part
            whole, half = self._turned(turn - [[0, 0, x0 - box[0]], [0, 0, y0 - box[1]]], part)
            out.a[y0:y1, x0:x1] = cv2.extractChannel(whole, COVER)
            _set(out.y[y0:y1, x0:x1], whole, 0)
            for at, plane in enumerate((out.u, out.v)):
                _set(plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2], half, at)

    def _bands(self, turn: npt.NDArray[np.float64], box: Rectangle) -> Iterator[Rectangle]:
        """Even parts of the frame's box that hold all of the person, as it is turned."""
        turn = turn @ np.array([[1, 0, -self._left], [0, 1, 0], [0, 0, 1]])
        back, wide = cv2.invertAffineTransform(turn), box[2] - box[0]
        for top in range(0, box[3] - box[1], BAND):
            tall = min(BAND, box[3] - box[1] - top)
            ends = np.array([(x, y, 1) for x in (0, wide) for y in (top - 2, top + tall + 2)])
            rows = (ends @ back[1]).clip(0, len(self._edges) - 1)
            first, last = int(rows.min()), int(np.ceil(rows.max())) + 1
            left, right = self._edges[first:last, 0].min(), self._edges[first:last, 1].max()
            across = np.array([(x, y, 1) for x in (left, right) for y in (first, last)]) @ turn[0]
            x0 = max(0, int(across.min()) - 4) // 2 * 2
            x1 = min(wide, (int(np.ceil(across.max())) + 5) // 2 * 2)
            if left < right and x0 < x1:
                yield box[0] + x0, box[1] + top, box[0] + x1, box[1] + top + tall

    def _turned(self, turn: npt.NDArray[np.float64], box: Rectangle) -> tuple[Image, Image]:
        """What stands in the box, and the same at half the size."""
        x0, y0, x1, y1 = box
        turn = turn @ np.array([[1, 0, -self._left], [0, 1, 0], [0, 0, 1]])
        # a sample of chroma lies between four of luma
        half_turn = np.column_stack([turn[:, :2], (turn[:, :2] @ (0.5, 0.5) + turn[:, 2] - 0.5) / 2])
        whole = _turned(self._whole, turn, (x1 - x0, y1 - y0))
        return whole, _turned(self._half, half_turn, ((x1 - x0) // 2, (y1 - y0) // 2))


def _edges(cover: Plane) -> npt.NDArray[np.intp]:
    """(h, 2): first and one beyond the last column of each row with any cover; the width and 0 if none."""
    there = cover > 0
    first = np.where(there.any(1), there.argmax(1), cover.shape[1])
    last = np.where(there.any(1), cover.shape[1] - there[:, ::-1].argmax(1), 0)
    return np.stack([first, last], 1)


def _even(box: Rectangle, width: int, height: int) -> Rectangle:
    """The next even box that holds it; a plate's last odd row or column never moves."""
    x0, y0, x1, y1 = box
    return (
        max(0, x0 // 2 * 2),
        max(0, y0 // 2 * 2),
        min((x1 + 1) // 2 * 2, width // 2 * 2),
        min((y1 + 1) // 2 * 2, height // 2 * 2),
    )


def _halved(plane: Plane) -> Plane:
    height, width = plane.shape
    return np.asarray(cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)


def _turned(layers: Image, turn: npt.NDArray[np.float64], size: tuple[int, int]) -> Image:
    return np.asarray(cv2.warpAffine(layers, turn, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _lay(part: Plane, front: Image, at: int) -> None:
    """Channel ``at`` of what stands in front is already times its cover."""
    behind = cv2.multiply(part, cv2.bitwise_not(cv2.extractChannel(front, COVER)), scale=1 / 255)
    part[:] = cv2.add(behind, cv2.extractChannel(front, at))


def _set(part: Plane, front: Image, at: int) -> None:
    """Channel ``at`` of what stands in front, divided by its cover, where there is enough of that."""
    cover = cv2.extractChannel(front, COVER)
    own = cv2.divide(cv2.extractChannel(front, at), cover, scale=255)
    cv2.copyTo(own, (cover >= FAINT).view(np.uint8), part)


def lay_over(
    part: Plane,
    *,
    keep: npt.NDArray[np.float32],
    add: npt.NDArray[np.float32],
    below: npt.NDArray[np.float32],
) -> None:
    """Lay something over a plane of a picture that is transparent in places, with colours as they are.

    ``keep``: what is left of what lies below, 0 to 1; ``add``: the colour in front times its cover;
    ``below``: the cover of what lies below, 0 to 1.
    """
    left = keep * below
    whole = np.maximum(1 - keep + left, np.float32(1e-3))
    part[:] = np.where(keep < 1, np.clip((add + part * left) / whole + 0.5, 0, 255), part).astype(np.uint8)


def spread(plane: Plane, cover: Plane) -> Plane:
    """The plane, gone on smoothly from what is covered and soon flat; nothing else of it is left.

    Flat, because a slope hides some of the mark from those who read the colours alone. Each step halves the
    picture: what is covered there lies over what the next smaller one says.
    """
    weight = cover.astype(np.float32) * (cover >= FAINT) / np.float32(255)
    own = plane * weight
    mean = np.float32(own.sum() / max(float(weight.sum()), 1.0))
    size = np.array(plane.shape[::-1])
    out = np.full((1, 1), mean, np.float32)
    for halvings in range(int(size.min()).bit_length() - 1, 0, -1):
        small = [int(side) for side in np.maximum(1, size >> halvings)]
        share, said = (cv2.resize(each, small, interpolation=cv2.INTER_AREA) for each in (weight, own))
        out = np.asarray(said + cv2.resize(out, small, interpolation=cv2.INTER_LINEAR) * (1 - share))
    whole = cv2.resize(out, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
    side = int(size.min()) // FLAT_BEYOND | 1
    near = cv2.dilate((weight > 0).astype(np.float32), np.ones((side, side), np.uint8))
    faded = mean + (whole - mean) * cv2.blur(near, (side, side))
    return np.asarray(np.clip(faded + 0.5, 0, 255), np.uint8)
