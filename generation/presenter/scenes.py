"""Several scenes in one video: where each is in time, and how one follows the other.

They are cut, or one fades into the next in the last frames before the border: there the sentence is over and
the mouth rests, so that nobody speaks with two mouths. Whatever the length, two frames are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from generation.engine.types import Plane, Planes
from generation.presenter.driving import DrivingEngine, Performance
from generation.presenter.errors import SceneError
from generation.presenter.line import Spoken
from generation.presenter.scene import Layout, Plate
from generation.presenter.storyboard import Position, Transition

CENTRES = {Position.LEFT: 0.3, Position.RIGHT: 0.7}
"""Of the frame's width; in the middle, the person stands where the format has them."""


@dataclass(frozen=True, slots=True)
class SceneSpan:
    """A scene in time: frames ``first_frame`` to ``end``; it begins to show ``fade_frames`` before.

    ``own_background``: it does not show what stands behind the person in the rest of the video.
    """

    first_frame: int
    frames: int
    layout: Layout
    background: str = ""
    own_background: bool = False
    transition: Transition = Transition.CUT
    fade_frames: int = 0

    @property
    def end(self) -> int:
        """The frame behind its last."""
        return self.first_frame + self.frames

    @property
    def shows_from(self) -> int:
        """The first frame in which something of it is seen."""
        return self.first_frame - self.fade_frames


@dataclass(frozen=True, slots=True)
class Part:
    """A scene that can be drawn; ``engine(at)`` gives one whose background is ``at`` frames old."""

    span: SceneSpan
    engine: Callable[[int], DrivingEngine]
    plate: Plate


def spans(
    records: Sequence[Mapping[str, Any]], spoken: Spoken, layout: Layout, *, fps: int
) -> tuple[SceneSpan, ...]:
    """Where each scene is; they cover every frame once. ``layout``: the whole video's.

    Raises:
        SceneError: the scenes do not have as many sentences as were said.
    """
    lengths = [round(each.duration_s * fps) for each in spoken.sentences]
    counts = [int(record["sentences"]) for record in records]
    if sum(counts) != len(lengths) or not all(counts):
        raise SceneError(f"The scenes have {sum(counts)} sentences; {len(lengths)} were said.")
    found: list[SceneSpan] = []
    at = sentence = 0
    for record, count in zip(records, counts, strict=True):
        frames = sum(lengths[sentence : sentence + count])
        fade = min(int(record["fade_frames"]), found[-1].frames - 1 if found else 0)
        found.append(
            SceneSpan(
                at,
                frames,
                layout_for(record, layout),
                background=record["background"],
                own_background=bool(record["background"] or record["colour"]),
                transition=Transition(record["transition"]),
                fade_frames=fade,
            )
        )
        at, sentence = at + frames, sentence + count
    return tuple(found)


def film(
    parts: Sequence[Part], performance: Performance, *, fps: int, first: int = 0, frames: int | None = None
) -> Iterator[Planes]:
    """Frames ``first`` and on, each of its scene or of two of them; as many as are asked for, or all.

    Two frames are in memory at a time, whatever the length.

    Raises:
        SceneError: the scenes do not cover the performance, or an engine gave too few frames.
    """
    _require_cover(parts, len(performance.shapes))
    end = len(performance.shapes) if frames is None else first + frames
    drawn: dict[int, Iterator[Planes]] = {}
    for at in range(first, end):
        here = next(number for number, part in enumerate(parts) if at < part.span.end)
        shown = [here]
        if here + 1 < len(parts) and at >= parts[here + 1].span.shows_from:
            shown.append(here + 1)
        for number in shown:
            if number not in drawn:
                drawn[number] = _frames(parts[number], performance, at, end, fps)
        drawn = {number: own for number, own in drawn.items() if number >= here}
        planes = [_next(drawn[number]) for number in shown]
        if len(planes) == 1:
            yield planes[0]
        else:
            coming = parts[here + 1].span
            yield _mixed(*planes, share=(at - coming.shows_from + 1) / (coming.fade_frames + 1))


def _frames(part: Part, performance: Performance, at: int, end: int, fps: int) -> Iterator[Planes]:
    """The frames of one scene from ``at`` on."""
    span = part.span
    own = performance.part(at, min(end, span.end) - at, fps=fps)
    return part.engine(at - span.shows_from).frames(part.plate, span.layout, own, fps=fps)


def _next(drawn: Iterator[Planes]) -> Planes:
    planes = next(drawn, None)
    if planes is None:
        raise SceneError("The driving engine gave too few frames.")
    return planes


def _mixed(before: Planes, after: Planes, *, share: float) -> Planes:
    """``share`` of ``after`` over ``before``."""

    def mixed(one: Plane, other: Plane) -> Plane:
        return np.asarray(cv2.addWeighted(one, 1 - share, other, share, 0), np.uint8)

    cover = None if before.a is None or after.a is None else mixed(before.a, after.a)
    return Planes(mixed(before.y, after.y), mixed(before.u, after.u), mixed(before.v, after.v), cover)


def _require_cover(parts: Sequence[Part], frames: int) -> None:
    found = [part.span for part in parts]
    if not found or found[0].shows_from != 0 or found[-1].end != frames:
        raise SceneError(f"The scenes do not begin at 0 and end at {frames} frames.")
    for before, after in pairwise(found):
        if after.first_frame != before.end or not 0 <= after.fade_frames < before.frames:
            raise SceneError(f"The scene at frame {after.first_frame} does not follow the one before.")


def layout_for(record: Mapping[str, Any], layout: Layout) -> Layout:
    """Where the person of a scene stands; ``layout``: the whole video's."""
    centre = CENTRES.get(Position(record["position"]), layout.centre)
    own = replace(layout, centre=centre, height_share=record["size"] or layout.height_share)
    if not record["colour"]:
        return own
    red, green, blue = (int(record["colour"][at : at + 2], 16) for at in (1, 3, 5))
    return replace(own, colour=(blue, green, red))
