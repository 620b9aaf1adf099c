# ruff: noqa: F811  a fixture is named as its argument
"""The two sample portraits at output size with their landmarks; weights and pictures are the engine's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from generation.engine.faces.models import FaceModels
from generation.engine.types import Image, Points
from tests.generation.engine.conftest import (  # noqa: F401  fixtures
    astronaut,
    astronaut_marks,
    grace_hopper,
    grace_marks,
    models,
    weights_dir,
)

HEIGHT_PX = 720


@dataclass(frozen=True, slots=True)
class Portrait:
    """A picture and its (468, 3) landmarks."""

    picture: Image
    mesh: Points


def _portrait(picture: Image, models: FaceModels) -> Portrait:
    scale = HEIGHT_PX / picture.shape[0]
    large = np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    return Portrait(large, models.landmarks.settle(large, models.detector.detect(large)[0]).mesh)


@pytest.fixture(scope="session")
def smiling(astronaut: Image, models: FaceModels) -> Portrait:
    return _portrait(astronaut, models)


@pytest.fixture(scope="session")
def closed(grace_hopper: Image, models: FaceModels) -> Portrait:
    return _portrait(grace_hopper, models)
