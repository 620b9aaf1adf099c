from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from generation.engine.errors import ContractMismatchError, ModelOutputError
from generation.engine.faces.detect import CenterFace, Yunet, working_size
from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.topology import EYES
from generation.engine.types import Image


class Session:
    """A working stand-in: constant outputs."""

    def __init__(self, outputs: list[Any], shape: tuple[int, ...] = (1, 3, 64, 64)) -> None:
        self.outputs = outputs
        self.shape = shape

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="input", shape=list(self.shape))]

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=str(i)) for i in range(len(self.outputs))]

    def run(self, _names: None, _feed: dict[str, Any]) -> list[Any]:
        return self.outputs


def centerface_outputs(heat: float) -> list[Any]:
    return [np.full((1, depth, 96, 160), heat if depth == 1 else 0.0, np.float32) for depth in (1, 2, 2, 10)]


@pytest.mark.parametrize("adapter", [CenterFace, Yunet])
def test_a_graph_with_other_outputs_is_refused(adapter: type) -> None:
    with pytest.raises(ContractMismatchError):
        adapter(Session([np.zeros(1)] * 3))


def test_a_score_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ModelOutputError):
        CenterFace(Session(centerface_outputs(np.nan))).detect(np.zeros((90, 160, 3), np.uint8))


def test_silence_gives_no_face() -> None:
    assert CenterFace(Session(centerface_outputs(0.0))).detect(np.zeros((90, 160, 3), np.uint8)) == ()


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [
        (1280, 720, (640, 384)),
        (720, 1280, (352, 704)),
        (512, 512, (480, 512)),
        (4000, 100, (960, 256)),
        (1, 4000, (224, 1088)),
    ],
)
def test_the_working_size_keeps_the_aspect_at_a_fixed_area(
    width: int, height: int, size: tuple[int, int]
) -> None:
    assert working_size(width, height, area_px=640 * 384) == size


@pytest.mark.parametrize("turned", [False, True])
def test_it_finds_one_face_wherever_the_picture_is_wide(
    models: FaceModels, astronaut: Image, astronaut_marks: Landmarks, turned: bool
) -> None:
    canvas = np.full((720, 1280, 3), 90, np.uint8)
    canvas[100:612, 500:1012] = astronaut
    frame = np.ascontiguousarray(canvas[:, 420:825]) if turned else canvas
    found = models.detector.detect(frame)
    assert len(found) == 1
    assert found[0].score > 0.6
    eye = astronaut_marks.mesh[list(EYES[0]), :2].mean(0) + np.array([80 if turned else 500, 100])
    assert found[0].points[0] == pytest.approx(eye, abs=6)


def test_yunet_sees_the_same_face(astronaut: Image, models: FaceModels) -> None:
    path = Path(__file__).parents[5] / "shared" / "weights" / "yunet_n_640_640.onnx"
    if not path.is_file():
        pytest.skip("../shared/weights is not beside the project")
    found = Yunet(ort.InferenceSession(path, providers=["CPUExecutionProvider"])).detect(astronaut)
    assert len(found) == 1
    assert found[0].score > 0.6
    assert found[0].points == pytest.approx(models.detector.detect(astronaut)[0].points, abs=10)
