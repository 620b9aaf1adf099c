from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from generation.engine.errors import (
    ContractMismatchError,
    EmbeddingMismatchError,
    LicenceRefusedError,
    WeightsAlteredError,
    WeightsMissingError,
)
from generation.engine.faces.embed import DlibEmbedder
from generation.engine.faces.identity import Identity
from generation.engine.faces.landmarks import FaceMesh, Landmarks
from generation.engine.faces.models import FaceModels, load_face_models
from generation.engine.types import Embedding, Image
from generation.engine.weights.registry import load_registry


def test_models_are_refused_when_a_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match="centerface"):
        load_face_models(tmp_path, policy="commercial")


def test_models_are_refused_when_a_file_was_altered(tmp_path: Path) -> None:
    (tmp_path / "centerface.onnx").write_bytes(b"x" * 7304518)
    with pytest.raises(WeightsAlteredError, match="centerface"):
        load_face_models(tmp_path, policy="commercial")


def test_models_are_refused_without_a_known_policy(weights_dir: Path) -> None:
    with pytest.raises(LicenceRefusedError):
        load_face_models(weights_dir, policy="")


def test_a_file_that_is_no_identity_model_is_refused(weights_dir: Path) -> None:
    entry = load_registry().entry("dlib_resnet")
    with pytest.raises(ContractMismatchError):
        DlibEmbedder(weights_dir / "centerface.onnx", entry=entry)


def test_a_landmark_file_without_presence_is_refused(weights_dir: Path) -> None:
    with pytest.raises(ContractMismatchError):
        FaceMesh(load_registry().entry("iris"), weights_dir=weights_dir)


def test_vectors_of_two_models_are_never_compared() -> None:
    mine, theirs = (Embedding(np.ones(128, np.float32), sha, "l2") for sha in ("a" * 64, "b" * 64))
    with pytest.raises(EmbeddingMismatchError):
        mine.distance(theirs)


@pytest.mark.parametrize("change", ["smaller", "darker", "tilted", "soft"])
def test_a_person_stays_the_same_person(
    models: FaceModels, grace_hopper: Image, grace_marks: Landmarks, change: str
) -> None:
    turn = cv2.getRotationMatrix2D((262, 230), 12, 1)
    changed = {
        "smaller": cv2.resize(grace_hopper, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "darker": (grace_hopper * 0.6).astype(np.uint8),
        "tilted": cv2.warpAffine(grace_hopper, turn, (512, 600)),
        "soft": cv2.GaussianBlur(grace_hopper, (0, 0), 2),
    }[change]
    marks = models.landmarks.settle(changed, models.detector.detect(changed)[0])
    own = models.embedder.embed(grace_hopper, grace_marks.mesh)
    assert own.distance(models.embedder.embed(changed, marks.mesh)) < models.embedder.thresholds.same


def test_two_people_are_told_apart(
    models: FaceModels,
    astronaut: Image,
    astronaut_marks: Landmarks,
    grace_hopper: Image,
    grace_marks: Landmarks,
) -> None:
    first = models.embedder.embed(astronaut, astronaut_marks.mesh)
    second = models.embedder.embed(grace_hopper, grace_marks.mesh)
    assert first.distance(second) > models.embedder.thresholds.review


def test_an_exchanged_face_does_not_hide_behind_the_median(
    models: FaceModels,
    astronaut: Image,
    astronaut_marks: Landmarks,
    grace_hopper: Image,
    grace_marks: Landmarks,
) -> None:
    identity = Identity(models.embedder)
    made = [identity.follow(astronaut, astronaut_marks.mesh, time_s=t, yaw_deg=0) for t in (0, 0.5, 1, 2)]
    assert made == [True, False, True, True]
    identity.follow(grace_hopper, grace_marks.mesh, time_s=3, yaw_deg=0)
    assert identity.embedding is not None
    own = models.embedder.embed(grace_hopper, grace_marks.mesh)
    assert identity.embedding.distance(own) == pytest.approx(0, abs=1e-5)
