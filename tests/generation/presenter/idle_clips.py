"""Idle clips made from a portrait: it sways, breathes and blinks with its lips closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import av
import cv2
import numpy as np

from generation.engine.types import Image
from generation.presenter.motion import BLINK, Motion
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.visemes import TARGETS
from tests.generation.presenter.conftest import Portrait

BLINKS_AT = (37, 96)
"""Frames at which the eyes shut."""

Shape = Callable[[int], np.ndarray]


def idle_pictures(portrait: Portrait, *, frames: int, shape: Shape | None = None) -> Iterator[Image]:
    """(h, w, 3) uint8 BGR; ``shape``: the mouth by frame, closed when not given."""
    puppet = Puppet(portrait.picture, portrait.mesh)
    height, width = portrait.picture.shape[:2]
    for at in range(frames):
        since = [at - first for first in BLINKS_AT if 0 <= at - first < len(BLINK)]
        drawn = puppet.frame(
            TARGETS[0] if shape is None else shape(at), blink=BLINK[since[0]] if since else 0.0
        )
        time_s = at / 25
        roll = 0.8 * np.sin(2 * np.pi * 0.21 * time_s) + 0.3 * np.sin(2 * np.pi * 0.47 * time_s)
        turn = cv2.getRotationMatrix2D((width / 2, height * 1.05), roll, 1.0)
        turn[:, 2] += 3 * np.sin(2 * np.pi * 0.17 * time_s), 2 * np.sin(2 * np.pi * 0.29 * time_s)
        moved = cv2.warpAffine(drawn, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(moved[: height // 2 * 2, : width // 2 * 2], np.uint8)


def still_motion(frames: int) -> Motion:
    """Nobody moves."""
    pairs = ("shift", "gaze")
    return Motion(
        **{each.name: np.zeros((frames, 2) if each.name in pairs else frames) for each in fields(Motion)}
    )


def write_clip(path: Path, pictures: Iterator[Image], *, rate: int = 25) -> Path:
    """H.264, good enough that the encoder adds no jitter of its own."""
    with av.open(str(path), "w") as output:
        stream = None
        for picture in pictures:
            if stream is None:
                stream = output.add_stream("libx264", rate=rate)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"preset": "ultrafast", "crf": "14"}
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "bgr24")))
        if stream is not None:
            output.mux(stream.encode(None))
    return path
