"""The teller's sheet: the finished clips where the lips must meet, where they must part, and where they rest.

Under each picture stands the distance of the inner lips in eye distances, measured on that very frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from django.conf import settings

from generation.engine.faces.models import FaceModels, load_face_models
from generation.engine.types import Image, Points
from generation.presenter.line import FPS
from generation.presenter.puppet.geometry import aperture, eye_centres
from generation.presenter.visemes import CLOSED, LEAD_S, SILENCE
from likeness.demo import sheet
from likeness.demo.teller import Clip, Sound

CELL_PX, COLUMNS = 300, 3
REACH = 1.35
"""Half of a cell's side, in eye distances, around a point below the eyes."""
VOWELS = (1, 2, 3, 9, 10, 11)
LONG_S = 0.28  # of silence: shorter ones are spoken through
CAPTIONS = {"zh": "Mandarin · 中文", "en": "English · 英文"}


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a clip and what its lips should do there."""

    kind: str
    frame: int


def moments(sounds: Sequence[Sound]) -> list[Moment]:
    """Three frames each in bilabials, in the longest vowels and in silences, spread over the clip."""
    return [
        *_spread("p b m", [each for each in sounds if each.id == CLOSED]),
        *_spread("vowel", sorted((s for s in sounds if s.id in VOWELS), key=_length)[-COLUMNS:]),
        *_spread("silence", [each for each in sounds if each.id == SILENCE and _length(each) > LONG_S]),
    ]


def write(path: Path, clips: Sequence[Clip]) -> None:
    """Write the sheet as PNG."""
    models = load_face_models(settings.LIKENESS_WEIGHTS, policy=settings.LIKENESS_MODEL_POLICY)
    rows = []
    for clip in clips:
        found = moments(clip.sounds)
        pictures = _frames(clip.path, [each.frame for each in found])
        cells = [_cell(pictures[each.frame], each, models) for each in found if each.frame in pictures]
        rows.append((f"{CAPTIONS[clip.language]}: {clip.figures}", cells))
    sheet.write_cells(
        path,
        title="The teller: lips closed, open and at rest, with their distance in eye distances",
        rows=rows,
    )


def _length(sound: Sound) -> float:
    return sound.end_s - sound.start_s


def _spread(kind: str, sounds: Sequence[Sound]) -> list[Moment]:
    """The first, the middle and the last, at the frame in their middle: the mouth leads the sound."""
    ordered = sorted(sounds, key=lambda each: each.start_s)
    chosen = {round(at) for at in np.linspace(0, len(ordered) - 1, COLUMNS)} if ordered else set()
    middle: Callable[[Sound], float] = lambda each: (each.start_s + each.end_s) / 2 - LEAD_S  # noqa: E731
    return [Moment(kind, max(0, round(middle(ordered[at]) * FPS))) for at in sorted(chosen)]


def _frames(path: Path, wanted: Sequence[int]) -> dict[int, Image]:
    with av.open(str(path)) as clip:
        return {
            number: frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            for number, frame in enumerate(clip.decode(clip.streams.video[0]))
            if number in wanted
        }


def _cell(picture: Image, moment: Moment, models: FaceModels) -> sheet.Cell:
    faces = models.detector.detect(picture)
    if not faces:
        return sheet.Cell(cv2.resize(picture, (CELL_PX, CELL_PX)).astype(np.uint8), "no face")
    largest = max(faces, key=lambda each: each.width_px)
    mesh = models.landmarks.settle(picture, largest).mesh
    said = f"{moment.kind}  {moment.frame / FPS:.2f} s   {aperture(mesh):.3f}"
    return sheet.Cell(_face(picture, mesh), said)


def _face(picture: Image, mesh: Points) -> Image:
    """The face, eyes to chin, as a square."""
    left, right = eye_centres(mesh[:, :2].astype(np.float64))
    unit, middle = float(np.linalg.norm(right - left)), (left + right) / 2
    side = CELL_PX / (2 * REACH * unit)
    onto = np.array(
        [
            [side, 0, CELL_PX / 2 - side * middle[0]],
            [0, side, CELL_PX / 2 - side * (middle[1] + 0.62 * unit)],
        ]
    )
    flags = cv2.INTER_AREA if side < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.warpAffine(picture, onto, (CELL_PX, CELL_PX), flags=flags), np.uint8)
