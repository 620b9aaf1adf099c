"""Text as pictures, for glyphs that no font of this machine has: OpenCV carries Chinese inside itself."""

from __future__ import annotations

import unicodedata

import cv2
import numpy as np
import numpy.typing as npt

FONT = "uni"
INK_PX = 48
"""Height of an em on the picture: four times what it is printed at, so that it stays sharp."""
LINE_PX = 64
BASE_PX = 50
WEIGHT = 400
GAP_PX = 16


def lines_of(text: str, *, ems: float) -> list[str]:
    """The text in lines of at most so many ems; Chinese breaks anywhere, Latin words stay whole."""
    lines, line, wide = [], "", 0.0
    for part in _parts(text):
        width = sum(_ems(glyph) for glyph in part)
        if line and wide + width > ems:
            lines.append(line.rstrip())
            line, wide, part = "", 0.0, part.lstrip()
        line, wide = line + part, wide + width
    return [*lines, line.rstrip()] if line.strip() else lines


def picture(line: str) -> bytes:
    """One line as a PNG with black ink on nothing, ``LINE_PX`` high."""
    face = cv2.FontFace(FONT)
    wide = round(INK_PX * sum(1.1 * _ems(glyph) for glyph in line)) + 2 * GAP_PX
    ink: npt.NDArray[np.uint8] = np.zeros((LINE_PX, wide), np.uint8)
    cv2.putText(ink, line, (GAP_PX, BASE_PX), (255,), face, INK_PX, WEIGHT)
    columns = np.nonzero(ink.any(axis=0))[0]
    right = int(columns[-1]) + 2 if columns.size else 1
    black = np.zeros((LINE_PX, right - GAP_PX if right > GAP_PX else 1, 4), np.uint8)
    black[:, :, 3] = ink[:, GAP_PX : GAP_PX + black.shape[1]]
    done, data = cv2.imencode(".png", black)
    assert done  # noqa: S101  a picture in memory can be encoded
    return bytes(data.tobytes())


def _parts(text: str) -> list[str]:
    """Pieces between which a line may break."""
    parts: list[str] = []
    for glyph in text:
        whole = parts and not parts[-1].endswith(" ") and _ems(glyph) < 1 and _ems(parts[-1][-1]) < 1
        closing = parts and unicodedata.category(glyph) in {"Pe", "Pf", "Po"}
        if parts and (whole or closing):
            parts[-1] += glyph
        else:
            parts.append(glyph)
    return parts


def _ems(glyph: str) -> float:
    return 1.0 if unicodedata.east_asian_width(glyph) in "WFA" else 0.6
