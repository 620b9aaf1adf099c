"""An engine in which people are colours: a picture's mean colour is who is on it, black is nobody.

Fifty grey levels are a distance of one. Fast, deterministic, and no weights; everything else is real.
"""

# ruff: noqa: ARG002  fakes take what the real things take

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from generation.engine.types import Detection, Embedding, Face, FrameFaces, Image
from generation.enrolment import EnrolmentAnalysis

MODEL = "f" * 64
RED, GREEN, BLUE, GREY = (60, 60, 190), (60, 190, 60), (190, 60, 60), (128, 128, 128)
NOBODY = (2, 2, 2)


def texture(colour: Sequence[int], *, width: int = 320, height: int = 240, seed: int = 0) -> Image:
    """A picture with enough detail to carry the marks, of this mean colour."""
    grain = np.random.default_rng(seed).normal(0, 30, (height // 4, width // 4, 1)).astype(np.float32)
    grain = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]
    grain *= 0.0 if max(colour) < 10 else 1.0
    return np.clip(np.array(colour, np.float32) + grain - grain.mean(), 0, 255).astype(np.uint8)


def portrait(colour: Sequence[int], *, seed: int = 0) -> bytes:
    """A portrait of somebody, as PNG."""
    return cv2.imencode(".png", texture(colour, seed=seed))[1].tobytes()


def vector_of(picture: Image) -> np.ndarray:
    return np.array([*(picture.reshape(-1, 3).mean(0) / 50), 1.0], np.float32)


def analyse(data: bytes) -> EnrolmentAnalysis:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return EnrolmentAnalysis(True, (), (), {}, data, vector_of(picture), MODEL, "l2")


def embedding_of(picture: Image) -> Embedding:
    return Embedding(vector_of(picture), MODEL, "l2")


def _box(frame: Image) -> np.ndarray:
    height, width = frame.shape[:2]
    return np.array([width * 0.3, height * 0.2, width * 0.7, height * 0.8], np.float32)


class FakeModels:
    """Detector, landmarks and embedder in one."""

    def __init__(self) -> None:
        self.detector = self.landmarks = self.embedder = self
        self.model_sha256 = MODEL
        self.thresholds = SimpleNamespace(metric="l2", same=0.5, review=0.6)
        self.triangles = None
        self.used = (SimpleNamespace(id="fake", sha256=MODEL),)

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        if frame.mean() < 10:
            return ()
        return (Detection(_box(frame), 0.9, np.zeros((5, 2), np.float32)),)

    def settle(self, frame: Image, found: Detection) -> Any:
        return SimpleNamespace(presence=1.0, mesh=np.zeros((468, 3), np.float32))

    def embed(self, frame: Image, mesh: Any) -> Embedding:
        return embedding_of(frame)


class FakeTracker:
    """One track over the whole clip; every frame is embedded."""

    def __init__(self, models: Any, fps: float) -> None:
        self.embedded = 0
        self._frame: Image | None = None

    def update(self, frame: Image, index: int, time_s: float) -> tuple[Any, ...]:
        self._frame = frame
        self.embedded += 1
        pose = SimpleNamespace(yaw_deg=0.0)
        return (
            (SimpleNamespace(id=1, mesh=np.zeros((468, 3), np.float32), pose=pose),)
            if frame.mean() >= 10
            else ()
        )

    def frame_faces(self, index: int, time_s: float) -> FrameFaces:
        frame = self._frame
        assert frame is not None
        height, width = frame.shape[:2]
        faces = (Face(1, _box(frame), 0.9, embedding_of(frame), True),) if frame.mean() >= 10 else ()
        return FrameFaces(index, time_s, width, height, faces)


class FakeSwapper:
    """Leaves the picture as it is and says that it was swapped."""

    strength = 1.0

    def swap(self, frame: Image, mesh: Any) -> Any:
        return SimpleNamespace(yaw_relative_deg=0.0, coverage=1.0, strength=self.strength)


def swapper_of(data: bytes, models: Any) -> tuple[FakeSwapper, Embedding]:
    return FakeSwapper(), embedding_of(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
