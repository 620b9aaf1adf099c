"""The thirty things that happen to a picture: BGR in, BGR out."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Image = np.ndarray
Attack = Callable[[Image], Image]


def resized(f: Image, k: float) -> Image:
    """Scaled as a player or a site does it."""
    return cv2.resize(f, None, fx=k, fy=k, interpolation=cv2.INTER_AREA if k < 1 else cv2.INTER_CUBIC)


def jpeg(f: Image, quality: int) -> Image:
    """Through a JPEG file."""
    return cv2.imdecode(cv2.imencode(".jpg", f, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def cropped(f: Image, area: float, ox: float = 0.37, oy: float = 0.61) -> Image:
    """A share of the area, cut from within."""
    h, w = f.shape[:2]
    ch, cw = int(h * area**0.5), int(w * area**0.5)
    y, x = int((h - ch) * oy), int((w - cw) * ox)
    return f[y : y + ch, x : x + cw].copy()


def rotated(f: Image, degrees: float) -> Image:
    """Turned about the centre; the corners turn black."""
    h, w = f.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    return cv2.warpAffine(f, turn, (w, h), flags=cv2.INTER_CUBIC)


def mirrored(f: Image) -> Image:
    """Left is right."""
    return np.ascontiguousarray(f[:, ::-1])


def brighter(f: Image, k: float) -> Image:
    """All levels times k."""
    return cv2.convertScaleAbs(f, alpha=k)


def _noise(f: Image, sigma: float) -> Image:
    return np.clip(f + np.random.default_rng(1).normal(0, sigma, f.shape), 0, 255).astype(np.uint8)


def _contrast(f: Image, k: float) -> Image:
    return np.clip((f.astype(np.float32) - 128) * k + 128, 0, 255).astype(np.uint8)


def _grey(f: Image) -> Image:
    return cv2.cvtColor(cv2.cvtColor(f, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)


def _overlay(f: Image, share: float = 0.25) -> Image:
    covered = f.copy()
    covered[int(len(f) * (1 - share)) :] = 20
    return covered


ATTACKS: dict[str, Attack] = {
    "none": lambda f: f,
    "JPEG 90": lambda f: jpeg(f, 90),
    "JPEG 70": lambda f: jpeg(f, 70),
    "JPEG 50": lambda f: jpeg(f, 50),
    "JPEG 30": lambda f: jpeg(f, 30),
    "resize 50 %": lambda f: resized(f, 0.5),
    "resize 75 %": lambda f: resized(f, 0.75),
    "resize 200 %": lambda f: resized(f, 2.0),
    "down 50 % and up": lambda f: resized(resized(f, 0.5), 2.0),
    "crop to 90 % area": lambda f: cropped(f, 0.9),
    "crop to 75 %": lambda f: cropped(f, 0.75),
    "crop to 50 %": lambda f: cropped(f, 0.5),
    "crop to 25 %": lambda f: cropped(f, 0.25),
    "crop to 75 %, scaled back": lambda f: cv2.resize(
        cropped(f, 0.75), f.shape[1::-1], interpolation=cv2.INTER_CUBIC
    ),
    "brightness 1.3": lambda f: brighter(f, 1.3),
    "brightness 0.7": lambda f: brighter(f, 0.7),
    "contrast 1.4": lambda f: _contrast(f, 1.4),
    "blur sigma 1": lambda f: cv2.GaussianBlur(f, (0, 0), 1),
    "blur sigma 2": lambda f: cv2.GaussianBlur(f, (0, 0), 2),
    "median 3": lambda f: cv2.medianBlur(f, 3),
    "noise sigma 5": lambda f: _noise(f, 5),
    "noise sigma 10": lambda f: _noise(f, 10),
    "rotation 1 degree": lambda f: rotated(f, 1),
    "rotation 3 degrees": lambda f: rotated(f, 3),
    "rotation -5 degrees": lambda f: rotated(f, -5),
    "mirror": mirrored,
    "grey": _grey,
    "screenshot: 83 %, JPEG 60": lambda f: jpeg(resized(f, 0.83), 60),
    "crop 75 %, size 67 %, JPEG 60": lambda f: jpeg(resized(cropped(f, 0.75), 0.67), 60),
    "overlay on 25 %": _overlay,
}
QUICK = (
    "none",
    "JPEG 50",
    "JPEG 30",
    "resize 50 %",
    "crop to 50 %",
    "crop to 25 %",
    "rotation 3 degrees",
    "mirror",
    "screenshot: 83 %, JPEG 60",
)
