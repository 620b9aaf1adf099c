"""The visible label: sized by the ink of its glyphs, drawn once a clip, blended into 4:2:0 planes in place.

GB 45438-2025, as quoted in public validators (counsel must check the original): 5.2 the text names AI or
人工智能, and 生成 or 合成; 5.4 glyphs are at least 5 % of the shortest side tall.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from watermark.errors import LabelSizeError, LabelTextError, UnsupportedFrameError

DEFAULT_TEXT = "AI生成 · AI GENERATED"
"""Capitals: lower-case letters are the smallest glyphs and would drive the whole label up."""
SEPARATOR = " · "
GLYPH_SHARE = 0.05
WIDTH_SHARE = 0.60  # a wider label is broken into two lines
MARGIN_SHARE = 0.02
OPACITY = 0.55
PADDING = 0.30  # of the font size
LEADING = 0.35  # between two lines, of the font size
WEIGHT = 600
SEEN_MIN = 0.9
"""Correlation below which the label counts as lost."""

_FONT = "uni"  # inside OpenCV 5: draws Chinese with no font file on the machine
_WHITE, _BLACK = 235, 16
_BRIGHTEST_BOX = round(_BLACK * OPACITY + _WHITE * (1 - OPACITY)) + 8  # what is brighter is text

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8."""


def check_text(text: str) -> str:
    """The text itself, when it says what GB 45438-2025, 5.2 asks for and the font has every glyph.

    Raises:
        LabelTextError: an element is missing, or a glyph would come out as a replacement box.
    """
    if "AI" not in text and "人工智能" not in text:
        raise LabelTextError(f"The label {text!r} names neither AI nor 人工智能.")
    if "生成" not in text and "合成" not in text:
        raise LabelTextError(f"The label {text!r} names neither 生成 nor 合成.")
    replacement = _glyph("\U0010fffd", 48)
    for glyph in text:
        if glyph == " ":
            continue
        drawn = _glyph(glyph, 48)
        if not drawn.any() or np.array_equal(drawn, replacement):
            raise LabelTextError(f"The built-in font cannot draw U+{ord(glyph):04X} of the label {text!r}.")
    return text


def glyph_ink_px(text: str, size_px: int) -> int:
    """Height of the smallest letter or ideograph as it is drawn at a font size, in pixels."""
    heights = []
    for glyph in {g for g in text if g.isalnum()}:
        rows = np.nonzero((_glyph(glyph, size_px) > 127).any(axis=1))[0]
        heights.append(int(rows[-1] - rows[0] + 1) if len(rows) else 0)
    return min(heights, default=0)


class Label:
    """One label for all frames of one size.

    Raises:
        LabelTextError: the text breaks the rule or cannot be drawn.
        LabelSizeError: at its lawful size it does not fit the picture.
    """

    def __init__(self, width: int, height: int, text: str = DEFAULT_TEXT) -> None:
        check_text(text)
        self.text = text
        self._shape = (height, width)
        short = min(width, height)
        self.font_px = _font_px(text, math.ceil(short * GLYPH_SHARE))
        margin = max(2, int(short * MARGIN_SHARE) // 2 * 2)
        word = _word([text], self.font_px)
        if word.shape[1] > width * WIDTH_SHARE:
            word = _word(_two_lines(text), self.font_px)
        box_height, box_width = word.shape
        if box_width > width - 2 * margin or box_height > height - 2 * margin:
            raise LabelSizeError(
                f"The label {text!r} takes {box_width} x {box_height} px of a picture of {width} x {height}."
            )
        self.top, self.left = margin, (width - box_width - margin) // 2 * 2
        box = _box(word.shape, int(self.font_px * PADDING)) * OPACITY
        keep = (1 - box) * (1 - word)
        self._keep, self._add = _octets(keep, _BLACK * box * (1 - word) + _WHITE * word)
        half = cv2.resize(keep, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        self._keep_chroma, self._add_chroma = _octets(half, 128 * (1 - half))
        self._shown = np.maximum(self._add + 128 * keep, _BRIGHTEST_BOX).astype(np.float32)

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

    def check(self, y: Plane) -> float:
        """How well a decoded luma plane shows the label, -1..1; below ``SEEN_MIN`` it is lost.

        Normalised correlation with the rendered label. What shines through the box is never as bright as the
        text, so all below that level counts as equal and the background has no say.
        """
        if y.shape != self._shape:
            raise UnsupportedFrameError(f"A plane of {y.shape} does not fit a label for {self._shape}.")
        height, width = self._keep.shape
        part = y[self.top : self.top + height, self.left : self.left + width]
        seen = np.maximum(part, _BRIGHTEST_BOX).astype(np.float32)
        a, b = seen - seen.mean(), self._shown - self._shown.mean()
        return float((a * b).sum() / math.sqrt(float((a * a).sum() * (b * b).sum()) + 1e-9))


# ---- drawing ------------------------------------------------------------------------------------


@cache
def _glyph(glyph: str, size_px: int) -> Plane:
    canvas = np.zeros((3 * size_px, 3 * size_px), np.uint8)
    cv2.putText(canvas, glyph, (size_px, 2 * size_px), (255,), cv2.FontFace(_FONT), size_px, WEIGHT)
    return canvas


def _font_px(text: str, ink_px: int) -> int:
    size_px = ink_px
    while (ink := glyph_ink_px(text, size_px)) < ink_px:
        size_px += max(1, (ink_px - ink) // 2)
    return size_px


def _two_lines(text: str) -> list[str]:
    if SEPARATOR in text:
        first, second = text.split(SEPARATOR, 1)
        return [first, second]
    cuts = [at for at, glyph in enumerate(text) if glyph == " "] or list(range(1, len(text)))
    cut = min(cuts, key=lambda at: abs(2 * at - len(text)))
    return [text[:cut], text[cut:].lstrip()]


def _line(text: str, size_px: int) -> Plane:
    """One line, cut to its ink sideways, of one height for any text of that size."""
    canvas = np.zeros((2 * size_px, 2 * size_px * (len(text) + 1)), np.uint8)
    cv2.putText(canvas, text, (size_px, 3 * size_px // 2), (255,), cv2.FontFace(_FONT), size_px, WEIGHT)
    columns = np.nonzero(canvas.any(axis=0))[0]
    return canvas[:, columns[0] : columns[-1] + 1]


def _word(lines: list[str], size_px: int) -> npt.NDArray[np.float32]:
    """(even, even) 0..1: the text, centred, with its padding."""
    drawn = [_line(line, size_px) for line in lines]
    wide = max(line.shape[1] for line in drawn)
    step = round(size_px * (1 + LEADING))
    canvas = np.zeros((2 * size_px + step * (len(drawn) - 1), wide), np.uint8)
    for at, line in enumerate(drawn):
        left = (wide - line.shape[1]) // 2
        part = canvas[at * step : at * step + line.shape[0], left : left + line.shape[1]]
        np.maximum(part, line, out=part)
    rows = np.nonzero(canvas.any(axis=1))[0]
    ink = canvas[rows[0] : rows[-1] + 1]
    pad = int(size_px * PADDING)
    bottom, right = pad + ink.shape[0] % 2, pad + ink.shape[1] % 2
    return np.asarray(np.pad(ink, ((pad, bottom), (pad, right))) / 255, np.float32)


def _box(shape: tuple[int, ...], radius: int) -> npt.NDArray[np.float32]:
    """1 inside a rectangle with round corners."""
    height, width = shape
    canvas = np.zeros((height, width), np.uint8)
    cv2.rectangle(canvas, (radius, 0), (width - radius - 1, height - 1), (255,), -1)
    cv2.rectangle(canvas, (0, radius), (width - 1, height - radius - 1), (255,), -1)
    for x in (radius, width - radius - 1):
        for y in (radius, height - radius - 1):
            cv2.circle(canvas, (x, y), radius, (255,), -1, cv2.LINE_AA)
    return np.asarray(canvas / 255, np.float32)


def _octets(keep: npt.NDArray[Any], add: npt.NDArray[Any]) -> tuple[Plane, Plane]:
    """8-bit weights of the background and what is added: integer arithmetic is twice as fast here."""
    return np.round(keep * 255).astype(np.uint8), np.round(add).astype(np.uint8)


def _mix(plane: Plane, top: int, left: int, keep: Plane, add: Plane) -> None:
    part = plane[top : top + keep.shape[0], left : left + keep.shape[1]]
    part[:] = cv2.add(cv2.multiply(part, keep, scale=1 / 255), add)
