"""People as vectors, compared exactly: no index that could miss one."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generation.engine.types import Embedding
from generation.errors import GateError

Vectors = npt.NDArray[np.float32]
"""(n, D) float32, one row a template; n may be 0."""

STRONG_SCORE = 0.6
STRONG_WIDTH = 0.05
"""Only faces this sure and this wide (share of the picture) are replaced; a star pattern scored .44-.66."""


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest person; ``distance`` is infinite and ``who`` empty when there is nobody."""

    who: str
    distance: float


@dataclass(frozen=True, slots=True)
class Gallery:
    """Templates of people, all of one model; ``names`` has an id a row, ``version`` counts the changes."""

    names: tuple[str, ...]
    vectors: Vectors
    model_sha256: str
    metric: str
    version: int = 0

    def __post_init__(self) -> None:
        rows = self.vectors.shape[0] if self.vectors.ndim == 2 else -1
        if (
            rows != len(self.names)
            or not np.isfinite(self.vectors).all()
            or not self.vectors.any(axis=1).all()
        ):
            raise GateError(f"A gallery of {len(self.names)} people has no usable template for each of them.")

    def nearest(self, face: Embedding) -> Match:
        """Who is nearest to a face.

        Raises:
            GateError: the face's vector has no numbers, another length, or is of another model.
        """
        vector = _checked(face)
        if face.model_sha256 != self.model_sha256 or face.metric != self.metric:
            raise GateError("A face and a gallery of two models cannot be compared.")
        if not self.names:
            return Match("", math.inf)
        if self.vectors.shape[1] != vector.size:
            raise GateError(
                f"A vector of {vector.size} numbers does not fit a gallery of {self.vectors.shape[1]}."
            )
        distances = _distances(vector, self.vectors, self.metric)
        at = int(distances.argmin())
        return Match(self.names[at], float(distances[at]))

    def only(self, names: Collection[str]) -> Gallery:
        """The part of the gallery that has these people."""
        rows = [row for row, name in enumerate(self.names) if name in names]
        kept = tuple(self.names[row] for row in rows)
        return Gallery(kept, self.vectors[rows], self.model_sha256, self.metric, self.version)

    def distance_to(self, who: str, face: Embedding) -> float:
        """Distance to the nearest template of one person; infinite when there is none."""
        return self.only({who}).nearest(face).distance


def gallery_of(
    people: Sequence[tuple[str, Vectors]], *, model_sha256: str, metric: str, version: int = 0
) -> Gallery:
    """A gallery from (id, vector) pairs; a person with several templates is there several times.

    Raises:
        GateError: vectors of different lengths, or that are no numbers.
    """
    if len({np.asarray(vector).shape for _, vector in people}) > 1:
        raise GateError("The templates of a gallery have different lengths.")
    stacked = np.array([vector for _, vector in people], np.float32).reshape(len(people), -1 if people else 1)
    return Gallery(tuple(name for name, _ in people), stacked, model_sha256, metric, version)


def mean(faces: Sequence[Embedding]) -> Embedding:
    """The mean of several vectors of one person: less noise than any one of them."""
    return Embedding(
        np.mean([_checked(face) for face in faces], axis=0).astype(np.float32),
        faces[0].model_sha256,
        faces[0].metric,
    )


def is_strong(score: float, width_px: float, *, frame_width_px: int) -> bool:
    """True for a face that is sure and wide enough to be replaced; not a number counts as strong."""
    return not (score < STRONG_SCORE or width_px < STRONG_WIDTH * frame_width_px)


def _checked(face: Embedding) -> Vectors:
    vector = face.vector
    if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
        raise GateError("A face's vector has no numbers.")
    return vector


def _distances(vector: Vectors, others: Vectors, metric: str) -> npt.NDArray[np.float64]:
    if metric == "cosine":
        norms = np.linalg.norm(others, axis=1) * np.linalg.norm(vector)
        return np.asarray(1 - others @ vector / norms, np.float64)
    if metric == "l2":
        return np.asarray(np.linalg.norm(others - vector, axis=1), np.float64)
    raise GateError(f"Metric {metric!r} is not known.")
