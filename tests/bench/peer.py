"""The original invisible-watermark, for comparison: ``make peer`` puts it in .cache/peer, without torch."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

PLACE = Path(__file__).parents[2] / ".cache" / "peer"
METHODS = ("dwtDct", "dwtDctSvd")


def load() -> Any | None:
    """The package, or None where it is not installed."""
    sys.modules.setdefault("torch", types.ModuleType("torch"))  # imported by its learned method only
    if PLACE.is_dir() and str(PLACE) not in sys.path:
        sys.path.append(str(PLACE))
    try:
        return importlib.import_module("imwatermark")
    except ImportError:
        return None


def embed(package: Any, image: np.ndarray, bits: np.ndarray, method: str) -> np.ndarray:
    """A marked copy of (h, w, 3) BGR."""
    encoder = package.WatermarkEncoder()
    encoder.set_watermark("bits", [int(bit) for bit in bits])
    return encoder.encode(image, method)


def decode(package: Any, image: np.ndarray, length: int, method: str) -> np.ndarray:
    """The bits it reads, marked or not."""
    return np.array(package.WatermarkDecoder("bits", length).decode(image, method)).astype(np.uint8)
