"""Where a label stands for a whole clip, and in which tone: never over a face, readable on what lies beneath.

- One choice per clip. A label that jumps from frame to frame is no continuous label.
- Top right first: the EU's code of practice suggests it, and players keep their controls at the bottom.
- Faces decide, not taste: a place that a face touches on a sampled frame, or on its way between two, is out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np

from watermark.errors import LabelPlacementError
from watermark.visible import BLACK, OPACITY, WHITE, Look, Place, Plane, Tone, corner_of, options

ORDER = (
    Place.TOP_RIGHT,
    Place.TOP_LEFT,
    Place.BOTTOM_RIGHT,
    Place.BOTTOM_LEFT,
    Place.TOP,
    Place.BOTTOM,
)
"""Lawful places, the preferred one first."""
ABOVE, BESIDE, BELOW = 0.40, 0.25, 0.10
"""Room around a face, of its box's sides: a detector's box ends at brow and chin, the hair does not."""
ROOM = (1.0, 0.5, 0.0)
"""How much of that room is asked for; close-ups leave less. The box itself is never covered."""
SAME_FACE = 1.5  # between two sampled frames a face moves less than so many of its own widths
SHADES = (2, 98)  # percentiles of the background that must be readable; single pixels do not matter
GAMMA = 2.4

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a face, in pixels of the output picture."""
Rectangle = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """The label of one output, the same on all of its frames.

    ``opening_s``: seconds for which it is shown from the start; 0 is the whole clip. ``contrast``: of the
    letters against their box, at its worst (WCAG 2, relative luminance), as measured when it was planned.
    """

    text: str
    icon: bool = False
    opening_s: float = 0.0
    place: str = Place.TOP_RIGHT
    tone: str = Tone.LIGHT_ON_DARK
    layout: int = 0
    contrast: float = 0.0

    @property
    def look(self) -> Look:
        """How it is drawn."""
        return Look(Place(self.place), Tone(self.tone), self.icon, self.layout)

    def shows(self, time_s: float) -> bool:
        """Whether the label is on the frame at this time of the clip."""
        return self.opening_s <= 0 or time_s < self.opening_s

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> LabelPlan:
        """What ``dataclasses.asdict`` gave."""
        return cls(**record)


def place(
    text: str,
    *,
    icon: bool,
    opening_s: float,
    lumas: Sequence[Plane],
    faces: Iterable[Sequence[Box]],
    order: Sequence[Place] = ORDER,
) -> LabelPlan:
    """The first lawful place that no face touches, and the tone that is read best there.

    A narrower layout at a better place goes before a wide one elsewhere.

    ``lumas``: (h, w) uint8 limited range, frames of the clip, at least one. ``faces``: for each frame that
    was looked at, in order of time, the boxes of all faces on it; empty where there was none.

    Raises:
        LabelPlacementError: a face touches every lawful place.
        LabelTextError, LabelSizeError: the text cannot be drawn at its lawful size.
    """
    height, width = lumas[0].shape
    _, words = options(width, height, text, icon=icon)
    frames = [list(boxes) for boxes in faces]
    for room in ROOM:
        taken = swept(frames, room=room)
        for at, (layout, word) in product(order, enumerate(words, start=1)):
            left, top = corner_of(at, word.shape, width=width, height=height)
            area = (left, top, word.shape[1], word.shape[0])
            if not any(_touches(area, box) for box in taken):
                tone, ratio = tone_for(area, lumas)
                return LabelPlan(text, icon, opening_s, str(at), str(tone), layout, round(ratio, 2))
    raise LabelPlacementError(
        f"Faces cover every place of the label {text!r} on a picture of {width} x {height}."
    )


def swept(faces: Iterable[Sequence[Box]], *, room: float) -> tuple[Box, ...]:
    """All that faces cover: each box with some room, and its way to the same face on the next frame."""
    frames = [[_with_room(box, room) for box in boxes] for boxes in faces]
    covered = [box for boxes in frames for box in boxes]
    for before, after in pairwise(frames):
        for box in before:
            near = min(after, key=lambda other: _distance(box, other), default=None)
            if near is not None and _distance(box, near) <= SAME_FACE * (box[2] - box[0]):
                covered.append(_hull(box, near))
    return tuple(covered)


def tone_for(area: Rectangle, lumas: Sequence[Plane]) -> tuple[Tone, float]:
    """The tone with the better contrast over all frames, and that contrast at its worst, 1..21."""
    left, top, wide, tall = area
    parts = [luma[top : top + tall, left : left + wide] for luma in lumas]
    levels = [float(level) for level in np.percentile(np.stack(parts), SHADES)]
    rated = {tone: min(contrast(tone, level) for level in levels) for tone in Tone}
    best = max(Tone, key=lambda tone: rated[tone])  # on a tie the first, white on dark
    return best, rated[best]


def contrast(tone: Tone, background: float) -> float:
    """Contrast of letters against their box on a background of this luma, 16..235 (WCAG 2.2, 1.4.3)."""
    ink, ground = (WHITE, BLACK) if tone is Tone.LIGHT_ON_DARK else (BLACK, WHITE)
    box = ground * OPACITY + background * (1 - OPACITY)
    brighter, darker = sorted((_luminance(ink), _luminance(box)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(luma: float) -> float:
    """Light of a grey of limited-range luma, 0..1 (Rec. ITU-R BT.1886)."""
    return float(min(max((luma - BLACK) / (WHITE - BLACK), 0.0), 1.0) ** GAMMA)


def _with_room(box: Box, room: float) -> Box:
    x0, y0, x1, y1 = box
    across, down = (x1 - x0) * room, (y1 - y0) * room
    return x0 - across * BESIDE, y0 - down * ABOVE, x1 + across * BESIDE, y1 + down * BELOW


def _hull(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _distance(a: Box, b: Box) -> float:
    return math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2)


def _touches(area: Rectangle, box: Box) -> bool:
    left, top, wide, tall = area
    return box[0] < left + wide and box[2] > left and box[1] < top + tall and box[3] > top
