"""What selectors answer with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from consent import faces


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a use is allowed, and by which licence; ``reasons`` empty means allowed."""

    consent_id: str | None
    revision: int
    json_sha256: str
    epoch: int
    reasons: tuple[str, ...]
    max_outputs: int = 0
    sample: bool = False


@dataclass(frozen=True, slots=True)
class LicensedSource:
    """A portrait that a licence in force lists."""

    sha256: str
    portrait_id: str


@dataclass(frozen=True, slots=True)
class FaceTemplate:
    """The licensed embeddings of one person. ``vectors``: (n, D) float32, of one model."""

    vectors: faces.Vectors
    model_sha256: str
    metric: str


@dataclass(frozen=True, slots=True)
class PerformerTemplate:
    """A person whose face may be replaced, by an active performance release."""

    identity_id: str
    consent_id: str
    epoch: int
    vectors: faces.Vectors
    model_sha256: str
    metric: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Every blocked face of a tenant; an entry with several pictures is there several times."""

    version: int
    entries: tuple[tuple[str, faces.Vector], ...]
    model_sha256: str
    metric: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One step of a consent; ``index`` is its place in the log, None until it is there."""

    at: datetime
    what: str
    state: str
    person: str
    role: str
    reason: str
    index: int | None
