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
    """The public-domain astronaut, cut to the aspect ratio and enlarged with some grain."""
    picture = data.astronaut()[..., ::-1]
    side = picture.shape[0]
    k = max(height, width) / side
    wide, tall = max(1, round(width / k)), max(1, round(height / k))
    top, left = (side - tall) // 3, (side - wide) // 2
    part = np.ascontiguousarray(picture[top : top + tall, left : left + wide])
    big = cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    grain = np.random.default_rng(5).normal(0, 2.5, (height, width, 1))
    return np.clip(big + grain, 0, 255).astype(np.uint8)


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
