"""Enrolled faces for a comparison: who of those enrolled here is on a picture.

It is as erasable as the material: a face whose key was destroyed is not in it, and no embedding leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consent import checks, faces, material
from consent.errors import EmbedderError
from consent.models import Template


@dataclass(frozen=True, slots=True)
class Recognised:
    """Somebody enrolled whose nearest portrait is ``distance`` away from the picture."""

    identity_id: str
    distance: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """Everybody within reach, nearest first; ``unread`` counts faces of other models, not compared."""

    people: tuple[Recognised, ...]
    compared: int
    unread: int


def recognise(image: bytes, *, tenant: str, reach: float) -> Recognition:
    """Who of the tenant's enrolled people is no further than ``reach`` from the one face of a picture.

    Every face is compared: there is no index that could miss one. ``reach`` is the model's own threshold.

    Raises:
        PortraitRefusedError: no usable face in the picture.
        ShreddedError, CiphertextError: a stored face does not open; nothing may be answered without it.
        EmbedderError: the model's metric is not known.
    """
    (analysis,) = checks.analyses([image])
    rows = list(
        Template.objects.filter(tenant=tenant, portrait__asset__shredded__isnull=True)
        .select_related("portrait__asset")
        .order_by("portrait_id")
    )
    kind = (analysis.model_sha256, analysis.metric)
    same = [row for row in rows if (row.model_sha256, row.metric) == kind]
    people: dict[str, float] = {}
    for row, distance in zip(same, _distances(material.vector(analysis), same, analysis.metric), strict=True):
        if distance <= reach:
            who = row.portrait.identity_id
            people[who] = min(float(distance), people.get(who, float(distance)))
    nearest = sorted(people.items(), key=lambda item: (item[1], item[0]))
    return Recognition(tuple(Recognised(*item) for item in nearest), len(same), len(rows) - len(same))


def _distances(face: faces.Vector, rows: Sequence[Template], metric: str) -> npt.NDArray[np.float32]:
    if not rows:
        return np.empty(0, np.float32)
    keys = material.Keys()
    others = np.stack([material.open_template(row, keys) for row in rows])
    if metric == "l2":
        return np.asarray(np.linalg.norm(others - face, axis=1), np.float32)
    if metric == "cosine":
        norms = np.linalg.norm(others, axis=1) * np.linalg.norm(face)
        return np.asarray(1 - others @ face / norms, np.float32)
    raise EmbedderError(f"Metric {metric!r} is not known.")
