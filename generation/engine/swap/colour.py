"""Give the source's skin the colour and the light of the target's."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.swap.blend import times
from generation.engine.types import Image

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_STRENGTH = 0.8
_SAMPLES = 4000
_PLAIN = np.array([2.5, 3.5, 3.5])
_FINE = 1.2
_GRAIN = 0.7
_NOISE_PX = 0.8
_LIGHT_SIGMA = 0.12  # face widths
_LIGHT = np.array([0.5, 1.0, 1.0], np.float32)  # half of the lightness: the source keeps its own relief


def match_colour(source: Floats, target: Floats, skin: Mask, *, face_width: float) -> Floats:
    """The source in the target's colours; all arrays (h, w, 3) float32, LAB.

    First the linear map that carries the source's mean and covariance to the target's (closed-form optimal
    transport, Pitie and Kokaram 2007), then the low-frequency residual as a light field.
    """
    plain = skin & _plain(target, skin)
    matched = _transport(source, target, plain)
    residual = _light_field(target - matched, plain.astype(np.float32), _LIGHT_SIGMA * face_width)
    residual *= _LIGHT
    return cv2.add(matched, residual).astype(np.float32, copy=False)


def match_sharpness(source: Floats, target: Floats, skin: Mask) -> Floats:
    """The source with skin as sharp as the target's: softened, or given some of its grain; BGR float32."""
    fine = cv2.subtract(source, cv2.GaussianBlur(source, (0, 0), _FINE)).astype(np.float32, copy=False)
    grain = cv2.subtract(target, cv2.GaussianBlur(target, (0, 0), _FINE)).astype(np.float32, copy=False)
    has, wanted = _spread(fine, skin), _spread(grain, skin)
    if has > 1.25 * wanted:
        return (source - (1 - 1.25 * wanted / has) * fine).astype(np.float32, copy=False)
    # Clipped: pores and noise are wanted, the edges of glasses and wrinkles are not.
    share = _GRAIN * (1 - has / (1.25 * wanted + 1e-6))
    soft = cv2.GaussianBlur(skin.astype(np.float32) * np.float32(share), (0, 0), 2 * _FINE)
    clipped = np.clip(grain, -2 * wanted, 2 * wanted)
    return source + times(np.asarray(clipped, np.float32), np.asarray(soft, np.float32))


def match_grain(source: Floats, target: Floats, skin: Mask) -> Floats:
    """The source with as much fine grain as the target's skin has, but none of its lines; BGR float32."""
    fine = cv2.subtract(source, cv2.GaussianBlur(source, (0, 0), _FINE)).astype(np.float32, copy=False)
    grain = cv2.subtract(target, cv2.GaussianBlur(target, (0, 0), _FINE)).astype(np.float32, copy=False)
    has, wanted = _spread(fine, skin), _spread(grain, skin)
    if has > 1.25 * wanted:
        return (source - (1 - 1.25 * wanted / has) * fine).astype(np.float32, copy=False)
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 1, skin.shape).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), _NOISE_PX)
    missing = np.float32(_GRAIN * np.sqrt(max(0.0, wanted**2 - has**2)) / float(soft.std()))
    grey = np.asarray(soft * missing, np.float32)
    return cv2.add(source, cv2.merge([grey, grey, grey])).astype(np.float32, copy=False)


def detail_share(source: Image, target: Image) -> float:
    """How much of the source's finest detail to keep, 0..1, so that it is no sharper than the target's.

    Measured in the middle of both pictures, where nose and cheeks are; (h, w, 3) uint8 of full size.
    """
    height, width = target.shape[:2]
    part = slice(height * 9 // 20, height * 13 // 20), slice(width // 4, width * 3 // 4), 1
    has, wanted = (_finest(picture[part]) for picture in (source, target))
    return 1.0 if has <= 1.25 * wanted else 1.25 * wanted / has


def _finest(plane: npt.NDArray[np.uint8]) -> float:
    smooth = cv2.GaussianBlur(plane, (0, 0), _FINE)
    return float(np.mean(cv2.absdiff(plane, smooth))) + 0.05


def _plain(lab: Floats, skin: Mask) -> Mask:
    """Without glare, glasses and shadows: what is far from the skin's own light and colour."""
    values = _sample(lab, skin)
    middle = np.median(values, axis=0)
    spread = np.maximum(np.median(np.abs(values - middle), axis=0) * 1.48, [5, 2, 2])
    low, high = middle - _PLAIN * spread, middle + _PLAIN * spread
    return np.asarray(cv2.inRange(lab, low, high) > 0, np.bool_)


def _spread(fine: Floats, skin: Mask) -> float:
    """The usual size of fine detail; a few edges do not count."""
    return float(np.median(np.abs(fine.reshape(-1, 3)[_some(skin), 1]))) * 1.48


def _transport(source: Floats, target: Floats, skin: Mask) -> Floats:
    a, b = _sample(source, skin), _sample(target, skin)
    mean_a, mean_b = a.mean(0), b.mean(0)
    cov_a, cov_b = np.cov(a.T) + np.eye(3) * 1e-2, np.cov(b.T) + np.eye(3) * 1e-2
    root, inverse = _power(cov_a, 0.5), _power(cov_a, -0.5)
    linear = _STRENGTH * (inverse @ _power(root @ cov_b @ root, 0.5) @ inverse) + (1 - _STRENGTH) * np.eye(3)
    affine = np.hstack([linear, (mean_b - linear @ mean_a)[:, None]])
    return cv2.transform(source, affine.astype(np.float32)).astype(np.float32, copy=False)


def _sample(picture: Floats, skin: Mask) -> npt.NDArray[np.float64]:
    return picture.reshape(-1, 3)[_some(skin)].astype(np.float64)


def _some(skin: Mask) -> npt.NDArray[np.intp]:
    """Flat indices of a few thousand pixels, evenly spread."""
    chosen = np.flatnonzero(skin)
    return chosen[:: len(chosen) // _SAMPLES + 1]


def _power(matrix: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    scaled: npt.NDArray[np.float64] = (vectors * np.maximum(values, 1e-8) ** exponent) @ vectors.T
    return scaled


def _light_field(residual: Floats, weight: Floats, sigma: float) -> Floats:
    """A normalised blur inside the weight, made at low resolution."""
    shrink = max(1, int(sigma / 4))
    height, width = weight.shape
    size = max(1, width // shrink), max(1, height // shrink)
    weighted = cv2.resize(residual * weight[..., None], size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(weighted, (0, 0), sigma / shrink)
    share = cv2.GaussianBlur(small, (0, 0), sigma / shrink) + 1e-4
    field = cv2.resize(blurred / share[..., None], (width, height), interpolation=cv2.INTER_LINEAR)
    return field.astype(np.float32, copy=False)
