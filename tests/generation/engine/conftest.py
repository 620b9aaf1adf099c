"""Where the engine's tests find the weights and the pictures."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels, load_face_models
from generation.engine.types import Image
from generation.engine.weights.check import State, check
from generation.engine.weights.registry import load_registry, load_samples

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def weights_dir() -> Path:
    home = Path(os.environ.get("LIKENESS_HOME", ROOT / "var"))
    entries = [*load_registry().entries.values(), *load_samples().entries.values()]
    lacking = [c.entry.file for c in check(home / "weights", entries=entries) if c.state is not State.PRESENT]
    if lacking:
        pytest.skip(f"{home / 'weights'} lacks {', '.join(lacking)}; `make test` pulls them")
    return home / "weights"


@pytest.fixture(scope="session")
def astronaut(weights_dir: Path) -> Image:
    return _picture(weights_dir / "astronaut.png")


@pytest.fixture(scope="session")
def grace_hopper(weights_dir: Path) -> Image:
    return _picture(weights_dir / "grace_hopper.jpg")


@pytest.fixture(scope="session")
def models(weights_dir: Path) -> FaceModels:
    return load_face_models(weights_dir, policy="commercial")


@pytest.fixture(scope="session")
def astronaut_marks(models: FaceModels, astronaut: Image) -> Landmarks:
    return models.landmarks.settle(astronaut, models.detector.detect(astronaut)[0])


@pytest.fixture(scope="session")
def grace_marks(models: FaceModels, grace_hopper: Image) -> Landmarks:
    return models.landmarks.settle(grace_hopper, models.detector.detect(grace_hopper)[0])


@pytest.fixture(scope="session")
def media_dir() -> Path:
    folder = ROOT.parent / "shared" / "media"
    if not folder.is_dir():
        pytest.skip("../shared/media is not beside the project")
    return folder


def _picture(path: Path) -> Image:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype("uint8", copy=False)
