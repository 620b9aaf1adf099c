"""The EU's mark of generated content: the capital letters AI inside an icon.

Code of practice on marking and labelling of AI-generated content, June 2026, as secondary sources report it
(counsel must check the original): an icon with a capital "AI", top right, at first exposure, after breaks.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

LETTERS = "AI"
PAD = 0.20  # around the letters, of the font size
CORNER = 0.20  # radius, of the font size
FINER = 4  # drawn so many times larger, then shrunk: smooth edges without a font's help

Plane = npt.NDArray[np.uint8]
"""(h, w) uint8."""


def badge(letters: Plane, size_px: int) -> Plane:
    """A filled icon with the letters cut out of it, as tall as the canvas that they were drawn on.

    ``letters``: (h, w) uint8, 0..255, the drawn letters, cut to their ink sideways.
    """
    rows = np.nonzero(letters.any(axis=1))[0]
    pad = round(size_px * PAD)
    canvas = np.pad(letters, ((0, 0), (pad, pad)))
    top, bottom = max(0, int(rows[0]) - pad), min(canvas.shape[0], int(rows[-1]) + 1 + pad)
    body = np.zeros_like(canvas)
    body[top:bottom] = rounded((bottom - top, canvas.shape[1]), round(size_px * CORNER))
    return cv2.subtract(body, canvas).astype(np.uint8, copy=False)


def rounded(shape: tuple[int, ...], radius: int) -> Plane:
    """255 inside a rectangle with round corners, smooth at its edge."""
    height, width = shape[0] * FINER, shape[1] * FINER
    radius = max(1, min(radius * FINER, height // 2 - 1, width // 2 - 1))
    canvas = np.zeros((height, width), np.uint8)
    cv2.rectangle(canvas, (radius, 0), (width - radius - 1, height - 1), (255,), -1)
    cv2.rectangle(canvas, (0, radius), (width - 1, height - radius - 1), (255,), -1)
    for x in (radius, width - radius - 1):
        for y in (radius, height - radius - 1):
            cv2.circle(canvas, (x, y), radius, (255,), -1)
    small = cv2.resize(canvas, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)
