"""What a worker process opens once and keeps: the face models and the carrier of the invisible mark."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from generation.engine.faces.models import FaceModels, load_face_models
from watermark.invisible import Carrier
from watermark.payload import MarkKeys

SITE_WEIGHTS = "weights.d"


def face_models() -> FaceModels:
    """The face models under the present policy, checked by hash when they were opened.

    Raises:
        WeightsError: missing, altered, of a refused licence or of another contract.
    """
    home = Path(settings.LIKENESS_HOME)
    return _face_models(Path(settings.LIKENESS_WEIGHTS), home / SITE_WEIGHTS, settings.LIKENESS_MODEL_POLICY)


def carrier(tenant: str) -> Carrier:
    """All that follows from the tenant's mark keys."""
    return _carrier(keyring().seed("watermark"), tenant)


def keyring() -> Any:
    """The keyring that settings name."""
    return import_string(settings.LIKENESS_KEYRING)()


@lru_cache(maxsize=2)
def _face_models(weights: Path, site: Path, policy: str) -> FaceModels:
    return load_face_models(weights, policy=policy, site_dir=site)


@lru_cache(maxsize=4)
def _carrier(master: bytes, tenant: str) -> Carrier:
    return Carrier(MarkKeys(master, tenant))
