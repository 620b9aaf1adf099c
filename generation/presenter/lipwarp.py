"""A mouth articulated on moving pictures: the fields of one reference frame, carried to every other frame.

The displacement is turned with the head, not the picture: each pixel is still read once, so nothing softens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.faces.pose import Matrix, similarity2d
from generation.engine.swap.warp import read
from generation.engine.types import Image, Plane, Points
from generation.presenter.puppet.brows import Brows
from generation.presenter.puppet.eyes import SEEN, Lids
from generation.presenter.puppet.fields import Field, backward_map, places
from generation.presenter.puppet.geometry import (
    CHIN,
    CORNERS,
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Face,
    Vector,
    face_of,
)
from generation.presenter.puppet.lips import PUCKER as PUCKER_UNITS
from generation.presenter.puppet.lips import WIDEN, lips_of
from generation.presenter.puppet.mouth import Mouth, Smile
from generation.presenter.puppet.seam import on_seam
from generation.presenter.visemes import PUCKER, WIDE

Floats = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1; ends exclusive."""
REST = 0.004  # articulation below this moves nothing that could be seen
STABLE = (*UPPER_OUTER, *LOWER_OUTER, *UPPER_INNER, *LOWER_INNER, *CHIN, 1, 2, 98, 327, 97, 326)
"""Lips, chin and the nose's base: with the lips closed they tell where the mouth is better than the eyes."""
_INVERSE = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def onto(mesh: Points, reference: Points) -> Matrix:
    """(2, 3): from the pixels of a frame with this mesh to those of the reference."""
    points = list(STABLE)
    return similarity2d(mesh[points, :2], reference[points, :2])


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a region of the reference lies in a frame.

    ``into``: (2, 3) from the box's pixels to the region's; ``turn``: (2, 2) back, for displacements.
    """

    box: Box
    into: Matrix
    turn: Matrix

    @property
    def size(self) -> tuple[int, int]:
        x0, y0, x1, y1 = self.box
        return x1 - x0, y1 - y0

    def seen(self, values: npt.NDArray[np.generic], border: int) -> npt.NDArray[np.generic]:
        """What the region holds, where the frame shows it."""
        found = cv2.warpAffine(
            cast(Image, values), self.into, self.size, flags=_INVERSE, borderMode=border, borderValue=0
        )
        return np.asarray(found)

    def moves(self, displacement: Field) -> Field:
        """(h, w, 2): where each pixel of the box is read, in the box's own pixels."""
        shown = np.asarray(self.seen(displacement, cv2.BORDER_CONSTANT), np.float32)
        moved = np.asarray(cv2.transform(shown, self.turn.astype(np.float32)), np.float32)
        moved += places(*self.size)
        return moved


class LipWarp:
    """The mouth and brows of one reference frame; ``picture`` (h, w, 3) uint8 BGR, ``mesh`` (468, 2 or 3)."""

    def __init__(self, picture: Image, mesh: Points, *, smile: Smile | None = None) -> None:
        """``smile``: where the teeth are taken from; a clip with closed lips shows none."""
        height, width = picture.shape[:2]
        self.mesh = mesh
        self._size = width, height
        self.face = on_seam(picture, face_of(mesh, width=width, height=height))
        self._lips = lips_of(self.face, cut=False)
        self._below = _below(self.face)
        self._mouth = Mouth(picture, self.face, opened=0.0, smile=smile)
        self._brows = _brow_moves(picture, self.face)

    def draw(self, picture: Image, shape: npt.NDArray[np.float64], *, at: Matrix, brow: float = 0.0) -> None:
        """Articulate a frame in place; ``at``: from its pixels to the reference's, as ``onto`` gives it."""
        if brow > SEEN:
            for box, rise in self._brows:
                place = self._place(box, at)
                if place is not None:
                    x0, y0, x1, y1 = place.box
                    still = np.ascontiguousarray(picture[y0:y1, x0:x1])
                    picture[y0:y1, x0:x1] = read(
                        still, place.moves(rise * np.float32(brow)), border=cv2.BORDER_REPLICATE
                    )
        if np.abs(shape[:6]).max() < REST:
            return
        place = self._place(self.face.roi, at)
        if place is None:
            return
        x0, y0, x1, y1 = place.box
        picture[y0:y1, x0:x1] = self._spoken(np.ascontiguousarray(picture[y0:y1, x0:x1]), shape, place)

    def _place(self, region: Box, at: Matrix) -> _Place | None:
        """The upright box of a frame that holds a region; None where it lies outside."""
        x0, y0, x1, y1 = region
        back = np.asarray(cv2.invertAffineTransform(at), np.float64)
        corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]) @ back[:, :2].T + back[:, 2]
        low = np.clip(np.floor(corners.min(0)), 0, self._size).astype(int)
        high = np.clip(np.ceil(corners.max(0)), 0, self._size).astype(int)
        if (high - low < 8).any():
            return None
        shift = at[:, :2] @ low + at[:, 2] - (x0, y0)
        into = np.column_stack([at[:, :2], shift])
        return _Place((int(low[0]), int(low[1]), int(high[0]), int(high[1])), into, back[:, :2])

    def _spoken(self, still: Image, shape: npt.NDArray[np.float64], place: _Place) -> Image:
        weights = np.append(shape[:6], 0.0).astype(np.float32)
        below = np.asarray(place.seen(self._below, cv2.BORDER_REPLICATE), np.uint8)
        masks = np.uint8(255) - below, below
        grid, size = self._lips.grid, self._below.shape[::-1]
        upper, lower = (
            read(
                np.dstack([still, mask]),
                place.moves(backward_map(fields, weights, grid, size) - places(*size)),
                border=cv2.BORDER_REPLICATE,
            )
            for mask, fields in zip(masks, (self._lips.upper, self._lips.lower), strict=True)
        )
        covers = [layer[..., 3].astype(np.float32) / np.float32(255) for layer in (upper, lower)]
        gap = np.clip(1 - covers[0] - covers[1], 0, 1) * self._within(shape, place)
        share = covers[0] / (covers[0] + covers[1] + np.float32(1e-3))
        mixed = cv2.cvtColor(cv2.blendLinear(upper, lower, share, 1 - share), cv2.COLOR_BGRA2BGR)
        out = np.asarray(mixed, np.uint8)
        if gap.max() > SEEN:
            self._fill(out, np.asarray(gap, np.float32), covers[0], shape, place)
        return out

    def _within(self, shape: npt.NDArray[np.float64], place: _Place) -> Floats:
        """1 between the moved corners: the two fields differ a little beyond them, which shows as ticks."""
        face, (width, height) = self.face, place.size
        moved = WIDEN * shape[WIDE] - PUCKER_UNITS * shape[PUCKER]
        reach = face.mouth_width / 2 + moved * face.unit
        x, y = np.arange(width)[None], np.arange(height)[:, None]
        across = place.into[0, 0] * x + place.into[0, 1] * y + place.into[0, 2] + face.roi[0]
        away = np.abs(across - face.mouth_centre[0])
        return np.asarray(np.clip((reach - away) / (0.03 * face.unit), 0, 1), np.float32)

    def _fill(
        self, out: Image, gap: Floats, upper: Floats, shape: npt.NDArray[np.float64], place: _Place
    ) -> None:
        """The inside of the mouth, under the shadow of the upper lip, where no lip covers."""
        (wide, _), (x0, y0, _, _) = self._mouth.size, self.face.roi
        corner = (
            self.face.mouth_centre[0] - x0 - wide / 2,
            self.face.seam[5, 1] - y0 - self._mouth.seam_row,
        )
        # only where something is open: most of the box is lips and skin
        left, top, wide_px, tall_px = cv2.boundingRect((gap > SEEN).view(np.uint8))
        rows, columns = slice(top, top + tall_px), slice(left, left + wide_px)
        shift = place.into[:, 2] - corner + place.into[:, :2] @ (left, top)
        drawn = _Place(
            (left, top, left + wide_px, top + tall_px),
            np.column_stack([place.into[:, :2], shift]),
            place.turn,
        )
        inside = np.asarray(drawn.seen(self._mouth.draw(shape), cv2.BORDER_REPLICATE), np.float32)
        shadow = cv2.GaussianBlur(upper, (0, 0), self.face.unit * 0.022)[rows, columns]
        inside *= (1 - 0.75 * np.clip(shadow - 0.02, 0, 1))[..., None]
        open_part, part = gap[rows, columns, None], out[rows, columns]
        part[:] = np.clip(part * (1 - open_part) + inside * open_part, 0, 255).astype(np.uint8)


def _below(face: Face) -> Plane:
    """(h, w) uint8 of the region: 255 below the lips' seam and its prolongation, soft at the line."""
    x0, y0, x1, y1 = face.roi
    left, right = face.points[list(CORNERS)]
    line = np.vstack([[x0 - 5, left[1]], left, face.seam, right, [x1 + 5, right[1]]])
    ring: Vector = np.vstack([line, [x1 + 5, y1 + 5], [x0 - 5, y1 + 5]]) - (x0, y0)
    mask = np.zeros(((y1 - y0) * 2, (x1 - x0) * 2), np.uint8)
    cv2.fillPoly(mask, [np.round(ring * 2 * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    small = cv2.resize(mask, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.8, face.unit / 220)), np.uint8)


def _brow_moves(picture: Image, face: Face) -> list[tuple[Box, Field]]:
    """For each brow its box, and (h, w, 2) how far each place is read away when it is fully raised."""
    height, width = picture.shape[:2]
    still = places(width, height)
    # what the brows would do to a picture of places is how they move a picture
    brows = Brows(cast(Image, still), face, covered=Lids(picture, face).rimmed)
    raised = still.copy()
    brows.lift(cast(Image, raised), 1.0)
    return [((x0, y0, x1, y1), (raised - still)[y0:y1, x0:x1]) for x0, y0, x1, y1 in brows.boxes]
