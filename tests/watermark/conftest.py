from datetime import UTC, datetime

import av
import cv2
import numpy as np
import pytest
from skimage import data

from watermark import c2pa
from watermark.invisible import Carrier, Embedder
from watermark.metadata import AigcLabel
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
    """marked(frames): copies with the mark in them, at one strength, 24 a second."""

    def make(frames, profile=None):
        height, width = frames[0].shape
        embedder = Embedder(carrier, mark_id, height=height, width=width, profile=profile)
        embedder.servo(frames[:5])
        copies = [frame.copy() for frame in frames]
        for at, copy in enumerate(copies):
            embedder.embed(copy, at / 24)
        return copies

    return make


@pytest.fixture(scope="session")
def chain():
    return c2pa.make_chain("示范银行 Sample Bank", datetime.now(UTC))


@pytest.fixture(scope="session")
def manifest(mark_id):
    return c2pa.ManifestInput(
        title="teller",
        mark_id=mark_id,
        statement=c2pa.ConsentStatement(
            "con_5d1f0c7e9a33b2aa", "likeness.example/audit", 48213, "ab" * 32, "2026-11"
        ),
        when=datetime(2026, 11, 20, 7, 12, tzinfo=UTC),
        ingredients=(
            c2pa.Ingredient(c2pa.Role.DRIVING, "driving clip", "11" * 32),
            c2pa.Ingredient(c2pa.Role.IDENTITY, "identity asset", "22" * 32),
        ),
    )


@pytest.fixture(scope="session")
def aigc():
    return AigcLabel.of_output(
        credit_code="91110000100012345X",
        application="DEMO",
        produce_id="7c1d2f9e0a5b4c33",
        reference="leaf 48213",
    )


@pytest.fixture(scope="session")
def muxed():
    """muxed(planes, path, tags): an MP4 as the engine's join writes it; other ``movflags`` drop the tags."""

    def make(planes, path, tags=None, movflags="+use_metadata_tags+faststart", crf=20):
        h, w = planes[0].shape
        with av.open(str(path), "w", format="mp4", options={"movflags": movflags}) as out:
            out.metadata.update(tags or {})
            stream = out.add_stream("libx264", rate=24)
            stream.width, stream.height, stream.pix_fmt = w, h, "yuv420p"
            stream.options = {"crf": str(crf), "preset": "veryfast", "g": "48"}
            grey = np.full((h // 2, w), 128, np.uint8)
            for y in planes:
                frame = av.VideoFrame.from_ndarray(np.concatenate([y, grey]), format="yuv420p")
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        return path

    return make
