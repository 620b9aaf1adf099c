"""The last look at a clip without a background: what is seen of it, whatever stands behind it.

Reading the marks back looks at the colours alone, as decoders that know no cover do. Here the cover is read
too: a label that is drawn, but transparent, would be in the file and on no screen.
"""

from __future__ import annotations

from pathlib import Path

from generation.engine.media.alpha import frame_at, over
from generation.engine.media.colour import from_planes
from generation.engine.types import Image
from watermark.errors import VisibleLabelLostError
from watermark.readback import BEFORE_END_S
from watermark.visible import SEEN_MIN, Label

BLACK, WHITE = 16, 235
BACKING = 180
"""Luma behind a small picture of the clip, for pages that show a JPEG."""


def check_label(path: Path, label: Label, *, duration_s: float, until_s: float = 0.0) -> tuple[float, ...]:
    """How well the label is seen on the first, middle and last frame that must show it, at worst.

    Over white and over black, -1..1. ``until_s``: when the label ends; 0 is at the end of the clip.

    Raises:
        VisibleLabelLostError: one of them does not show it over one of the two.
        UnreadableMediaError: it cannot be decoded, or has no cover.
    """
    end_s = max(0.0, min(duration_s, until_s or duration_s) - BEFORE_END_S)
    frames = [frame_at(path, time_s) for time_s in (0.0, end_s / 2, end_s)]
    seen = tuple(min(label.check(over(frame, luma=level).y) for level in (BLACK, WHITE)) for frame in frames)
    if min(seen) < SEEN_MIN:
        raise VisibleLabelLostError(f"The label of {path.name} shows at only {min(seen):.2f} of {SEEN_MIN}.")
    return seen


def picture_at(path: Path, time_s: float) -> Image:
    """(h, w, 3) uint8 BGR: the clip over plain grey, as of a second.

    Raises:
        UnreadableMediaError: it cannot be decoded, or has no cover.
    """
    return from_planes(over(frame_at(path, time_s), luma=BACKING))
