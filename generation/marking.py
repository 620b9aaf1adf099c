"""The marks on every frame: the visible label, then the invisible id of the output."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from generation.engine.types import Plane, Planes
from watermark.content import thumbnail
from watermark.invisible import SEGMENT_S, Carrier, Embedder, Profile, segment_for
from watermark.payload import new_mark_id
from watermark.placement import LabelPlan
from watermark.visible import Label


@dataclass(frozen=True, slots=True)
class MarkPlan:
    """What one output is marked with; the same for all its chunks, so that no seam shows.

    ``label`` is None only in a copy that the statutory export makes.
    """

    mark_id: int
    strength: float
    profile: str
    label: LabelPlan | None
    width_px: int
    height_px: int
    segment_s: float = SEGMENT_S

    @property
    def mark_hex(self) -> str:
        """The id as 16 hex digits."""
        return f"{self.mark_id:016x}"

    def as_record(self) -> dict[str, Any]:
        """A JSON-ready record; the id is kept apart, as text."""
        record = asdict(self)
        del record["mark_id"]
        return record

    @classmethod
    def from_record(cls, record: Mapping[str, Any], *, mark_hex: str) -> MarkPlan:
        """What ``as_record`` gave, with its id."""
        label = LabelPlan.from_record(record["label"]) if record["label"] else None
        return cls(mark_id=int(mark_hex, 16), **{**record, "label": label})


class Finisher:
    """The engine's ``finish``: called on every frame just before the encoder."""

    def __init__(self, plan: MarkPlan, carrier: Carrier) -> None:
        self._plan = plan.label
        self._label = drawn(plan)
        self._embedder = Embedder(
            carrier,
            plan.mark_id,
            height=plan.height_px,
            width=plan.width_px,
            profile=Profile(plan.profile),
            strength=plan.strength,
            segment_s=plan.segment_s,
        )
        self._track: list[tuple[float, Plane]] = []
        self._due_s = float("-inf")

    def __call__(self, planes: Planes, index: int, time_s: float) -> None:
        """Mark one frame in place; the first of every second is kept very small.

        Under no cover the picture stays as it is: a mark that nobody's screen shows would be read back all
        the same, and would hide that what is shown carries too little.
        """
        del index
        if self._label and self._plan and self._plan.shows(time_s):
            self._label.blend(planes.y, planes.u, planes.v)
            if planes.a is not None:
                self._label.cover(planes.a)
        before = None if planes.a is None else planes.y.copy()
        self._embedder.embed(planes.y, time_s)
        if before is not None and planes.a is not None:
            cv2.copyTo(before, (planes.a == 0).view(np.uint8), planes.y)
        if time_s >= self._due_s:
            self._due_s = float(int(time_s) + 1)
            self._track.append((time_s, thumbnail(planes.y, planes.a)))

    def write_track(self, chunk: Path) -> None:
        """Keep the thumbnails beside the chunk until it is sealed."""
        track_of(chunk).write_bytes(_packed(self._track))


def drawn(plan: MarkPlan) -> Label | None:
    """The label of a plan; None when the plan has none.

    Raises:
        WatermarkError: it cannot be drawn on pictures of this size.
    """
    if plan.label is None:
        return None
    return Label(plan.width_px, plan.height_px, plan.label.text, plan.label.look)


def track_of(chunk: Path) -> Path:
    """Where the thumbnails of a chunk lie."""
    return chunk.with_suffix(".npz")


def joined_track(chunks: Sequence[Path]) -> bytes:
    """The thumbnails of all chunks in one; they tell a mark that was copied onto another picture."""
    return _packed([pair for chunk in chunks for pair in unpacked(track_of(chunk).read_bytes())])


def take_track(content: Path, chunk: Path, *, from_s: float, to_s: float, start_s: float) -> None:
    """Keep, beside a chunk, the thumbnails that a delivered file has of the frames that were taken over."""
    kept = [(second, luma) for second, luma in unpacked(content.read_bytes()) if from_s <= second < to_s]
    track_of(chunk).write_bytes(_packed([(second - from_s + start_s, luma) for second, luma in kept]))


def unpacked(data: bytes) -> list[tuple[float, Plane]]:
    """Seconds and (h, 160) uint8 luma of each kept frame."""
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return [(float(s), luma) for s, luma in zip(found["seconds"], found["luma"], strict=True)]


def _packed(track: Sequence[tuple[float, Plane]]) -> bytes:
    stream = io.BytesIO()
    luma = np.array([small for _, small in track], np.uint8)
    np.savez_compressed(stream, seconds=np.array([second for second, _ in track]), luma=luma)
    return stream.getvalue()


def measure_strength(
    samples: Sequence[Planes], *, size_px: tuple[int, int], carrier: Carrier, label: LabelPlan | None
) -> MarkPlan:
    """A plan with a fresh id and the strength that brings these pictures to the profile's quality.

    Raises:
        WatermarkError: this size or shape cannot carry the marks.
    """
    width, height = size_px
    if label is not None:
        shown = Label(width, height, label.text, label.look)
        for planes in samples:
            shown.blend(planes.y, planes.u, planes.v)
    mark_id = new_mark_id()
    embedder = Embedder(carrier, mark_id, height=height, width=width)
    lumas = [planes.y for planes in samples]
    strength = embedder.servo(lumas)
    return MarkPlan(
        mark_id, strength, str(embedder.profile), label, width, height, segment_s=segment_for(lumas)
    )
