"""How much a mark shows and costs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.metrics import structural_similarity

Image = np.ndarray


@dataclass(frozen=True)
class Quality:
    """Of a marked picture beside the unmarked, on the screen."""

    psnr: float
    """Of luma, decibels; a mark in colour hardly shows here."""
    psnr_colour: float
    """Of B, G and R."""
    ssim: float
    """Of luma."""
    flat_p95: float
    """rms of the luma change, levels, in windows of 9 x 9 over the flattest 40 % of the picture."""
    flat_p99: float


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Decibels of 8-bit levels."""
    error = float(np.mean(np.square(one.astype(np.float32) - other)))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def quality(clean: Image, marked: Image) -> Quality:
    """Compare (h, w, 3) BGR."""
    before, after = (cv2.cvtColor(f, cv2.COLOR_BGR2GRAY) for f in (clean, marked))
    level = before.astype(np.float32)
    mean = cv2.blur(level, (9, 9))
    deviation = np.sqrt(np.maximum(cv2.blur(level * level, (9, 9)) - mean * mean, 0))
    change = after.astype(np.float32) - level
    rms = np.sqrt(cv2.blur(change * change, (9, 9)))[deviation <= np.percentile(deviation, 40)]
    p95, p99 = np.percentile(rms, [95, 99])
    similar = float(structural_similarity(before, after))
    return Quality(psnr(before, after), psnr(clean, marked), similar, float(p95), float(p99))
