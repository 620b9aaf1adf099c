"""Which box of this frame is which box of the last one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generation.engine.types import Points

_IOU_FLOOR = 0.2
_NEAR = 0.4


def overlap(a: Points, b: Points) -> float:
    """Intersection over union of two boxes x1 y1 x2 y2."""
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(size, 0)))
    joined = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared
    return shared / joined if joined > 0 else 0.0


def match(old: Sequence[Points], new: Sequence[Points]) -> dict[int, int]:
    """Index of the old box -> index of the new one, the best pairs first; both sides at most once.

    Two boxes belong together when they overlap by a fifth, or when their centres lie within .4 of the new
    box's width.
    """
    pairs = [(_affinity(a, b), i, j) for i, a in enumerate(old) for j, b in enumerate(new)]
    found: dict[int, int] = {}
    for affinity, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if affinity > 0 and i not in found and j not in found.values():
            found[i] = j
    return found


def _affinity(a: Points, b: Points) -> float:
    iou = overlap(a, b)
    if iou >= _IOU_FLOOR:
        return iou
    width = max(float(b[2] - b[0]), 1e-6)
    distance = float(np.linalg.norm((a[:2] + a[2:] - b[:2] - b[2:]) / 2))
    return _IOU_FLOOR * (1 - distance / (_NEAR * width)) if distance < _NEAR * width else 0.0
