"""Phones as mouth shapes: viseme ids 0 to 21, then articulation curves with coarticulation and hard closures.

The id track is the exchange format (Azure speech visemes, equal to SAPI 5): {offset, id}, stored beside the
job. The curves follow dominance functions (Cohen and Massaro 1993); closures that no blending may undo follow
the idea of JALI (Edwards et al. 2016).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from generation.presenter.speech import Phone

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    files("generation.presenter").joinpath("visemes.toml").read_text("utf-8")
)
PARAMETERS: Final = tuple[str, ...](_TABLE["parameters"])
JAW, WIDE, PUCKER, UPPER_LIP, LOWER_LIP, PRESS, TONGUE = range(7)
TARGETS: Final = np.array([_TABLE["targets"][str(at)]["target"] for at in range(22)])
"""(22, 7) float64."""
DOMINANCE: Final = np.array([_TABLE["targets"][str(at)]["dominance"] for at in range(22)])
TOKENS: Final = {
    token: tuple(int(each) for each in ids.split())
    for ids, tokens in _TABLE["tokens"].items()
    for token in tokens.split()
}

SILENCE, TUCKED, CLOSED, NEUTRAL = 0, 18, 21, 19
CURVE_HZ = 200
LEAD_S = 0.040
"""The mouth is ahead of the sound."""
REACH_S = 0.35
"""Beyond this a sound no longer pulls its neighbours."""
RISE, FALL = 16.0, 20.0  # 1/s: a mouth prepares a sound longer than it holds it
SMOOTH_S = 0.018
JAW_GAIN = 1.30  # blending shrinks the peaks: of vowels from .157 to .094 of the eyes' distance
EDGE_S = 0.035  # a closure comes and goes in this time
LONGEST_HALF_S = 0.060

Curves = npt.NDArray[np.float64]
"""(frames, 7) in the order of ``PARAMETERS``."""


@dataclass(frozen=True, slots=True)
class Viseme:
    """One mouth shape; ``id`` 0 to 21."""

    id: int
    start_s: float
    end_s: float
    stressed: bool = False


def ids_of(token: str) -> tuple[int, ...]:
    """The ids that a phone passes through; an unknown one is a neutral consonant, never an error."""
    token = re.sub("[ˈˌ]", "", token.replace("ʰ", "h"))
    if token in TOKENS:
        return TOKENS[token]
    found: list[int] = []
    at = 0
    while at < len(token):
        length = next(
            (size for size in range(min(4, len(token) - at), 0, -1) if token[at : at + size] in TOKENS), 0
        )
        found += TOKENS[token[at : at + length]] if length else ()
        at += length or 1
    return tuple(found) or (NEUTRAL,)


def track(phones: Sequence[Phone]) -> tuple[Viseme, ...]:
    """The mouth shapes of a speech; they touch each other as its phones do."""
    out: list[Viseme] = []
    for phone in phones:
        ids = ids_of(phone.ipa) if phone.ipa else (SILENCE,)
        step = (phone.end_s - phone.start_s) / len(ids)
        out += [
            Viseme(
                each, phone.start_s + step * at, phone.start_s + step * (at + 1), stressed=phone.stress == 2
            )
            for at, each in enumerate(ids)
        ]
    return tuple(out)


def curves(visemes: Sequence[Viseme], *, duration_s: float, fps: float) -> Curves:
    """Articulation of every frame: dominance blending, smoothing, then the closures."""
    times = np.arange(int(np.ceil(duration_s * CURVE_HZ)) + 1) / CURVE_HZ + LEAD_S
    blended = _smooth(_blend(visemes, times))
    blended[:, JAW] = np.clip(blended[:, JAW] * JAW_GAIN, 0, 1)
    _close(blended, visemes, times, frame_s=1 / fps)
    frames = int(np.ceil(duration_s * fps - 1e-9))
    at = np.clip((np.arange(frames) / fps * CURVE_HZ).round().astype(int), 0, len(times) - 1)
    return np.asarray(blended[at])


def _blend(visemes: Sequence[Viseme], times: npt.NDArray[np.float64]) -> Curves:
    total, weight = np.zeros((len(times), len(PARAMETERS))), np.full((len(times), 1), 1e-6)
    for each in visemes:
        length, centre = each.end_s - each.start_s, (each.start_s + each.end_s) / 2
        first, last = np.searchsorted(times, [centre - REACH_S - length / 2, centre + REACH_S + length / 2])
        near = times[first:last]
        away = np.maximum(np.abs(near - centre) - length / 4, 0)
        pull = _dominance(each, length) * np.exp(-np.where(near < centre, RISE, FALL) * away)
        pull[np.abs(near - centre) > max(REACH_S, length / 2)] = 0
        total[first:last] += pull[:, None] * _target(each, length)
        weight[first:last, 0] += pull
    return np.asarray(total / weight)


def _dominance(viseme: Viseme, length_s: float) -> float:
    # a short pause is spoken through, a long one brings the mouth to rest
    if viseme.id == SILENCE:
        return 0.3 + min(1.2, length_s * 4)
    return float(DOMINANCE[viseme.id])


def _target(viseme: Viseme, length_s: float) -> npt.NDArray[np.float64]:
    target = TARGETS[viseme.id].copy()
    if viseme.id not in (SILENCE, TUCKED, CLOSED):
        target[JAW] *= (1.12 if viseme.stressed else 0.92) * np.clip(0.72 + 2.2 * length_s, 0.7, 1.05)
    return np.asarray(target)


def _smooth(values: Curves) -> Curves:
    reach = 12
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / CURVE_HZ / SMOOTH_S) ** 2)
    kernel /= kernel.sum()
    columns = [
        np.convolve(np.pad(values[:, at], reach, "edge"), kernel, "valid") for at in range(values.shape[1])
    ]
    return np.stack(columns, axis=1)


def _close(
    values: Curves, visemes: Sequence[Viseme], times: npt.NDArray[np.float64], *, frame_s: float
) -> None:
    """Lips touch in p, b and m, the lower lip meets the teeth in f and v, whatever stands beside them."""
    closed, tucked = np.zeros(len(times)), np.zeros(len(times))
    for each in visemes:
        if each.id not in (TUCKED, CLOSED):
            continue
        # wide enough that at least one frame falls into it
        half = min(max((each.end_s - each.start_s) / 2, 0.75 * frame_s), LONGEST_HALF_S)
        edge = np.clip((half + EDGE_S - np.abs(times - (each.start_s + each.end_s) / 2)) / EDGE_S, 0, 1)
        held = closed if each.id == CLOSED else tucked
        np.maximum(held, edge * edge * (3 - 2 * edge), out=held)
    values[:, [JAW, UPPER_LIP, LOWER_LIP]] *= (1 - closed)[:, None]
    values[:, PRESS] = closed * 0.8
    values[:, JAW] = values[:, JAW] * (1 - tucked) + np.minimum(values[:, JAW], 0.10) * tucked
    values[:, LOWER_LIP] = values[:, LOWER_LIP] * (1 - tucked) - 0.55 * tucked
    values[:, UPPER_LIP] = values[:, UPPER_LIP] * (1 - tucked) + 0.18 * tucked


def opening(values: Curves) -> npt.NDArray[np.float64]:
    """(frames,) how far the lips should part, in eye distances up to a constant: what sync is measured on."""
    lower = np.maximum(values[:, LOWER_LIP], -0.5)
    return np.asarray(0.27 * values[:, JAW] + 0.10 * lower + 0.075 * values[:, UPPER_LIP])


def as_records(visemes: Sequence[Viseme]) -> list[dict[str, float | int]]:
    """The exchange track: ids with offsets in milliseconds, one a change."""
    return [
        {"offset_ms": round(each.start_s * 1000, 1), "id": each.id}
        for at, each in enumerate(visemes)
        if at == 0 or visemes[at - 1].id != each.id
    ]


ARKIT = (
    *("jawOpen", "mouthPucker", "mouthFunnel", "mouthClose", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "tongueOut"),
)
"""The blend shapes of ARKit's 52 that speech moves; the others stay 0."""


def to_arkit(values: Curves) -> dict[str, npt.NDArray[np.float64]]:
    """Curves as ARKit blend shape coefficients, (frames,) 0 to 1 each, for 3D engines."""
    jaw, wide, pucker, upper, lower, press, tongue = (values[:, at] for at in range(7))
    positive, tuck = np.clip(lower, 0, 1), np.clip(-lower, 0, 1)
    shapes = {
        "jawOpen": jaw,
        "mouthPucker": pucker,
        "mouthFunnel": np.clip(pucker * jaw * 2, 0, 1),
        "mouthClose": press * np.clip(jaw * 2, 0, 1),
        "mouthStretchLeft": np.clip(wide, 0, 1),
        "mouthStretchRight": np.clip(wide, 0, 1),
        "mouthRollLower": tuck,
        "mouthUpperUpLeft": upper,
        "mouthUpperUpRight": upper,
        "mouthLowerDownLeft": positive,
        "mouthLowerDownRight": positive,
        "mouthPressLeft": press,
        "mouthPressRight": press,
        # the tongue stays behind the teeth in every sound of both languages but th
        "tongueOut": np.clip(tongue - 0.7, 0, 1) * 0.3,
    }
    return {name: np.clip(shapes[name], 0, 1) for name in ARKIT}
