from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from generation.engine.chunk import ChunkPlan, Likeness
from generation.engine.faces.landmarks import Landmarks
from generation.engine.faces.models import FaceModels
from generation.engine.faces.track import Tracker
from generation.engine.media.chunks import whole
from generation.engine.media.probe import probe
from generation.engine.pipeline import process
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.types import Action, FrameFaces, Image, Planes, Verdict
from tests.generation.engine.media.makers import make_clip, read_all

pytestmark = pytest.mark.weights


def allow(frame: FrameFaces) -> Mapping[int, Verdict]:
    return {face.track_id: Verdict(Action.SWAP) for face in frame.faces if face.track_id is not None}


def leave(planes: Planes, index: int, time_s: float) -> None:
    del planes, index, time_s


def moving(portrait: Image, size: tuple[int, int]) -> object:
    scale = size[1] / portrait.shape[0]

    def draw(number: int) -> Image:
        move = np.array([[scale, 0, 40 + 3 * number], [0, scale, 0]], np.float32)
        return cv2.warpAffine(portrait, move, size, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    return draw


def test_performer_becomes_the_source(
    tmp_path: Path,
    models: FaceModels,
    astronaut: Image,
    astronaut_marks: Landmarks,
    grace_hopper: Image,
    grace_marks: Landmarks,
) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=30, size=(640, 480), picture=moving(grace_hopper, (640, 480)))
    info = probe(path)
    source = models.embedder.embed(astronaut, astronaut_marks.mesh)
    performer = models.embedder.embed(grace_hopper, grace_marks.mesh)
    report = process(
        ChunkPlan(path, info, whole(info), tmp_path / "c.mp4"),
        tracker=Tracker(models, float(info.rate)),
        swapper=MeshSwapper(astronaut, astronaut_marks.mesh, models.triangles),
        guard=allow,
        finish=leave,
        progress=lambda *_: None,
        likeness=Likeness(models.embedder, source),
    )
    assert (report.frames, report.swapped, report.tracks, report.no_face) == (30, 30, 1, 0)
    assert len(report.similarity) == 2
    last = read_all(tmp_path / "c.mp4")[-1][1]
    found = models.detector.detect(last)[0]
    made = models.embedder.embed(last, models.landmarks.settle(last, found).mesh)
    assert made.distance(source) < performer.distance(source)
    assert made.distance(source) < made.distance(performer)
