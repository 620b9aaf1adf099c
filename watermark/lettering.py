"""Text as ink: drawn by the font inside OpenCV 5, measured as drawn, broken into lines where it is wide.

No font file is read: not from the machine, not from the package.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import cv2
import numpy as np
import numpy.typing as npt

from watermark.errors import LabelTextError
from watermark.icons import LETTERS, badge

SEPARATOR = " · "
PADDING = 0.30  # of the font size
LEADING = 0.35  # between two lines, of the font size
GAP = 0.30  # between icon and word, of the font size
WEIGHT = 600
LINES_MAX = 3
_FONT = "uni"  # inside OpenCV 5: draws Chinese with no font file on the machine

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8."""
Ink = npt.NDArray[np.float32]
"""(even, even) float32, 0..1."""


def check_glyphs(text: str) -> str:
    """The text itself, when the font has every glyph of it.

    Raises:
        LabelTextError: a glyph would come out empty or as a replacement box; it is never drawn.
    """
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


def font_px(text: str, ink_px: int) -> int:
    """The smallest font size at which every letter and ideograph is at least so tall."""
    size_px = ink_px
    while (ink := glyph_ink_px(text, size_px)) < ink_px:
        size_px += max(1, (ink_px - ink) // 2)
    return size_px


def words(text: str, size_px: int, *, icon: bool) -> tuple[Ink, ...]:
    """The text with its padding in one line, in two, in three: each narrower than the one before."""
    found: list[Ink] = []
    for lines in _breaks(text):
        word = _word(lines, size_px, icon=icon)
        if not found or word.shape[1] < found[-1].shape[1]:
            found.append(word)
    return tuple(found)


@cache
def _glyph(glyph: str, size_px: int) -> Plane:
    canvas = np.zeros((3 * size_px, 3 * size_px), np.uint8)
    cv2.putText(canvas, glyph, (size_px, 2 * size_px), (255,), cv2.FontFace(_FONT), size_px, WEIGHT)
    return canvas


def _breaks(text: str) -> Iterator[list[str]]:
    """The text in lines: cut between its parts, else at a space, else in the middle."""
    yield [text]
    parts = text.split(SEPARATOR)
    if len(parts) == 1:
        yield _halves(text)
        return
    for count in range(2, min(LINES_MAX, len(parts)) + 1):
        cuts = combinations(range(1, len(parts)), count - 1)
        options = [
            [SEPARATOR.join(parts[a:b]) for a, b in zip((0, *cut), (*cut, len(parts)), strict=True)]
            for cut in cuts
        ]
        yield min(options, key=lambda lines: max(map(_length, lines)))


def _length(line: str) -> float:
    """About how long a line is drawn: an ideograph is twice as wide as a letter."""
    return sum(1.0 if ord(glyph) > 0x2E80 else 0.55 for glyph in line)


def _halves(text: str) -> list[str]:
    cuts = [at for at, glyph in enumerate(text) if glyph == " "] or list(range(1, len(text)))
    if not cuts:
        return [text]
    cut = min(cuts, key=lambda at: abs(2 * at - len(text)))
    return [text[:cut], text[cut:].lstrip()]


def _line(text: str, size_px: int) -> Plane:
    """One line, cut to its ink sideways, of one height for any text of that size."""
    canvas = np.zeros((2 * size_px, 2 * size_px * (len(text) + 1)), np.uint8)
    cv2.putText(canvas, text, (size_px, 3 * size_px // 2), (255,), cv2.FontFace(_FONT), size_px, WEIGHT)
    columns = np.nonzero(canvas.any(axis=0))[0]
    return canvas[:, columns[0] : columns[-1] + 1]


def _icon_line(text: str, size_px: int) -> Plane:
    """A line whose leading AI is the icon."""
    icon = badge(_line(LETTERS, size_px), size_px)
    rest = text.removeprefix(LETTERS).strip()
    if not rest:
        return icon
    gap = np.zeros((icon.shape[0], round(size_px * GAP)), np.uint8)
    return np.hstack([icon, gap, _line(rest, size_px)])


def _word(lines: list[str], size_px: int, *, icon: bool) -> Ink:
    drawn = [
        _icon_line(line, size_px) if icon and at == 0 else _line(line, size_px)
        for at, line in enumerate(lines)
    ]
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
