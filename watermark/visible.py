"""The visible label: sized by the ink of its glyphs, drawn once a clip, blended into 4:2:0 planes in place.

GB 45438-2025, as quoted in public validators (counsel must check the original): 5.2 the text names AI or
人工智能, and 生成 or 合成; 5.4 glyphs are at least 5 % of the shortest side tall, at a corner or an edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from watermark import lettering
from watermark.errors import LabelSizeError, LabelTextError, UnsupportedFrameError
from watermark.icons import LETTERS, rounded
from watermark.lettering import Ink, check_glyphs, glyph_ink_px

__all__ = ["Label", "Look", "Place", "Tone", "check_text", "glyph_ink_px"]

DEFAULT_TEXT = "AI生成 · AI GENERATED"
"""Capitals: lower-case letters are the smallest glyphs and would drive the whole label up."""
GLYPH_SHARE = 0.05
WIDTH_SHARE = 0.60  # a wider label is broken into lines
MARGIN_SHARE = 0.02
OPACITY = 0.55
SEEN_MIN = 0.9
"""Correlation below which the label counts as lost."""
WHITE, BLACK = 235, 16

_SLACK = 8  # what a codec does to a flat box
_BRIGHTEST_BOX = round(BLACK * OPACITY + WHITE * (1 - OPACITY)) + _SLACK  # what is brighter is light text
_DARKEST_BOX = round(WHITE * OPACITY + BLACK * (1 - OPACITY)) - _SLACK  # what is darker is dark text

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8."""


class Place(StrEnum):
    """Where a label may stand: the corners, and the middles of the upper and lower edge."""

    TOP_RIGHT = "top-right"
    TOP_LEFT = "top-left"
    BOTTOM_RIGHT = "bottom-right"
    BOTTOM_LEFT = "bottom-left"
    TOP = "top"
    BOTTOM = "bottom"


class Tone(StrEnum):
    """White letters on a dark box, or black letters on a light one."""

    LIGHT_ON_DARK = "light-on-dark"
    DARK_ON_LIGHT = "dark-on-light"


@dataclass(frozen=True, slots=True)
class Look:
    """How a label is drawn. ``layout``: 1 the widest that fits, 2 the next with more lines; 0 is 1."""

    place: Place = Place.TOP_RIGHT
    tone: Tone = Tone.LIGHT_ON_DARK
    icon: bool = False
    layout: int = 0


PLAIN = Look()


def check_text(text: str) -> str:
    """The text itself, when it says what GB 45438-2025, 5.2 asks for and the font has every glyph.

    Raises:
        LabelTextError: an element is missing, or a glyph would come out as a replacement box.
    """
    if "AI" not in text and "人工智能" not in text:
        raise LabelTextError(f"The label {text!r} names neither AI nor 人工智能.")
    if "生成" not in text and "合成" not in text:
        raise LabelTextError(f"The label {text!r} names neither 生成 nor 合成.")
    return check_glyphs(text)


def options(width: int, height: int, text: str, *, icon: bool = False) -> tuple[int, tuple[Ink, ...]]:
    """The font size and the ways to draw a label for pictures of a size, widest first.

    A layout over ``WIDTH_SHARE`` of the width is left out while a narrower one exists.

    Raises:
        LabelTextError: a glyph is missing, or an icon is asked for and the text does not begin with AI.
        LabelSizeError: at its lawful size the text does not fit the picture.
    """
    check_glyphs(text)
    if not text.strip() or (icon and not text.startswith(LETTERS)):
        raise LabelTextError(f"The label {text!r} is empty, or does not begin with the letters of its icon.")
    short, margin = min(width, height), margin_px(width, height)
    size_px = lettering.font_px(text, math.ceil(short * GLYPH_SHARE))
    drawn = lettering.words(text, size_px, icon=icon)
    narrow = [word for word in drawn if word.shape[1] <= width * WIDTH_SHARE] or [drawn[-1]]
    fit = [
        word
        for word in narrow
        if word.shape[1] <= width - 2 * margin and word.shape[0] <= height - 2 * margin
    ]
    if not fit:
        tall, wide = narrow[-1].shape
        raise LabelSizeError(
            f"The label {text!r} takes {wide} x {tall} px of a picture of {width} x {height}."
        )
    return size_px, tuple(fit)


def margin_px(width: int, height: int) -> int:
    """Distance of a label from the edge; even."""
    return max(2, int(min(width, height) * MARGIN_SHARE) // 2 * 2)


def corner_of(place: Place, box: tuple[int, ...], *, width: int, height: int) -> tuple[int, int]:
    """Left and top of a box of (height, width) at a place, both even."""
    margin, (tall, wide) = margin_px(width, height), box
    if place.value.endswith("left"):
        left = margin
    elif place.value.endswith("right"):
        left = (width - wide - margin) // 2 * 2
    else:
        left = (width - wide) // 4 * 2
    top = margin if place.value.startswith("top") else (height - tall - margin) // 2 * 2
    return left, top


class Label:
    """One label for all frames of one size.

    Raises:
        LabelTextError: the text cannot be drawn.
        LabelSizeError: at its lawful size it does not fit the picture.
    """

    def __init__(self, width: int, height: int, text: str = DEFAULT_TEXT, look: Look = PLAIN) -> None:
        self.text, self.look = text, look
        self._shape = (height, width)
        self.font_px, words = options(width, height, text, icon=look.icon)
        word = words[min(max(look.layout, 1), len(words)) - 1]
        self.left, self.top = corner_of(look.place, word.shape, width=width, height=height)
        light = look.tone is Tone.LIGHT_ON_DARK
        ink, ground = (WHITE, BLACK) if light else (BLACK, WHITE)
        self._bound = np.maximum if light else np.minimum
        self._level = _BRIGHTEST_BOX if light else _DARKEST_BOX
        box = rounded(word.shape, int(self.font_px * lettering.PADDING)) / np.float32(255) * OPACITY
        keep = (1 - box) * (1 - word)
        self._solid = np.asarray(box > 0, np.uint8) * np.uint8(255)
        self._keep, self._add = _octets(keep, ground * box * (1 - word) + ink * word)
        half = cv2.resize(keep, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        self._keep_chroma, self._add_chroma = _octets(half, 128 * (1 - half))
        self._shown = self._bound(self._add + 128 * keep, self._level).astype(np.float32)

    @property
    def rectangle(self) -> tuple[int, int, int, int]:
        """x, y, width, height of the label in pixels, all even."""
        return self.left, self.top, self._keep.shape[1], self._keep.shape[0]

    def blend(self, y: Plane, u: Plane, v: Plane) -> None:
        """Draw the label into limited-range 4:2:0 planes in place; only its rectangle is touched.

        ``y``: (h, w) uint8; ``u``, ``v``: (h/2, w/2) uint8.

        Raises:
            UnsupportedFrameError: the planes have another size than the label was made for.
        """
        height, width = self._shape
        half = ((height + 1) // 2, (width + 1) // 2)
        if y.shape != self._shape or u.shape != half or v.shape != half:
            raise UnsupportedFrameError(
                f"Planes of {y.shape} and {u.shape} are not those of a label for {self._shape}."
            )
        _mix(y, self.top, self.left, self._keep, self._add)
        for plane in (u, v):
            _mix(plane, self.top // 2, self.left // 2, self._keep_chroma, self._add_chroma)

    def cover(self, a: Plane) -> None:
        """Make the label opaque in the cover of a transparent picture, in place; (h, w) uint8, 255 opaque.

        Raises:
            UnsupportedFrameError: the plane has another size than the label was made for.
        """
        if a.shape != self._shape:
            raise UnsupportedFrameError(f"A cover of {a.shape} does not fit a label for {self._shape}.")
        part = a[self.top : self.top + self._solid.shape[0], self.left : self.left + self._solid.shape[1]]
        np.maximum(part, self._solid, out=part)

    def check(self, y: Plane) -> float:
        """How well a decoded luma plane shows the label, -1..1; below ``SEEN_MIN`` it is lost.

        Normalised correlation with the rendered label. What shines through the box never reaches the level of
        the text, so all on that side of it counts as equal and the background has no say.
        """
        if y.shape != self._shape:
            raise UnsupportedFrameError(f"A plane of {y.shape} does not fit a label for {self._shape}.")
        height, width = self._keep.shape
        part = y[self.top : self.top + height, self.left : self.left + width]
        seen = self._bound(part, self._level).astype(np.float32)
        a, b = seen - seen.mean(), self._shown - self._shown.mean()
        return float((a * b).sum() / math.sqrt(float((a * a).sum() * (b * b).sum()) + 1e-9))


def _octets(keep: npt.NDArray[Any], add: npt.NDArray[Any]) -> tuple[Plane, Plane]:
    """8-bit weights of the background and what is added: integer arithmetic is twice as fast here."""
    return np.round(keep * 255).astype(np.uint8), np.round(add).astype(np.uint8)


def _mix(plane: Plane, top: int, left: int, keep: Plane, add: Plane) -> None:
    part = plane[top : top + keep.shape[0], left : left + keep.shape[1]]
    part[:] = cv2.add(cv2.multiply(part, keep, scale=1 / 255), add)
