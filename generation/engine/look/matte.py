"""A person cut out of a still picture: segmentation, refined at the picture's own edges, without a halo.

Guided filter: He, Sun and Tang 2013. Foreground colour: blur fusion, Forte 2021 (arXiv 2011.09894 treats the
same problem with a network; the closed form is enough for one still).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.errors import ContractMismatchError, ModelOutputError
from generation.engine.types import Image
from generation.engine.weights.check import verified_path
from generation.engine.weights.registry import Entry

SIDE = 256
GUIDE, SMOOTHNESS = 17, 1e-4
LOW, SPAN = 0.12, 0.76  # what the network is sure of on either side
WIDE, CLOSE = 90, 6
"""Sides of the means of both passes, for a picture 1080 lines tall."""
SHRUNK = 4  # the wide means are smooth: they are taken at a quarter of the size

Alpha = npt.NDArray[np.float32]
"""(h, w) float32, 0 background to 1 person."""


class Matting:
    """The segmentation network; for one thread."""

    def __init__(self, entry: Entry, *, weights_dir: Path) -> None:
        path = verified_path(entry, weights_dir=weights_dir)
        try:
            self._net = cv2.dnn.readNetFromTFLite(str(path))
        except cv2.error as error:
            raise ContractMismatchError(f"selfie: the file does not load: {error}") from None

    def alpha(self, picture: Image) -> Alpha:
        """Where the person is.

        Raises:
            ModelOutputError: the network gave no numbers.
        """
        height, width = picture.shape[:2]
        self._net.setInput(cv2.dnn.blobFromImage(picture, 1 / 255.0, (SIDE, SIDE), swapRB=True))
        coarse = np.asarray(self._net.forward(), np.float32).reshape(SIDE, SIDE)
        if not np.isfinite(coarse).all():
            raise ModelOutputError("selfie: a matte that is no numbers.")
        large = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
        refined = guided(picture, large)
        sure = np.clip((refined - LOW) / SPAN, 0, 1).astype(np.float32)
        return np.asarray(cv2.erode(sure, np.ones((3, 3), np.uint8)), np.float32)


def guided(picture: Image, rough: Alpha) -> Alpha:
    """A rough matte drawn to the picture's own edges; beyond 0 and 1 by a little (He, Sun and Tang 2013)."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32) / np.float32(255)
    box = (GUIDE, GUIDE)
    mean, rough_mean = cv2.blur(grey, box), cv2.blur(rough, box)
    slope = (cv2.blur(grey * rough, box) - mean * rough_mean) / (
        cv2.blur(grey * grey, box) - mean * mean + SMOOTHNESS
    )
    return np.asarray(cv2.blur(slope, box) * grey + cv2.blur(rough_mean - slope * mean, box), np.float32)


def foreground(picture: Image, alpha: Alpha) -> Image:
    """(h, w, 3) uint8: the person's own colours, also where the old background shines through the edge.

    Without it a bright rim of the old background stands round the head on a new one.
    """
    height, width = alpha.shape
    less = max(1, width // SHRUNK), max(1, height // SHRUNK)
    small = cv2.resize(picture, less, interpolation=cv2.INTER_AREA).astype(np.float32)
    cover = np.asarray(cv2.resize(alpha, less, interpolation=cv2.INTER_AREA), np.float32)
    front, back = _fused(small, cover, small, small, _box(WIDE / SHRUNK, height))
    front, back = (np.asarray(cv2.resize(each, (width, height)), np.float32) for each in (front, back))
    front, _ = _fused(picture.astype(np.float32), alpha, front, back, _box(CLOSE, height))
    return np.asarray(np.clip(front + 0.5, 0, 255), np.uint8)


def _box(side: float, lines: int) -> tuple[int, int]:
    odd = max(3, round(side * lines / 1080) | 1)
    return odd, odd


def _fused(
    whole: npt.NDArray[np.float32],
    alpha: Alpha,
    front: npt.NDArray[np.float32],
    back: npt.NDArray[np.float32],
    box: tuple[int, int],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    own, other = alpha[..., None], 1 - alpha[..., None]
    near = cv2.blur(alpha, box)[..., None]
    front_mean = cv2.blur(front * own, box) / (near + 1e-5)
    back_mean = cv2.blur(back * other, box) / (1 - near + 1e-5)
    left = whole - own * front_mean - other * back_mean
    return np.clip(front_mean + own * left, 0, 255).astype(np.float32), np.asarray(back_mean, np.float32)
