"""A face's identity as a vector: dlib's residual network, aligned by the mesh."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import dlib
import numpy as np

from generation.engine.errors import ContractMismatchError, ModelOutputError
from generation.engine.faces.pose import similarity2d
from generation.engine.types import Embedding, Image, Points
from generation.engine.weights.registry import Entry, Thresholds

_SIDE = 150
# dlib's own five-point chip frame (150 px, padding .25): outer and inner corner of each eye, base of the
# nose; taken from the mesh, no dlib landmark file is needed.
_FRAME = np.array(
    [
        [0.8595674595992, 0.2134981538014],
        [0.6460604764104, 0.2289674387677],
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.4901123135679, 0.6277975316475],
    ]
)
_CHIP = (_FRAME + 0.25) / 1.5 * _SIDE
_CHIP_POINTS = [263, 362, 33, 133, 2]


class DlibEmbedder:
    """128-D vectors compared by L2. The network keeps state, so calls wait for each other."""

    def __init__(self, path: Path, *, entry: Entry) -> None:
        if entry.thresholds is None:
            raise ContractMismatchError(f"Model {entry.id}: an embedder needs metric, same and review.")
        try:
            self._net = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise ContractMismatchError(f"Model {entry.id}: {entry.file} does not load: {error}") from None
        self._entry = entry
        self._lock = threading.Lock()
        self.thresholds: Thresholds = entry.thresholds

    @property
    def model_sha256(self) -> str:
        """The sha256 that its vectors carry."""
        return self._entry.sha256

    def embed(self, frame: Image, mesh: Points) -> Embedding:
        """The identity vector of the face with these landmarks.

        Raises:
            ModelOutputError: the network gave NaN or zeros.
        """
        chip = cv2.cvtColor(chip_of(frame, mesh), cv2.COLOR_BGR2RGB)
        with self._lock:
            vector = np.array(self._net.compute_face_descriptor(chip), np.float32)
        if vector.shape != (128,) or not np.isfinite(vector).all() or not vector.any():
            raise ModelOutputError(f"Model {self._entry.id}: the identity vector is empty or has no numbers.")
        return Embedding(vector, self._entry.sha256, self.thresholds.metric)


def chip_of(frame: Image, mesh: Points) -> Image:
    """(150, 150, 3) uint8 BGR: the face, upright and centred as the network expects."""
    into = similarity2d(mesh[_CHIP_POINTS, :2], _CHIP)
    shrinks = float(np.hypot(into[0, 0], into[1, 0])) < 0.5
    chip = cv2.warpAffine(frame, into, (_SIDE, _SIDE), flags=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return chip.astype(np.uint8, copy=False)
