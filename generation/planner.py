"""How an admitted job is made: its chunks, and its marks, the same for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from generation.engine.chunk import PipelineSettings
from generation.engine.media.chunks import ChunkSpan, plan_chunks
from generation.engine.media.colour import to_planes
from generation.engine.media.encode import STILL_SCENE, EncodeSettings
from generation.engine.media.info import MediaInfo
from generation.engine.types import Image
from generation.marking import MarkPlan, measure_strength
from watermark import placement
from watermark.invisible import Carrier
from watermark.placement import Box
from watermark.profiles import Mark, Requirement

TARGET_S = 10.0
STRENGTH_FRAMES = 5
MODES: Mapping[str, EncodeSettings] = {
    "fast": EncodeSettings(preset="veryfast", crf=23),
    "balanced": EncodeSettings(preset="veryfast", crf=20),
    "premium": EncodeSettings(preset="medium", crf=17),
}
"""Encoder settings by mode; every mode has the guard, the marks and the seal."""


def spans(info: MediaInfo) -> list[ChunkSpan]:
    """The chunks of a clip: cut at keyframes, about ten seconds each."""
    return plan_chunks(info, target_s=TARGET_S)


def marks(
    pictures: Iterable[Image],
    info: MediaInfo,
    *,
    carrier: Carrier,
    requirement: Requirement,
    faces: Sequence[Sequence[Box]] = (),
) -> MarkPlan:
    """A fresh mark id, the strength that suits these pictures of a clip, and a place for its label.

    ``faces``: boxes in pixels of the output, for each frame that was looked at; no label goes over one.

    Raises:
        MediaError: the clip breaks off.
        WatermarkError: the picture's size or shape cannot carry the marks, or faces leave no place.
    """
    planes = [to_planes(picture) for picture in pictures]
    label = None
    if Mark.VISIBLE in requirement.marks:
        label = placement.place(
            requirement.text,
            icon=requirement.icon,
            opening_s=requirement.opening_s,
            lumas=[one.y for one in planes],
            faces=faces,
        )
    return measure_strength(planes, size_px=info.output_size_px, carrier=carrier, label=label)


def encoder_of(mode: str, *, performed: bool) -> dict[str, Any]:
    """How a mode encodes, JSON-ready: frames of two outputs only join when it is the same for both."""
    return asdict(pipeline_settings(mode, performed=performed).encode)


def pipeline_settings(mode: str, *, performed: bool = False) -> PipelineSettings:
    """The engine's settings of a mode; ``performed``: a person who speaks before a still camera."""
    encode = MODES[mode]
    if performed:  # the slower presets find no more in a picture that stands still
        encode = replace(encode, preset="veryfast", params=STILL_SCENE)
    return PipelineSettings(encode=encode)


def sample_times(info: MediaInfo) -> list[float]:
    """Seconds of the few pictures that marks are planned by, spread over the clip."""
    return [info.duration_s * i / (STRENGTH_FRAMES - 1) for i in range(STRENGTH_FRAMES)]
