"""What a presenter does where a script has a bookmark ``gesture.*``: a nod, a tilt of the head, raised brows.

A gesture may stand several times in a script under names of its own: ``gesture.nod``, ``gesture.nod.2``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
PREFIX = "gesture."


class Gesture(StrEnum):
    """The gestures that the puppet knows."""

    NOD = "nod"
    TILT = "tilt"
    BROWS = "brows"


NAMES = tuple(PREFIX + each for each in Gesture)
NOD_PX, NOD_S, AGAIN = 14.0, 0.36, 0.55  # of a picture 1080 lines tall; one beat; how deep the second is
TILT_DEG, TILT_S = 2.0, 1.6
BROWS_S = 0.9
EASE_S = 0.3
EARLIEST_S = 0.25
"""Of a sentence: before it the sentence's own motion has only begun to fade in."""


@dataclass(frozen=True, slots=True)
class Gestured:
    """By frame: ``roll_deg``, ``down_px`` of a 1080-line picture, ``brow`` 0 to 1."""

    roll_deg: Floats
    down_px: Floats
    brow: Floats


def known(name: str) -> Gesture | None:
    """The gesture that a bookmark asks for; None for another bookmark and for a gesture nobody knows."""
    kind = name.removeprefix(PREFIX).partition(".")[0]
    return Gesture(kind) if name.startswith(PREFIX) and kind in set(Gesture) else None


def is_unknown(name: str) -> bool:
    """Whether a bookmark asks for a gesture that nobody knows."""
    return name.startswith(PREFIX) and known(name) is None


def gestured(marks: Mapping[str, float], *, fps: float, frames: int) -> Gestured:
    """The movements of a sentence's bookmarks; those that run into its end are cut by its fading."""
    time = np.arange(frames) / fps
    roll, down, brow = (np.zeros(frames) for _ in range(3))
    for name, at_s in sorted(marks.items(), key=lambda each: each[1]):
        since = time - max(at_s, EARLIEST_S)
        match known(name):
            case Gesture.NOD:
                beat = np.floor(since / NOD_S)
                depth = np.where(beat == 0, 1.0, np.where(beat == 1, AGAIN, 0.0))
                down += NOD_PX * depth * np.sin(np.pi * since / NOD_S) ** 2
            case Gesture.TILT:
                roll += TILT_DEG * _held(since, TILT_S)
            case Gesture.BROWS:
                brow = np.maximum(brow, _held(since, BROWS_S))
            case None:
                pass
    return Gestured(roll, down, brow)


def _held(since: Floats, length_s: float) -> Floats:
    """0 to 1 and back, eased at both ends."""
    part = np.clip(np.minimum(since, length_s - since) / EASE_S, 0, 1)
    return np.asarray(part * part * (3 - 2 * part))
