"""What stands in front of the person: a logo and two lines of a lower third, drawn once, laid on often."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.media.colour import to_planes
from generation.engine.types import Image, Plane, Planes
from generation.presenter.cutout import lay_over
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.errors import SceneError
from generation.presenter.scene import FONT, Layout, Plate
from generation.presenter.templates import Filled, lines_of

LOGO_SHARE = 0.10  # of the shorter side: its height
MARGIN = 0.05  # of the shorter side
THIRD_FLOOR = 0.24  # lower edge of the lower third, of the height: two lines of subtitles fit below
TITLE_SHARE, LINE_SHARE = 44 / 1080, 32 / 1080  # font sizes, of the shorter side
BAND, BAND_COVER = (48, 32, 24), 0.78  # BGR


@dataclass(frozen=True, slots=True)
class Overlay:
    """A part of the frame: ``planes`` of its picture and how much they cover, 0 to 1, full and half size."""

    top: int
    left: int
    planes: Planes
    cover: npt.NDArray[np.float32]
    half: npt.NDArray[np.float32]

    def blend(self, out: Planes) -> None:
        """Lay it on a frame, in place."""
        if out.a is not None:
            self._blend_over(out, out.a)
            return
        height, width = self.cover.shape
        luma = out.y[self.top : self.top + height, self.left : self.left + width]
        luma[:] = _mixed(luma, self.planes.y, self.cover)
        rows = slice(self.top // 2, (self.top + height) // 2)
        columns = slice(self.left // 2, (self.left + width) // 2)
        out.u[rows, columns] = _mixed(out.u[rows, columns], self.planes.u, self.half)
        out.v[rows, columns] = _mixed(out.v[rows, columns], self.planes.v, self.half)

    def _blend_over(self, out: Planes, a: Plane) -> None:
        """As ``blend``, where there may be nothing below."""
        height, width = self.cover.shape
        whole = slice(self.top, self.top + height), slice(self.left, self.left + width)
        rows = slice(self.top // 2, (self.top + height) // 2)
        columns = slice(self.left // 2, (self.left + width) // 2)
        below = a[whole].astype(np.float32) / np.float32(255)
        lay_over(out.y[whole], keep=1 - self.cover, add=self.planes.y * self.cover, below=below)
        half = np.asarray(cv2.resize(below, self.half.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
        for plane, front in ((out.u, self.planes.u), (out.v, self.planes.v)):
            lay_over(plane[rows, columns], keep=1 - self.half, add=front * self.half, below=half)
        a[whole] = np.round(255 * (1 - (1 - self.cover) * (1 - below))).astype(np.uint8)


class Overlaid:
    """A driving engine with something in front of its person."""

    needs_gpu = False

    def __init__(self, inner: DrivingEngine, overlays: Sequence[Overlay]) -> None:
        self._inner, self._overlays = inner, overlays
        self.name = inner.name

    def frames(self, plate: Plate, layout: Layout, performance: Performance, *, fps: int) -> Iterator[Planes]:
        """See ``DrivingEngine``."""
        for planes in self._inner.frames(plate, layout, performance, fps=fps):
            for overlay in self._overlays:
                overlay.blend(planes)
            yield planes


def logo(picture: npt.NDArray[np.uint8], layout: Layout, *, place: str) -> Overlay:
    """A logo in an upper corner; ``picture``: (h, w, 3 or 4) uint8, BGR or BGRA.

    Raises:
        SceneError: it is wider than half the frame.
    """
    side = min(layout.width_px, layout.height_px)
    height = round(side * LOGO_SHARE) // 2 * 2
    width = max(2, round(picture.shape[1] * height / picture.shape[0]) // 2 * 2)
    if width > layout.width_px // 2:
        raise SceneError("The logo is wider than half the frame.")
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    cover = small[..., 3].astype(np.float32) / 255 if small.shape[2] == 4 else np.ones((height, width))
    margin = round(side * MARGIN) // 2 * 2
    left = margin if place == "left" else layout.width_px - margin - width
    return _overlay(np.asarray(small[..., :3], np.uint8), cover, top=margin, left=left // 2 * 2)


def lower_third(lines: Sequence[str], layout: Layout) -> Overlay:
    """One or two lines on a dark band at the left.

    Raises:
        SceneError: a line is wider than the frame allows.
    """
    side = min(layout.width_px, layout.height_px)
    sizes = [max(12, round(side * share)) for share in (TITLE_SHARE, LINE_SHARE)][: len(lines)]
    pad = sizes[0] // 2
    width = (max(_across(text, size) for text, size in zip(lines, sizes, strict=True)) + 3 * pad) // 2 * 2
    margin = round(side * MARGIN) // 2 * 2
    if width > layout.width_px - 2 * margin:
        raise SceneError("The lower third is wider than the frame.")
    height = (sum(size + size // 3 for size in sizes) + pad) // 2 * 2
    picture = np.full((height, width, 3), BAND, np.uint8)
    ink = np.zeros_like(picture)
    at = pad // 2
    for text, size in zip(lines, sizes, strict=True):
        at += size
        for canvas in (picture, ink):
            cv2.putText(canvas, text, (pad, at), (255, 255, 255), cv2.FontFace(FONT), size, 500)
        at += size // 3
    cover = np.maximum(np.float32(BAND_COVER), ink[..., 0].astype(np.float32) / 255)
    top = round(layout.height_px * (1 - THIRD_FLOOR) - height) // 2 * 2
    return _overlay(picture, cover, top=top, left=margin)


def _overlay(picture: Image, cover: npt.ArrayLike, *, top: int, left: int) -> Overlay:
    whole = np.asarray(cover, np.float32)
    half = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return Overlay(top, left, to_planes(np.ascontiguousarray(picture)), whole, np.asarray(half, np.float32))


def _mixed(
    below: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], cover: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    return np.asarray(below + (above.astype(np.float32) - below) * cover + 0.5, np.uint8)


def _across(text: str, size: int) -> int:
    probe = np.zeros((size * 2, 8, 3), np.uint8)
    end, _ = cv2.putText(probe, text, (0, size), (255, 255, 255), cv2.FontFace(FONT), size, 500)
    return int(end[0])


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything about how a video looks; ``background``: (h, w, 3) uint8 BGR, or None for the colour."""

    layout: Layout
    background: Image | None = None
    overlays: tuple[Overlay, ...] = ()
    subtitles: bool = True


Pictures = Callable[[str], npt.NDArray[np.uint8]]
"""SHA-256 -> picture, (h, w, 3 or 4) uint8."""


def scene_of(filled: Filled, *, pictures: Pictures, layout: Layout | None = None) -> Scene:
    """What a filled template looks like; ``layout``: drawn at another size than the template's.

    Raises:
        SceneError: a picture or a text does not go into the frame.
    """
    template = filled.template
    frame = template.layout if layout is None else layout
    front = []
    if lines := lines_of(filled):
        front.append(lower_third(lines, frame))
    if filled.logo:
        front.append(logo(pictures(filled.logo), frame, place=template.logo_place))
    behind = np.ascontiguousarray(pictures(filled.background)[..., :3]) if filled.background else None
    return Scene(frame, behind, tuple(front), template.subtitles)
