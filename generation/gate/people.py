"""Who may be replaced and who is blocked, read from consent now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from consent import selectors as consents
from consent.answers import PerformerTemplate
from consent.licence import Use
from generation.engine.faces.models import FaceModels
from generation.errors import GateError
from generation.gate.gallery import Gallery, gallery_of
from generation.gate.guard import Bands


def bands(models: FaceModels) -> Bands:
    """The thresholds of the loaded embedding model."""
    thresholds = models.embedder.thresholds
    return Bands(same=thresholds.same, review=thresholds.review)


def performance_use(use: Use) -> Use:
    """The same use, as a performer's release is asked about it."""
    return replace(use, operation="performance")


def released(*, tenant: str, use: Use, now: datetime) -> tuple[PerformerTemplate, ...]:
    """Performers whose release is active for this use."""
    return consents.performers(tenant=tenant, use=performance_use(use), now=now)


def performers(found: tuple[PerformerTemplate, ...], *, models: FaceModels) -> Gallery:
    """These performers as a gallery whose rows are named by their consents.

    Raises:
        GateError: templates of two models, or of unequal length.
    """
    kinds = {(one.model_sha256, one.metric) for one in found}
    if len(kinds) > 1:
        raise GateError("The performers' templates are of more than one model.")
    mine = (models.embedder.model_sha256, models.embedder.thresholds.metric)
    model_sha256, metric = next(iter(kinds), mine)
    rows = [(one.consent_id, vector) for one in found for vector in one.vectors]
    return gallery_of(rows, model_sha256=model_sha256, metric=metric)


def blocked(*, tenant: str, models: FaceModels) -> Gallery:
    """Everybody on the tenant's block lists, at their newest version.

    Raises:
        ConsentError: the list cannot be read as a whole.
    """
    listed = consents.blocked_faces(tenant=tenant)
    return gallery_of(
        listed.entries,
        model_sha256=listed.model_sha256 or models.embedder.model_sha256,
        metric=listed.metric or models.embedder.thresholds.metric,
        version=listed.version,
    )


def blocked_version(*, tenant: str) -> int:
    """The number of the newest change of the block lists."""
    return consents.gallery_version(tenant=tenant)
