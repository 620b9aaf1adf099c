"""A picture of a portrait for the people who review it: the face's box and the reasons; nothing biometric."""

from __future__ import annotations

import cv2
import numpy as np

from generation.engine.faces.portrait import PortraitReport
from generation.engine.types import Image

_LONG_SIDE = 960
_GOOD, _BAD, _WARN = (96, 168, 60), (60, 60, 214), (40, 150, 220)
_INK, _PAPER = (34, 34, 34), (248, 248, 248)
_LINE_PX = 26


def preview(image: Image, report: PortraitReport) -> Image:
    """The portrait with its face boxes, and below it what was found."""
    scale = min(1.0, _LONG_SIDE / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    colour = _GOOD if report.accepted else _BAD
    for box in report.boxes:
        left, top, right, bottom = (round(float(value) * scale) for value in box)
        cv2.rectangle(picture, (left, top), (right, bottom), colour, 2, cv2.LINE_AA)
    return np.vstack([picture, _notes(report, size[0])])


def _notes(report: PortraitReport, width: int) -> Image:
    lines = [(finding.message, _BAD) for finding in report.failures]
    lines += [(finding.message, _WARN) for finding in report.warnings]
    if report.accepted:
        lines.insert(0, ("The portrait can be used.", _GOOD))
    wrapped = [(part, colour) for text, colour in lines for part in _wrap(text, width - 40)]
    notes = np.full((_LINE_PX * len(wrapped) + 16, width, 3), _PAPER, np.uint8)
    for row, (text, colour) in enumerate(wrapped):
        base = _LINE_PX * row + 26
        cv2.circle(notes, (14, base - 5), 5, colour, -1, cv2.LINE_AA)
        cv2.putText(notes, text, (30, base), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _INK, 1, cv2.LINE_AA)
    return notes


def _wrap(text: str, width: int) -> list[str]:
    """Lines that fit."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and cv2.getTextSize(longer, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0] > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
