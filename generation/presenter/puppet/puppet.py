"""One portrait, articulated: everything above the lips' seam in one layer, lower lip and jaw in another.

Each layer is the portrait's own pixels, read once through a smooth map; the drawn mouth shows where neither
covers. A mouth that is never generated cannot be blurred, and its lips are the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.swap.warp import read
from generation.engine.types import Image, Points
from generation.presenter.puppet.brows import Brows
from generation.presenter.puppet.eyes import SEEN, Lids
from generation.presenter.puppet.fields import STEP, Field, backward_map
from generation.presenter.puppet.folds import Folds
from generation.presenter.puppet.gaze import SEEN_DEG, Gaze
from generation.presenter.puppet.geometry import (
    CORNERS,
    LOWER_INNER,
    SMILE,
    UPPER_INNER,
    Face,
    aperture,
    face_of,
)
from generation.presenter.puppet.lips import CORNERS_IN, OFF_TEETH, WIDEN, Lips, lips_of
from generation.presenter.puppet.lips import PUCKER as PUCKER_UNITS
from generation.presenter.puppet.mouth import Mouth, Smile
from generation.presenter.puppet.seam import on_seam
from generation.presenter.visemes import JAW, PRESS, PUCKER, WIDE

Floats = npt.NDArray[np.float32]
CORNER_CREASE = 0.06  # eye distances: how far a smile's crease reaches about its corner
STRIP_MARGIN = 0.02  # eye distances: a mask's blur, and what a field bends between its edge's points
REST_PRESS, REST_JAW = 0.6, 0.08
"""Lips stretched by a smile look ajar when they only touch: they are pressed until the jaw drops so far."""
REST = 0.004  # articulation below this moves nothing that could be seen


@dataclass(frozen=True, slots=True)
class Drawn:
    """``mouth``: (h, w, 3) uint8 BGR of the region; ``gap_px``: how much of it no lip covers."""

    mouth: Image
    gap_px: int


class Puppet:
    """Draws frames of one portrait; keeps one buffer, so it is not thread-safe.

    ``picture``: (h, w, 3) uint8 BGR at output size; ``mesh``: (468, 2 or 3) its landmarks; ``smile``: whose
    teeth are seen if the picture shows none.
    """

    def __init__(self, picture: Image, mesh: Points, *, smile: Smile | None = None) -> None:
        height, width = picture.shape[:2]
        self.face = face_of(mesh, width=width, height=height)
        self.opened = aperture(mesh)
        self.cut = self.opened > SMILE
        if not self.cut:
            self.face = on_seam(picture, self.face)
        self._lips = lips_of(self.face, cut=self.cut)
        self._work = picture.copy()
        x0, y0, x1, y1 = self.face.roi
        self._still = picture[y0:y1, x0:x1].copy()
        skin = _without_inner_mouth(self._still, self.face) if self.cut else self._still
        self._layers = _layers(skin, self.face, self._lips)
        self._edges = tuple(
            _moving_edge(self.face, edge, fields)
            for edge, fields in (
                (self._lips.upper_edge, self._lips.upper),
                (self._lips.lower_edge, self._lips.lower),
            )
        )
        self._mouth = Mouth(picture, self.face, opened=self.opened, smile=smile)
        self._lids = Lids(picture, self.face)
        self._brows = Brows(picture, self.face, covered=self._lids.rimmed)
        self._gaze, self._folds = Gaze(picture, self.face), Folds(self.face)
        self._moved = False

    @property
    def moving(self) -> tuple[tuple[int, int, int, int], ...]:
        """x0, y0, x1, y1 of everything in the picture that can change."""
        return (self.face.roi, *self._lids.boxes, *self._brows.boxes)

    def frame(
        self,
        shape: npt.NDArray[np.float64],
        *,
        blink: float = 0.0,
        brow: float = 0.0,
        gaze: tuple[float, float] = (0.0, 0.0),
    ) -> Image:
        """(h, w, 3) uint8 BGR of one articulation, (7,); the buffer is used again: copy it to keep it.

        ``gaze``: degrees to the right and down, from where the portrait looks.
        """
        x0, y0, x1, y1 = self.face.roi
        self._work[y0:y1, x0:x1] = self.draw(shape).mouth
        moves = max(blink, brow) > SEEN or max(map(abs, gaze)) >= SEEN_DEG
        if moves or self._moved:
            self._lids.restore(self._work)
            self._brows.lift(self._work, brow)
            self._gaze.look(self._work, *gaze)
        if blink > SEEN:
            self._lids.blink(self._work, blink)
        self._moved = moves
        return self._work

    def draw(self, shape: npt.NDArray[np.float64]) -> Drawn:
        """The region of the mouth alone, and how much of it shows the inside."""
        if not self.cut and np.abs(shape[:6]).max() < REST:
            return Drawn(self._still, 0)
        height, width = self._still.shape[:2]
        weights = self._weights(shape)
        first, end = self._strip(weights)
        upper, lower = self._read(0, weights, (0, end)), self._read(1, weights, (first, height))
        out = np.empty((height, width, 3), np.uint8)
        out[:first], out[end:] = upper[:first, :, :3], lower[end - first :, :, :3]
        upper, lower = upper[first:], lower[: end - first]
        covers: list[Floats] = [
            layer[..., 3].astype(np.float32) / np.float32(255) for layer in (upper, lower)
        ]
        gap: Floats = np.clip(1 - covers[0] - covers[1], 0, 1) * self._within(shape, width)
        share = covers[0] / (covers[0] + covers[1] + np.float32(1e-3))
        out[first:end] = cv2.cvtColor(cv2.blendLinear(upper, lower, share, 1 - share), cv2.COLOR_BGRA2BGR)
        opened = int((gap > 0.5).sum())
        if gap.max() > SEEN:
            self._fill(out[first:end], gap, covers[0], shape, above=first)
        self._folds.shade(out, float(shape[WIDE]))
        return Drawn(out, opened)

    def _weights(self, shape: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """(7,): how strongly each field moves."""
        weights = np.append(shape[:6], 1.0 if self.cut else 0.0)
        if self.cut:
            resting = 1 - np.clip(shape[JAW] / REST_JAW, 0, 1)
            weights[PRESS] = max(weights[PRESS], REST_PRESS * resting)
        return weights.astype(np.float32)

    def _strip(self, weights: npt.NDArray[np.float32]) -> tuple[int, int]:
        """First and end of the rows where the layers meet or leave a gap; beyond them there is but one."""
        height = len(self._still)
        rows = np.concatenate([at + weights @ moves for at, moves in self._edges])
        margin = 4 + STRIP_MARGIN * self.face.unit
        first = int(np.clip(rows.min() - margin, 0, height - 1))
        return first, int(np.clip(rows.max() + margin, first + 1, height))

    def _read(self, layer: int, weights: npt.NDArray[np.float32], rows: tuple[int, int]) -> Image:
        """Some rows of a layer, (n, w, 4) uint8: colours and cover."""
        fields = (self._lips.upper, self._lips.lower)[layer]
        size = self._still.shape[1], self._still.shape[0]
        where = backward_map(fields, weights, self._lips.grid, size, rows=rows)
        return read(self._layers[layer], where, border=cv2.BORDER_REPLICATE)

    def _within(self, shape: npt.NDArray[np.float64], width: int) -> Floats:
        """1 between the moved corners: the two fields differ a little beyond them, which shows as ticks."""
        face = self.face
        centre = face.mouth_centre[0] - face.roi[0]
        moved = WIDEN * shape[WIDE] - PUCKER_UNITS * shape[PUCKER] - (CORNERS_IN if self.cut else 0)
        reach = face.mouth_width / 2 + moved * face.unit
        away = np.abs(np.arange(width, dtype=np.float32) - np.float32(centre))
        return np.asarray(np.clip((reach - away) / (0.03 * face.unit), 0, 1), np.float32)

    def _fill(
        self, out: Image, gap: Floats, upper: Floats, shape: npt.NDArray[np.float64], *, above: int
    ) -> None:
        """The inside of the mouth, under the shadow of the upper lip, where no lip covers.

        ``above``: rows of the region over those that are given.
        """
        (wide, tall), (x0, y0, _, _) = self._mouth.size, self.face.roi
        left = int(self.face.mouth_centre[0] - x0 - wide / 2)
        top = int(self.face.seam[5, 1] - y0 - self._mouth.seam_row) - above
        rows, columns = (
            slice(max(at, 0), min(at + size, limit))
            for at, size, limit in ((top, tall, out.shape[0]), (left, wide, out.shape[1]))
        )
        shadow = cv2.GaussianBlur(upper[rows, columns], (0, 0), self.face.unit * 0.022)
        inside = self._mouth.draw(shape)[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
        inside = inside * (1 - 0.75 * np.clip(shadow - 0.02, 0, 1))[..., None]
        weight, part = gap[rows, columns, None], out[rows, columns]
        part[:] = np.clip(part * (1 - weight) + inside * weight, 0, 255).astype(np.uint8)


def _without_inner_mouth(still: Image, face: Face) -> Image:
    """The region with the lips grown over the open mouth and its corners.

    Teeth and the dark of the corners would travel with the lips and stay as crumbs when these have met.
    """
    x0, y0, _, _ = face.roi
    upper, lower = (face.points[list(ring)] for ring in (UPPER_INNER, LOWER_INNER))
    hole = np.zeros(still.shape[:2], np.uint8)
    ring = np.vstack([upper, lower[::-1]]) - [x0, y0]
    cv2.fillPoly(hole, [np.round(ring * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    reach = max(1, round(OFF_TEETH * face.unit))
    hole = np.asarray(cv2.dilate(hole, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)), np.uint8)
    for corner, outwards in zip(face.points[list(CORNERS)], (-1, 1), strict=True):
        at = corner - [x0, y0] + face.across * outwards * CORNER_CREASE * face.unit * 0.3
        cv2.circle(hole, np.round(at).astype(int).tolist(), round(CORNER_CREASE * face.unit), 255, -1)
    return np.asarray(cv2.inpaint(still, hole, 3, cv2.INPAINT_TELEA), np.uint8)


def _layers(still: Image, face: Face, lips: Lips) -> tuple[Image, Image]:
    """(h, w, 4) each: the region with what lies above and below its lip as the fourth channel."""
    above = np.uint8(255) - _below(still, face, lips.upper_edge)
    return np.dstack([still, above]), np.dstack([still, _below(still, face, lips.lower_edge)])


def _line(face: Face, edge: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(15, 2): a lip's edge in the region; both share the corners and the line beyond: a gap is a tick."""
    x0, y0, x1, _ = face.roi
    left, right = face.points[list(CORNERS)]
    seam = face.seam
    line = np.vstack([[x0 - 5, left[1]], left, seam[:1], edge[1:-1], seam[-1:], right, [x1 + 5, right[1]]])
    return np.asarray(line - [x0, y0])


def _moving_edge(face: Face, edge: npt.NDArray[np.float64], fields: Field) -> tuple[Floats, Floats]:
    """Rows of a lip's edge, (n,), and how far each articulation moves them down, (7, n)."""
    line, part = _line(face, edge), np.linspace(0, 14, 57)
    along = np.stack([np.interp(part, np.arange(15), line[:, axis]) for axis in (0, 1)])
    x, y = (np.clip(np.round(each / STEP - 0.5).astype(int), 0, limit - 1)
            for each, limit in zip(along, fields.shape[:1:-1], strict=True))  # fmt: skip
    return along[1].astype(np.float32), fields[:, 1, y, x]


def _below(still: Image, face: Face, edge: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """255 below a lip's edge."""
    height, width = still.shape[:2]
    ring = np.vstack([_line(face, edge), [width + 5, height + 5], [-5, height + 5]])
    mask = np.zeros((height * 2, width * 2), np.uint8)
    cv2.fillPoly(mask, [np.round(ring * 2 * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.8, face.unit / 220)), np.uint8)
