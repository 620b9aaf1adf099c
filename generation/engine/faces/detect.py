"""Find faces: the CenterFace and YuNet networks behind one call."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import onnx

from generation.engine.errors import ContractMismatchError, ModelOutputError
from generation.engine.types import Detection, Image

Floats = npt.NDArray[np.float32]

SCORE_FLOOR = 0.35
"""The guard sees every face from here up."""
_OVERLAP = 0.3
_AREA_PX = 640 * 384
GLANCE_AREA_PX = 416 * 224
"""Input area of a glance: 13 ms where the full look takes 36, enough for faces whose place is known."""
_STRIDE = 32


class Detector(Protocol):
    """Finds faces in a picture."""

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        """Every face from score .35 up, the surest first."""


def free_shape(blob: bytes) -> bytes:
    """The CenterFace graph with free height and width.

    The published file declares 10x3x32x32 and lists its weights as inputs; the network itself runs at any
    multiple of 32.
    """
    model = onnx.load_model_from_string(blob)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        for axis, name in ((0, "batch"), (2, f"height_{value.name}"), (3, f"width_{value.name}")):
            dims[axis].ClearField("dim_value")
            dims[axis].dim_param = name
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


class CenterFace:
    """The CenterFace detector; ``session`` is of a graph mended by ``free_shape``. Threads may share it."""

    def __init__(self, session: Any, *, area_px: int = _AREA_PX, score_floor: float = SCORE_FLOOR) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 4:
            raise ContractMismatchError(
                f"centerface: 1 input and 4 outputs are needed, not {len(inputs)} and {len(outputs)}."
            )
        self._session = session
        self._input = inputs[0].name
        self._area_px = area_px
        self._score_floor = score_floor

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        """Every face from the score floor up, the surest first.

        Raises:
            ModelOutputError: the network gave NaN.
        """
        height, width = frame.shape[:2]
        size = working_size(width, height, area_px=self._area_px)
        # RGB 0..255, resized without keeping the aspect; boxes are scaled back per axis.
        blob = cv2.dnn.blobFromImage(frame, 1.0, size, (0, 0, 0), swapRB=True, crop=False)
        heat, scale, offset, marks = self._session.run(None, {self._input: blob})
        if not np.isfinite(heat).all():
            raise ModelOutputError("centerface: the score map has values that are no numbers.")
        boxes, scores, points = _decode_centerface(heat, scale, offset, marks, self._score_floor)
        ratio = np.array([width / size[0], height / size[1]], np.float32)
        return _suppress(boxes * np.tile(ratio, 2), scores, points * ratio, self._score_floor)


class Yunet:
    """The YuNet detector (files of libfacedetection.train) at its square input. Threads may share it."""

    def __init__(self, session: Any, *, score_floor: float = SCORE_FLOOR) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(outputs) != 12 or len(shape) != 4 or shape[2] != shape[3]:
            raise ContractMismatchError(
                f"yunet: 1 square input and 12 outputs are needed, the file has {shape} and {len(outputs)}."
            )
        self._session = session
        self._input = inputs[0].name
        self._side = int(shape[2])
        self._score_floor = score_floor

    def detect(self, frame: Image) -> tuple[Detection, ...]:
        """Every face from the score floor up, the surest first.

        Raises:
            ModelOutputError: the network gave NaN.
        """
        picture, ratio = _letterbox(frame, self._side)
        blob = picture.transpose(2, 0, 1)[None].astype(np.float32)
        outputs = self._session.run(None, {self._input: blob})
        if not all(np.isfinite(output).all() for output in outputs[:6]):
            raise ModelOutputError("yunet: the scores have values that are no numbers.")
        boxes, scores, points = _decode_yunet(outputs, self._side, self._score_floor)
        return _suppress(boxes / ratio, scores, points / ratio, self._score_floor)


def working_size(width: int, height: int, *, area_px: int) -> tuple[int, int]:
    """The network's input size for a picture: its aspect at a fixed area, in multiples of 32."""
    aspect = min(max(width / height, 1 / 4), 4.0)
    across = max(_STRIDE, int((area_px * aspect) ** 0.5) // _STRIDE * _STRIDE)
    return across, max(_STRIDE, round(area_px / across / _STRIDE) * _STRIDE)


def _decode_centerface(
    heat: Floats, scale: Floats, offset: Floats, marks: Floats, floor: float
) -> tuple[Floats, Floats, Floats]:
    rows, columns = np.nonzero(heat[0, 0] > floor)
    scores = heat[0, 0, rows, columns]
    tall, wide = (np.exp(np.minimum(scale[0, axis, rows, columns], 8)) * 4 for axis in (0, 1))  # height first
    down, right = offset[0, 0, rows, columns], offset[0, 1, rows, columns]  # y first
    left, top = (columns + right + 0.5) * 4 - wide / 2, (rows + down + 0.5) * 4 - tall / 2
    pairs = marks[0][:, rows, columns].reshape(5, 2, -1)  # y, x as fractions of height, width
    points = np.stack([pairs[:, 1] * wide + left, pairs[:, 0] * tall + top], -1).transpose(1, 0, 2)
    boxes = np.stack([left, top, left + wide, top + tall], 1)
    return boxes.astype(np.float32), scores, points.astype(np.float32)


def _decode_yunet(outputs: list[Floats], side: int, floor: float) -> tuple[Floats, Floats, Floats]:
    """Twelve outputs: class, object, box and points, each at strides 8, 16, 32; one anchor a cell."""
    boxes, scores, points = [], [], []
    for level, stride in enumerate((8, 16, 32)):
        product = np.clip(outputs[level][0, :, 0], 0, 1) * np.clip(outputs[3 + level][0, :, 0], 0, 1)
        score = np.sqrt(product)
        hits = np.nonzero(score > floor)[0]
        cells = np.stack([hits % (side // stride), hits // (side // stride)], 1) * stride
        box = outputs[6 + level][0, hits]
        middle, half = cells + box[:, :2] * stride, np.exp(np.minimum(box[:, 2:], 8)) * stride / 2
        boxes.append(np.hstack([middle - half, middle + half]))
        points.append(outputs[9 + level][0, hits].reshape(-1, 5, 2) * stride + cells[:, None])
        scores.append(score[hits])
    return (
        np.concatenate(boxes).astype(np.float32),
        np.concatenate(scores).astype(np.float32),
        np.concatenate(points).astype(np.float32),
    )


def _letterbox(frame: Image, side: int) -> tuple[Image, float]:
    height, width = frame.shape[:2]
    ratio = min(side / height, side / width)
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
    canvas = np.zeros((side, side, 3), np.uint8)
    way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    canvas[: size[1], : size[0]] = cv2.resize(frame, size, interpolation=way)
    return canvas, ratio


def _suppress(boxes: Floats, scores: Floats, points: Floats, floor: float) -> tuple[Detection, ...]:
    """Non-maximum suppression: of overlapping boxes the surest stays."""
    if not len(scores):
        return ()
    corners = np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])
    kept = np.asarray(cv2.dnn.NMSBoxes(corners.tolist(), scores.tolist(), floor, _OVERLAP), int).ravel()
    return tuple(Detection(boxes[i], float(scores[i]), points[i]) for i in kept)
