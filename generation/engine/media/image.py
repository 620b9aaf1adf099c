"""Still pictures: decoded to upright 8 bit BGR, written as PNG."""

from __future__ import annotations

import os

# OpenCV reads its limit once, when it is loaded; read_header checks the size before it in any case.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "40000000")

import cv2
import numpy as np

from generation.engine.errors import EncodeError, TooLargeError, UnreadableMediaError
from generation.engine.media.boxes import kind_of
from generation.engine.media.geometry import turn
from generation.engine.media.info import STILL_CONTAINERS, MediaLimits
from generation.engine.media.stills import read_header
from generation.engine.types import Image

LIMITS = MediaLimits()


def decode_image(data: bytes, *, limits: MediaLimits = LIMITS) -> Image:
    """The picture of a PNG, JPEG or WebP file, turned upright, transparency laid on white, 16 bit made 8.

    Raises:
        UnreadableMediaError: no picture, broken or cut off.
        TooLargeError: more bytes or pixels than are taken.
    """
    if not data:
        raise UnreadableMediaError("The picture is empty.")
    if len(data) > limits.bytes:
        raise TooLargeError("The picture's size in bytes", value=len(data), limit=limits.bytes)
    container = kind_of(data[:16])
    if container not in STILL_CONTAINERS:
        raise UnreadableMediaError("The file is no PNG, JPEG or WebP picture.")
    width, height, orientation = read_header(data, container)
    if width * height > limits.still_pixels:
        raise TooLargeError(
            "The number of pixels in the picture", value=width * height, limit=limits.still_pixels
        )
    try:
        raw = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise UnreadableMediaError(f"The {container} picture cannot be decoded.") from error
    if raw is None or raw.shape[:2] != (height, width):
        raise UnreadableMediaError(f"The {container} picture cannot be decoded.")
    return np.ascontiguousarray(turn(_to_bgr(np.asarray(raw)), orientation))


def encode_png(picture: Image) -> bytes:
    """The picture as a PNG file.

    Raises:
        EncodeError: OpenCV could not write it.
    """
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise EncodeError("The picture could not be written as PNG.")
    return data.tobytes()


def _to_bgr(raw: np.ndarray) -> Image:
    """(h, w), (h, w, 3) or (h, w, 4), uint8 or uint16 -> (h, w, 3) uint8."""
    if raw.dtype == np.uint16:
        raw = ((raw.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif raw.dtype != np.uint8:
        raise UnreadableMediaError(f"The picture's samples are {raw.dtype}, not 8 or 16 bit.")
    if raw.ndim == 2:
        raw = raw[:, :, None]
    if raw.shape[2] in (2, 4):
        alpha = raw[:, :, -1:].astype(np.uint16)
        colour = raw[:, :, :-1]
        raw = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    if raw.shape[2] == 1:
        raw = np.repeat(raw, 3, axis=2)
    return np.ascontiguousarray(raw)
