"""Join two pictures without a seam: a Laplacian pyramid whose low levels are mixed widely."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def multiband(front: Floats, back: Floats, mask: Floats, *, levels: int) -> Floats:
    """(h, w, 3) float32: front where the (h, w) mask is 1 (Burt and Adelson 1983)."""
    difference = _minus(front, back)
    masks, bands = [mask], [difference]
    for _ in range(levels):
        masks.append(cv2.pyrDown(masks[-1]).astype(np.float32, copy=False))
        bands.append(cv2.pyrDown(bands[-1]).astype(np.float32, copy=False))
    # The pyramid is linear: blending front and back is adding the masked pyramid of their difference to back.
    mixed = times(bands[-1], masks[-1])
    for level in range(levels - 1, -1, -1):
        size = bands[level].shape[1::-1]
        fine = _minus(bands[level], np.asarray(cv2.pyrUp(bands[level + 1], dstsize=size), np.float32))
        mixed = cv2.add(cv2.pyrUp(mixed, dstsize=size), times(fine, masks[level])).astype(
            np.float32, copy=False
        )
    return cv2.add(back, mixed).astype(np.float32, copy=False)


def mix(front: Floats, back: Floats, mask: Floats) -> Floats:
    """(h, w, 3) float32: front where the (h, w) mask is 1."""
    return cv2.add(back, times(_minus(front, back), mask)).astype(np.float32, copy=False)


def times(picture: Floats, mask: Floats) -> Floats:
    """(h, w, 3) float32: the picture multiplied by a (h, w) mask."""
    return cv2.multiply(picture, cv2.merge([mask, mask, mask])).astype(np.float32, copy=False)


def _minus(a: Floats, b: Floats) -> Floats:
    return cv2.subtract(a, b).astype(np.float32, copy=False)
