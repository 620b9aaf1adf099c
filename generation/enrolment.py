"""A portrait for consent, judged by the engine: ``settings.LIKENESS_FACE_EMBEDDER`` names ``analyse``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from generation import loaded
from generation.engine.errors import MediaError
from generation.engine.faces.findings import Finding
from generation.engine.faces.portrait import PortraitReport, analyse_portrait
from generation.engine.media.image import decode_image, encode_png
from generation.engine.types import Image

PREVIEW_SIDE_PX = 640
GOOD, BAD = (96, 176, 64), (48, 48, 208)
"""BGR of the thin box round an accepted and a refused face."""


@dataclass(frozen=True, slots=True)
class EnrolmentAnalysis:
    """What consent needs of a portrait; ``vector``: (D,) float32, None when it was refused."""

    accepted: bool
    failures: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    measures: Mapping[str, float]
    preview_png: bytes
    vector: npt.NDArray[np.float32] | None
    model_sha256: str
    metric: str


def analyse(data: bytes) -> EnrolmentAnalysis:
    """Judge a picture's bytes; bad quality and unreadable pictures are refused with reasons, never raised.

    Raises:
        WeightsError: the models are missing, altered or not allowed.
        ModelOutputError: a network gave numbers that mean nothing.
    """
    models = loaded.face_models()
    model_sha256, metric = models.embedder.model_sha256, models.embedder.thresholds.metric
    try:
        picture = decode_image(data)
    except MediaError as error:
        unreadable = Finding(error.code, str(error), 0.0, 0.0)
        return EnrolmentAnalysis(False, (unreadable,), (), {}, b"", None, model_sha256, metric)
    report = analyse_portrait(picture, models)
    vector = report.embedding.vector if report.accepted and report.embedding is not None else None
    return EnrolmentAnalysis(
        accepted=report.accepted,
        failures=report.failures,
        warnings=report.warnings,
        measures=dict(report.measures),
        preview_png=encode_png(small_preview(picture, report)),
        vector=vector,
        model_sha256=model_sha256,
        metric=metric,
    )


def small_preview(picture: Image, report: PortraitReport) -> Image:
    """The picture with its long side at 640 px at most, and a thin box round each face that was found."""
    height, width = picture.shape[:2]
    scale = min(1.0, PREVIEW_SIDE_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=True)
    for box in report.boxes:
        left, top, right, bottom = (int(value * scale) for value in box)
        cv2.rectangle(small, (left, top), (right, bottom), GOOD if report.accepted else BAD, 1, cv2.LINE_AA)
    return small
