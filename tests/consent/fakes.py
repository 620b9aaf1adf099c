"""Working stand-ins for what the consent package reaches by settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MODEL = "f" * 64
DIMENSIONS = 128
withdrawn: list[tuple[str, str, str]] = []


@dataclass(frozen=True)
class Finding:
    code: str
    message: str


@dataclass(frozen=True)
class Analysis:
    accepted: bool
    failures: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    measures: dict[str, Any] = field(default_factory=lambda: {"eyes_px": 92, "yaw_deg": 3.5})
    preview_png: bytes = b"\x89PNG preview"
    vector: Any = None
    model_sha256: str = MODEL
    metric: str = "l2"


def picture(name: str, number: int = 0) -> bytes:
    """The n-th picture of a person, as the embedder below understands it."""
    return f"face {name} {number}".encode()


def vector(name: str, number: int = 0) -> Any:
    """Pictures of one person are near each other."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    mean = np.random.default_rng(seed).normal(size=DIMENSIONS)
    shift = np.random.default_rng(seed + 1 + number).normal(size=DIMENSIONS) * 0.1
    return ((mean + shift) / np.linalg.norm(mean + shift)).astype(np.float32)


def analyse(data: bytes) -> Analysis:
    """Accepts ``face NAME NUMBER``; refuses everything else with a reason."""
    words = data.decode(errors="replace").split()
    if words[:1] == ["face"]:
        return Analysis(True, vector=vector(words[1], int(words[2])))
    if words[:1] == ["dark"]:
        found = (
            Finding("light.dark", "Mean light is 12; at least 40 is needed."),
            Finding("face.small", "40 px."),
        )
        return Analysis(False, found)
    return Analysis(False, (Finding("face.none", "No face was found."),))


def analyse_nan(data: bytes) -> Analysis:
    return Analysis(True, vector=np.full(DIMENSIONS, np.nan, dtype=np.float32))


def analyse_zero(data: bytes) -> Analysis:
    return Analysis(True, vector=np.zeros(DIMENSIONS, dtype=np.float32))


def analyse_nothing(data: bytes) -> Analysis:
    return Analysis(True)


def analyse_silent(data: bytes) -> Analysis:
    return Analysis(False)


def analyse_both(data: bytes) -> Analysis:
    return Analysis(True, (Finding("face.none", "No face was found."),), vector=vector("x"))


def analyse_otherwise(data: bytes) -> Analysis:
    """Another model's embedder."""
    words = data.decode().split()
    return Analysis(True, vector=vector(words[1], int(words[2])), model_sha256="e" * 64)


def withdraw(consent_id: str, *, identity_id: str, by: Any) -> None:
    withdrawn.append((consent_id, identity_id, by.id))


def withdraw_fails(consent_id: str, *, identity_id: str, by: Any) -> None:
    raise RuntimeError("the queue is not there")


class OtherKeyring:
    """The right keys, but for the one that signs licences."""

    def seed(self, name: str) -> bytes:
        from likeness.keyring import FileKeyring

        return bytes(32) if name == "licence" else FileKeyring().seed(name)
