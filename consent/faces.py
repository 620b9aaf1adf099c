"""A portrait becomes a template through the embedder that ``settings.LIKENESS_FACE_EMBEDDER`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.utils.module_loading import import_string

from consent.errors import EmbedderError

Vector = npt.NDArray[np.float32]
"""(D,) float32, one face by one model."""
Vectors = npt.NDArray[np.float32]
"""(n, D) float32, several pictures of one face by one model."""


class Finding(Protocol):
    """One thing that the enrolment gate found: a stable code, and a sentence with number and limit."""

    @property
    def code(self) -> str:
        """Stable, for clients."""

    @property
    def message(self) -> str:
        """For people."""


class PortraitAnalysis(Protocol):
    """What the embedder says of one picture; a refused one needs no vector."""

    @property
    def accepted(self) -> bool:
        """True when the picture may be enrolled."""

    @property
    def failures(self) -> Sequence[Finding]:
        """Every reason for a refusal."""

    @property
    def warnings(self) -> Sequence[Finding]:
        """What could be better."""

    @property
    def measures(self) -> Mapping[str, Any]:
        """Numbers by name, JSON-ready."""

    @property
    def preview_png(self) -> bytes:
        """The picture, small, with what was found drawn on it."""

    @property
    def vector(self) -> Vector | None:
        """The embedding."""

    @property
    def model_sha256(self) -> str:
        """The model that made it."""

    @property
    def metric(self) -> str:
        """How two vectors of the model are compared: ``l2`` or ``cosine``."""


def analyse(data: bytes) -> PortraitAnalysis:
    """What the configured embedder says of a picture.

    Raises:
        EmbedderError: no embedder, or an answer that cannot be a template.
    """
    try:
        embedder: Callable[[bytes], PortraitAnalysis] = import_string(settings.LIKENESS_FACE_EMBEDDER)
    except ImportError as error:
        raise EmbedderError(f"The face embedder is not there: {error}") from error
    analysis = embedder(data)
    if analysis.accepted and analysis.failures:
        raise EmbedderError("The face embedder accepted a picture and named failures.")
    if not analysis.accepted and not analysis.failures:
        raise EmbedderError("The face embedder refused a picture without a reason.")
    if analysis.accepted:
        _check_vector(analysis)
    return analysis


def vector_bytes(vector: Vector) -> bytes:
    """Little-endian float32, as it is encrypted."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def vector_of(data: bytes) -> Vector:
    """The inverse of ``vector_bytes``."""
    return np.frombuffer(data, dtype="<f4").astype(np.float32)


def _check_vector(analysis: PortraitAnalysis) -> None:
    vector = analysis.vector
    if vector is None or vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise EmbedderError("The face embedder gave no vector of finite numbers.")
    if not np.linalg.norm(vector) > 0 or len(analysis.model_sha256) != 64 or not analysis.metric:
        raise EmbedderError("The face embedder gave a zero vector, or no model or metric with it.")
