"""A portrait for consent, judged by the engine: ``settings.LIKENESS_FACE_EMBEDDER`` names ``analyse``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation import loaded
from generation.engine.errors import MediaError
from generation.engine.faces.findings import Finding
from generation.engine.faces.portrait import analyse_portrait
from generation.engine.faces.preview import preview
from generation.engine.media.image import decode_image, encode_png


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
        preview_png=encode_png(preview(picture, report)),
        vector=vector,
        model_sha256=model_sha256,
        metric=metric,
    )
