"""Turning and padding of pixels."""

from __future__ import annotations

import cv2
import numpy as np

from generation.engine.types import Image


def turn(picture: Image, orientation: int) -> Image:
    """The picture as a viewer shows it; ``orientation`` is EXIF's, 1 to 8 (CIPA DC-008, 4.6.4)."""
    if orientation in (5, 6, 7, 8):
        picture = np.asarray(cv2.transpose(picture), dtype=np.uint8)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    if flip is None:
        return picture
    return np.asarray(cv2.flip(picture, flip), dtype=np.uint8)


def pad_even(picture: Image) -> Image:
    """The picture with its last column or row repeated where width or height is odd."""
    height, width = picture.shape[:2]
    if not (height % 2 or width % 2):
        return picture
    padded = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.asarray(padded, dtype=np.uint8)
