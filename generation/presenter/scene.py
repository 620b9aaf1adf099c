"""Where the person stands: background, size, place, subtitles; each frame draws only the person's box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.look.matte import Alpha, foreground
from generation.engine.media.colour import to_planes
from generation.engine.types import Image, Plane, Planes, Points
from generation.presenter.cutout import SURE, Cutout, Rectangle, lay_over, spread
from generation.presenter.errors import SceneError
from generation.presenter.puppet.mouth import Smile
from generation.presenter.silhouette import completed
from generation.presenter.subtitles import Cue

FONT = "uni"  # inside OpenCV 5: draws Chinese with no font file on the machine
SUBTITLE_SHARE = 46 / 1080  # font size, of the shorter side
SUBTITLE_WEIGHT, SUBTITLE_FLOOR = 500, 0.06  # distance from the lower edge, of the height
RIM = 0.85
SIZES = {"landscape": (1920, 1080), "portrait": (1080, 1920), "square": (1080, 1080)}


@dataclass(frozen=True, slots=True)
class Layout:
    """``height_share``: of the frame that the portrait fills, on its lower edge; ``centre``: 0 to 1.

    ``transparent``: nothing stands behind the person; frames carry their cover.
    """

    width_px: int = 1920
    height_px: int = 1080
    height_share: float = 1.0
    centre: float = 0.5
    colour: tuple[int, int, int] = (150, 110, 60)
    transparent: bool = False

    def __post_init__(self) -> None:
        if self.width_px % 2 or self.height_px % 2 or min(self.width_px, self.height_px) < 240:
            raise SceneError(f"A frame of {self.width_px} x {self.height_px} is odd or too small.")
        if not (0.3 <= self.height_share <= 1.5 and 0 <= self.centre <= 1):
            raise SceneError("The person does not stand in the frame.")


@dataclass(frozen=True, slots=True)
class Plate:
    """A portrait at output size: ``picture`` (h, w, 3) uint8 BGR, ``alpha`` (h, w), ``mesh`` (468, 3).

    ``smile``: where a closed mouth's teeth are taken from.
    """

    picture: Image
    alpha: Alpha
    mesh: Points
    smile: Smile | None = None


def plate_size(picture: Image, layout: Layout) -> tuple[int, int]:
    """Width and height at which a portrait is drawn."""
    height = round(layout.height_px * layout.height_share)
    return max(2, round(picture.shape[1] * height / picture.shape[0])), height


def backdrop(layout: Layout, picture: Image | None = None) -> Image:
    """(h, w, 3) uint8: a picture that fills the frame, or the layout's colour, lit from above."""
    width, height = layout.width_px, layout.height_px
    if picture is not None:
        scale = max(width / picture.shape[1], height / picture.shape[0])
        large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
        return np.ascontiguousarray(large[top : top + height, left : left + width], np.uint8)
    rows = np.linspace(1.12, 0.82, height, dtype=np.float32)[:, None, None]
    columns = 1 - 0.12 * np.linspace(-1, 1, width, dtype=np.float32)[None, :, None] ** 2
    flat = np.array(layout.colour, np.float32) * rows * columns
    # a little noise: eight bits would show the slow gradient as bands
    patch = np.random.Generator(np.random.PCG64(1)).normal(0, 0.6, (256, 256)).astype(np.float32)
    noise = np.tile(patch, (height // 256 + 1, width // 256 + 1))[:height, :width]
    return np.asarray(np.clip(flat + noise[..., None] + 0.5, 0, 255), np.uint8)


def own_colours(plate: Plate) -> Image:
    """(h, w, 3) uint8: the portrait with the person's colours run out over the edge into the background.

    What is driven moves pixels across the edge of the matte: none of them may be of the old background.
    """
    own = foreground(plate.picture, plate.alpha)
    return np.where(plate.alpha[..., None] < SURE, own, plate.picture)


class Stage:
    """Draws frames of one layout; keeps buffers, so it is not thread-safe."""

    def __init__(
        self,
        plate: Plate,
        layout: Layout,
        behind: Image,
        found: Sequence[Cue] = (),
        *,
        moving: Sequence[Rectangle] | None = None,
        own: Image | None = None,
    ) -> None:
        """``moving``: the parts of the plate that change from frame to frame; all of it when not given.

        ``own``: the plate's ``own_colours``, if they are what is driven: then the edge moves with the rest.
        """
        if behind.shape != (layout.height_px, layout.width_px, 3):
            raise SceneError("The background has another size than the frame.")
        height, width = plate.picture.shape[:2]
        sure = SURE if own is None else 0.0
        own, alpha, grown = completed(own_colours(plate) if own is None else own, plate.alpha)
        parts = [(0, 0, width, height)] if moving is None else moving
        self._cutout = Cutout(own, alpha, left=grown, moving=parts, sure=sure)
        self._box = _box(plate.picture, layout, grown)
        self._behind = self._beneath(layout) if layout.transparent else to_planes(behind)
        self._scale = layout.height_px / 1080
        self._cues = [(cue, _subtitle(cue, layout)) for cue in found]

    def planes(self, picture: Image, *, roll_deg: float, shift: npt.ArrayLike, time_s: float) -> Planes:
        """One frame for the encoder; ``picture``: the plate's, articulated; ``shift`` in 1080-line pixels."""
        height, width = picture.shape[:2]
        turn = cv2.getRotationMatrix2D((width / 2, height * 1.05), roll_deg, 1.0)
        box = self._box
        offset = np.asarray(shift, np.float64) * self._scale + (box.plate_x, box.plate_y)
        moved = np.column_stack([turn[:, :2], turn[:, 2] + offset])
        out = _copied(self._behind)
        self._cutout.take(picture)
        (self._cutout.onto if out.a is None else self._cutout.alone)(out, box.frame, turn=moved)
        for cue, drawn in self._cues:
            if cue.start_s <= time_s < cue.end_s:
                drawn.blend(out)
        return out

    def _beneath(self, layout: Layout) -> Planes:
        """A frame without cover: the person's own colours go on, so that no edge of it is seen through one.

        It stands still, which costs the encoder nothing, and says nothing of what the portrait showed there.
        """
        height, width = layout.height_px, layout.width_px
        half = (height // 2, width // 2)
        blank = Planes(*(np.zeros(size, np.uint8) for size in ((height, width), half, half, (height, width))))
        at = np.array([[1.0, 0, self._box.plate_x], [0, 1, self._box.plate_y]])
        self._cutout.alone(blank, self._box.frame, turn=at)
        cover = np.zeros((height, width), np.uint8) if blank.a is None else blank.a
        small = np.asarray(cv2.resize(cover, half[::-1], interpolation=cv2.INTER_AREA), np.uint8)
        y, u, v = spread(blank.y, cover), spread(blank.u, small), spread(blank.v, small)
        return Planes(y, u, v, np.zeros_like(cover))


def _copied(planes: Planes) -> Planes:
    cover = None if planes.a is None else planes.a.copy()
    return Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), cover)


@dataclass(frozen=True, slots=True)
class _Box:
    """The even rectangle of the frame that the person can reach, and where the plate lies in it."""

    frame: tuple[int, int, int, int]
    plate_x: int
    plate_y: int


def _box(picture: Image, layout: Layout, grown: int) -> _Box:
    height, width = picture.shape[:2]
    reach = round(12 * layout.height_px / 1080) * 2
    left = round(layout.width_px * layout.centre - width / 2)
    # a portrait taller than the frame is cut at the waist, not at the hair
    top = max(0, layout.height_px - height)
    x0, y0 = max(0, left - grown - reach) // 2 * 2, max(0, top - reach) // 2 * 2
    x1 = min(layout.width_px, left + width + grown + reach) // 2 * 2
    return _Box((x0, y0, x1, layout.height_px), left - x0, top - y0)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A subtitle as what is kept of the planes below and what is added."""

    top: int
    left: int
    keep: npt.NDArray[np.float32]
    add: npt.NDArray[np.float32]
    keep_chroma: npt.NDArray[np.float32]

    def blend(self, planes: Planes) -> None:
        height, width = self.keep.shape
        part = planes.y[self.top : self.top + height, self.left : self.left + width]
        if planes.a is not None:
            self._blend_over(planes, planes.a)
            return
        part[:] = (part * self.keep + self.add).astype(np.uint8)
        for plane in (planes.u, planes.v):
            half = plane[self.top // 2 : (self.top + height) // 2, self.left // 2 : (self.left + width) // 2]
            half[:] = ((half - 128.0) * self.keep_chroma + 128.5).astype(np.uint8)

    def _blend_over(self, planes: Planes, a: Plane) -> None:
        rows, columns = (
            slice(at, at + size) for at, size in zip((self.top, self.left), self.keep.shape, strict=True)
        )
        below = a[rows, columns].astype(np.float32) / np.float32(255)
        lay_over(planes.y[rows, columns], keep=self.keep, add=self.add, below=below)
        half = np.asarray(
            cv2.resize(below, self.keep_chroma.shape[::-1], interpolation=cv2.INTER_AREA), np.float32
        )
        for plane in (planes.u, planes.v):
            part = plane[self.top // 2 : rows.stop // 2, self.left // 2 : columns.stop // 2]
            lay_over(part, keep=self.keep_chroma, add=128 * (1 - self.keep_chroma), below=half)
        a[rows, columns] = np.round(255 * (1 - self.keep * (1 - below))).astype(np.uint8)


def _subtitle(cue: Cue, layout: Layout) -> _Drawn:
    size = max(14, round(min(layout.width_px, layout.height_px) * SUBTITLE_SHARE))
    line = size + size // 3
    height = (line * len(cue.lines) + size // 2) // 2 * 2
    ink = np.zeros((height, layout.width_px, 3), np.uint8)
    for number, text in enumerate(cue.lines):
        across = _measure(text, size)
        if across > layout.width_px:
            raise SceneError(f"The subtitle {text!r} is wider than the frame.")
        at = ((layout.width_px - across) // 2, line * number + size)
        cv2.putText(ink, text, at, (255, 255, 255), _font(), size, SUBTITLE_WEIGHT)
    white = ink[..., 0].astype(np.float32) / 255
    rim = cv2.dilate(white, np.ones((5, 5), np.uint8)) * RIM
    cover = np.maximum(rim, white).astype(np.float32)
    half = cv2.resize(cover, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    top = round(layout.height_px * (1 - SUBTITLE_FLOOR) - height) // 2 * 2
    added = 16 * cover + (235 - 16) * white + 0.5
    return _Drawn(top, 0, 1 - cover, added.astype(np.float32), (1 - np.asarray(half, np.float32)))


@cache
def _font() -> cv2.FontFace:
    return cv2.FontFace(FONT)


def _measure(text: str, size: int) -> int:
    probe = np.zeros((size * 2, 8, 3), np.uint8)
    end, _ = cv2.putText(probe, text, (0, size), (255, 255, 255), _font(), size, SUBTITLE_WEIGHT)
    return int(end[0])
