from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from generation.engine.errors import PortraitRefusedError
from generation.engine.faces.findings import PortraitLimits, judge
from generation.engine.faces.models import FaceModels
from generation.engine.faces.portrait import analyse_portrait
from generation.engine.faces.preview import preview
from generation.engine.types import Image

GOOD = {
    "yaw_deg": 0.0,
    "pitch_deg": 0.0,
    "roll_deg": 0.0,
    "eyes_apart_px": 120.0,
    "sharpness": 20.0,
    "lightness": 60.0,
    "clipped": 0.0,
    "cheek_difference": 3.0,
    "eye_open": 0.3,
    "mouth_gap": 0.01,
}


def tilted(picture: Image) -> Image:
    return cv2.warpAffine(picture, cv2.getRotationMatrix2D((225, 120), 30, 1), (512, 512)).astype(np.uint8)


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (lambda p: p[260:], {"portrait.no_face"}),
        (lambda p: np.hstack([p, p]), {"portrait.several_faces"}),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 1.5), {"portrait.soft"}),
        (lambda p: (p * 0.15).astype(np.uint8), {"portrait.dark"}),
        (lambda p: np.clip(p * 2.5, 0, 255).astype(np.uint8), {"portrait.bright", "portrait.clipped"}),
        (lambda p: cv2.resize(p, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA), {"portrait.small"}),
        (tilted, {"portrait.tilted"}),
    ],
)
def test_a_spoilt_portrait_is_refused_for_its_own_reason(
    models: FaceModels, astronaut: Image, spoil: Callable[[Image], Image], codes: set[str]
) -> None:
    report = analyse_portrait(np.ascontiguousarray(spoil(astronaut)), models)
    assert not report.accepted
    assert {finding.code for finding in report.failures} == codes
    with pytest.raises(PortraitRefusedError) as caught:
        report.require()
    assert caught.value.failures == report.failures


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("yaw_deg", -15.1, "portrait.turned"),
        ("pitch_deg", 15.1, "portrait.nodded"),
        ("roll_deg", -20.1, "portrait.tilted"),
        ("eyes_apart_px", 39.9, "portrait.small"),
        ("sharpness", 5.9, "portrait.soft"),
        ("lightness", 24.0, "portrait.dark"),
        ("lightness", 93.0, "portrait.bright"),
        ("clipped", 0.21, "portrait.clipped"),
        ("cheek_difference", 26.0, "portrait.side_light"),
        ("eye_open", 0.11, "portrait.eyes_closed"),
        ("sharpness", float("nan"), "portrait.soft"),
        ("yaw_deg", float("nan"), "portrait.turned"),
    ],
)
def test_each_number_has_its_limit(name: str, value: float, code: str) -> None:
    failures, _warnings = judge({**GOOD, name: value}, PortraitLimits())
    assert [finding.code for finding in failures] == [code]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("mouth_gap", 0.2, "portrait.smiling"),
        ("eyes_apart_px", 60.0, "portrait.smallish"),
        ("cheek_difference", 20.0, "portrait.some_side_light"),
    ],
)
def test_a_mild_fault_is_a_warning_only(name: str, value: float, code: str) -> None:
    failures, warnings = judge({**GOOD, name: value}, PortraitLimits())
    assert failures == ()
    assert [finding.code for finding in warnings] == [code]


def test_a_site_can_ask_for_larger_portraits(models: FaceModels, grace_hopper: Image) -> None:
    report = analyse_portrait(grace_hopper, models, replace(PortraitLimits(), eyes_apart_px=100))
    assert [finding.code for finding in report.failures] == ["portrait.small"]
    assert report.failures[0].value == pytest.approx(89, abs=2)
    assert "89" in report.failures[0].message


def test_the_samples_are_accepted_and_the_smile_is_only_a_warning(
    models: FaceModels, astronaut: Image, grace_hopper: Image
) -> None:
    smiling, closed = analyse_portrait(astronaut, models), analyse_portrait(grace_hopper, models)
    assert smiling.accepted
    assert closed.accepted
    assert "portrait.smiling" in {finding.code for finding in smiling.warnings}
    assert "portrait.smiling" not in {finding.code for finding in closed.warnings}
    assert smiling.require().distance(closed.require()) > models.embedder.thresholds.review


def test_the_preview_shows_the_box_and_the_reasons_below(models: FaceModels, astronaut: Image) -> None:
    good, bad = (
        preview(picture, analyse_portrait(picture, models))
        for picture in (astronaut, (astronaut * 0.15).astype(np.uint8))
    )
    assert good.shape[1] == bad.shape[1] == 512
    assert good.shape[0] > 512
    assert (good[:512] != astronaut).any(axis=2).mean() < 0.02


def test_the_preview_of_a_large_picture_without_a_face_is_small(models: FaceModels) -> None:
    empty = np.full((2000, 3000, 3), 90, np.uint8)
    assert preview(empty, analyse_portrait(empty, models)).shape[1] == 960
