import cv2
import numpy as np
import pytest
from skimage import data

from watermark.invisible import Carrier, Embedder
from watermark.payload import MarkKeys

MARK_ID = 0x9F3C6A1B22D0E417


def limited(grey):
    """Full-range grey to a limited-range luma plane."""
    return np.round(16 + grey * (219 / 255)).astype(np.uint8)


def portrait_bgr(height, width):
    """The public-domain astronaut at its own resolution, mirrored on until the frame is full.

    Enlarged instead, it would have none of the texture of a camera's picture at that size.
    """
    picture = np.ascontiguousarray(data.astronaut()[..., ::-1])
    tall, wide = max(0, height - 512), max(0, width - 512)
    return np.pad(picture, ((0, tall), (wide // 2, wide - wide // 2), (0, 0)), "symmetric")[:height, :width]


@pytest.fixture(scope="session")
def mark_id():
    return MARK_ID


@pytest.fixture(scope="session")
def keys():
    return MarkKeys(bytes(range(32)), "bank-a")


@pytest.fixture(scope="session")
def carrier(keys):
    return Carrier(keys)


@pytest.fixture(scope="session")
def luma():
    """luma(height, width): the portrait as a limited-range plane."""
    return lambda height, width: limited(cv2.cvtColor(portrait_bgr(height, width), cv2.COLOR_BGR2GRAY))


@pytest.fixture(scope="session")
def clip(luma):
    """clip(count, height, width): the portrait, moved and slowly scaled."""

    def make(count, height, width):
        big = luma(height + 120, width + 120)
        frames = []
        for at in range(count):
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), 0.05 * at, 1 + 0.002 * at)
            turn[:, 2] -= (30 + 1.7 * at, 40 + 0.9 * at)
            frames.append(cv2.warpAffine(big, turn, (width, height), borderMode=cv2.BORDER_REFLECT))
        return frames

    return make


@pytest.fixture(scope="session")
def marked(carrier, mark_id):
    """marked(frames): copies with the mark in them, at one strength."""

    def make(frames, profile=None):
        height, width = frames[0].shape
        embedder = Embedder(carrier, mark_id, height=height, width=width, profile=profile)
        embedder.servo(frames[:5])
        copies = [frame.copy() for frame in frames]
        for copy in copies:
            embedder.embed(copy)
        return copies

    return make
