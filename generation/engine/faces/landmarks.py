"""468 landmarks of a face: FaceMesh, run by OpenCV, followed from frame to frame without a detector."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from generation.engine.errors import ContractMismatchError, ModelOutputError
from generation.engine.types import Detection, Image, Points
from generation.engine.weights.check import verified_path
from generation.engine.weights.registry import Entry

POINTS = 468
_SIDE = 192
_MARGIN = 1.5
_LEFT_EYE, _RIGHT_EYE = 33, 263
# The classic engine is needed: the new one hides the presence output.
_OUTPUTS = ("conv2d_31", "conv2d_21")
_LOOK = 24
_INNER = slice(_SIDE // 6, -_SIDE // 6)


@dataclass(frozen=True, slots=True)
class Region:
    """A square of the frame, turned with the face: centre (x, y) and side in pixels, angle in radians."""

    x: float
    y: float
    side: float
    angle: float

    @staticmethod
    def of_detection(found: Detection) -> Region:
        """Around a detector's box, turned by its eye line."""
        dx, dy = found.points[1] - found.points[0]
        x, y = (found.box[:2] + found.box[2:]) / 2
        side = float((found.box[2:] - found.box[:2]).max()) * _MARGIN
        return Region(float(x), float(y), side, float(np.arctan2(dy, dx)))

    @staticmethod
    def of_mesh(mesh: Points) -> Region:
        """Around the landmarks of the frame before, turned by the line of the outer eye corners."""
        dx, dy = mesh[_RIGHT_EYE, :2] - mesh[_LEFT_EYE, :2]
        angle = float(np.arctan2(dy, dx))
        turn = _rotation(angle)
        upright = mesh[:, :2] @ turn.T
        low, high = upright.min(0), upright.max(0)
        x, y = turn.T @ ((low + high) / 2)
        return Region(float(x), float(y), float((high - low).max()) * _MARGIN, angle)


@dataclass(frozen=True, slots=True)
class Landmarks:
    """``mesh``: (468, 3) float32, pixels of the frame; ``presence`` 0..1: that a face is there at all.

    ``look``: (24, 24) float32, zero mean and unit variance: the upright face, very small, to notice a change.
    """

    mesh: Points
    presence: float
    look: npt.NDArray[np.float32]

    @property
    def box(self) -> Points:
        """(4,) float32: x1 y1 x2 y2 around the points."""
        return np.concatenate([self.mesh[:, :2].min(0), self.mesh[:, :2].max(0)])


class FaceMesh:
    """The FaceMesh network. Its nets keep state, so each thread opens its own."""

    def __init__(self, entry: Entry, *, weights_dir: Path) -> None:
        self._entry = entry
        self._weights_dir = weights_dir
        self._local = threading.local()
        self._net()

    def measure(self, frame: Image, region: Region) -> Landmarks:
        """The landmarks of the face in a region of the frame.

        Raises:
            ModelOutputError: the network gave NaN.
        """
        into = _into_crop(region)
        warped = cv2.warpAffine(frame, into, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR)
        crop = warped.astype(np.uint8, copy=False)
        net = self._net()
        net.setInput(cv2.dnn.blobFromImage(crop, 1 / 255.0, swapRB=True))
        presence, points = net.forward(_OUTPUTS)
        local = points.reshape(POINTS, 3)
        if not np.isfinite(local).all():
            raise ModelOutputError("facemesh: landmarks that are no numbers.")
        back = cv2.invertAffineTransform(into)
        flat = local[:, :2] @ back[:, :2].T + back[:, 2]
        mesh = np.hstack([flat, local[:, 2:] * (region.side / _SIDE)]).astype(np.float32)
        return Landmarks(mesh, float(1 / (1 + np.exp(-presence.ravel()[0]))), look_of(crop[_INNER, _INNER]))

    def settle(self, frame: Image, found: Detection) -> Landmarks:
        """The landmarks of a newly detected face: measured twice, the second time around the first answer."""
        first = self.measure(frame, Region.of_detection(found))
        return self.measure(frame, Region.of_mesh(first.mesh))

    def _net(self) -> cv2.dnn.Net:
        if not hasattr(self._local, "net"):
            path = verified_path(self._entry, weights_dir=self._weights_dir)
            try:
                # From a path: given bytes, OpenCV 5.0 forgets which engine was asked for.
                net = cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)
            except cv2.error as error:
                raise ContractMismatchError(f"facemesh: the file does not load: {error}") from None
            missing = set(_OUTPUTS) - set(net.getUnconnectedOutLayersNames())
            if missing:
                raise ContractMismatchError(
                    f"facemesh: the file lacks the outputs {', '.join(sorted(missing))}."
                )
            self._local.net = net
        net_of_thread: cv2.dnn.Net = self._local.net
        return net_of_thread


def _rotation(angle: float) -> npt.NDArray[np.float64]:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])


def _into_crop(region: Region) -> npt.NDArray[np.float64]:
    turn = _rotation(region.angle) * (_SIDE / max(region.side, 1.0))
    shift = _SIDE / 2 - turn @ np.array([region.x, region.y])
    return np.hstack([turn, shift[:, None]])


def look_of(picture: Image) -> npt.NDArray[np.float32]:
    """(24, 24) float32, zero mean and unit variance: a picture of a face, very small."""
    grey = cv2.cvtColor(cv2.resize(picture, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    plane = grey.astype(np.float32)
    centred: npt.NDArray[np.float32] = (plane - plane.mean()) / (plane.std() + 1)
    return centred
