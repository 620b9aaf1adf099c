"""The first look and the guard on camera footage, with the real models."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.conf import settings

from generation.engine.errors import GuardAbortError
from generation.engine.faces.models import FaceModels, load_face_models
from generation.engine.faces.track import Tracker
from generation.engine.media.chunks import whole
from generation.engine.media.decode import read_frames
from generation.engine.media.info import MediaLimits
from generation.engine.media.probe import probe
from generation.engine.types import Action, Embedding, Image
from generation.gate.footage import ModelEyes, look
from generation.gate.gallery import Gallery, gallery_of
from generation.gate.guard import Bands, FaceGuard

WEIGHTS = Path(settings.LIKENESS_WEIGHTS)
MEDIA = Path(__file__).resolve().parents[4] / "shared" / "media"
CLIPS = ("talking-man-480x270.mp4", "turning-woman-480x270.mp4", "hand-over-mouth-640x480.mp4")

pytestmark = [
    pytest.mark.media,
    pytest.mark.weights,
    pytest.mark.slow,
    pytest.mark.skipif(not MEDIA.is_dir(), reason="the real faces are not beside the project"),
    pytest.mark.skipif(not (WEIGHTS / "centerface.onnx").is_file(), reason="the weights are not pulled"),
]


@cache
def models() -> FaceModels:
    return load_face_models(WEIGHTS, policy="commercial")


@cache
def frames(name: str) -> list[Image]:
    path = MEDIA / name
    info = probe(path, MediaLimits())
    return [frame.picture for frame in read_frames(path, info, whole(info))]


@cache
def blocked_man() -> Image:
    return cv2.imread(str(MEDIA / "obama-official-portrait.jpg"))


def face_of(picture: Image) -> Embedding:
    eyes = ModelEyes(models())
    found = eyes.embed(picture, eyes.detect(picture)[0])
    assert found is not None
    return found


def people(*faces: Embedding) -> Gallery:
    rows = [(f"p{at}", face.vector) for at, face in enumerate(faces)]
    embedder = models().embedder
    return gallery_of(rows, model_sha256=embedder.model_sha256, metric=embedder.thresholds.metric)


def bands() -> Bands:
    thresholds = models().embedder.thresholds
    return Bands(thresholds.same, thresholds.review)


def verdicts(shown: list[Image], *, performers: Gallery, blocked: Gallery) -> set[str]:
    """Codes of everything but a swap, over the frames in order."""
    tracker, guard = Tracker(models(), 25.0), FaceGuard(performers=performers, blocked=blocked, bands=bands())
    codes: set[str] = set()
    for index, picture in enumerate(shown):
        tracker.update(picture, index, index / 25)
        try:
            given = guard(tracker.frame_faces(index, index / 25))
        except GuardAbortError as error:
            codes.add(error.reason)
            continue
        codes |= {verdict.code for verdict in given.values() if verdict.action is not Action.SWAP}
    return codes


@pytest.mark.parametrize("name", CLIPS)
def test_a_released_performer_is_let_through_on_every_frame(name: str) -> None:
    shown = frames(name)
    own = people(face_of(shown[0]))
    seen = look(shown[::12], ModelEyes(models()), performers=own, blocked=people(), bands=bands())
    assert (seen.performers, seen.strangers, seen.strong_without_embedding) == (("p0",), 0, 0)
    assert verdicts(shown, performers=own, blocked=people()) == set()


@pytest.mark.parametrize("name", CLIPS)
def test_another_persons_release_lets_nobody_through(name: str) -> None:
    other = people(face_of(blocked_man()))
    seen = look(frames(name)[:1], ModelEyes(models()), performers=other, blocked=people(), bands=bands())
    assert (seen.performers, seen.strangers) == ((), 1)
    assert verdicts(frames(name)[:2], performers=other, blocked=people()) == {"performer.no_release"}


@pytest.mark.parametrize("name", CLIPS)
def test_a_blocked_performer_is_seen(name: str) -> None:
    mine = people(face_of(frames(name)[0]))
    assert verdicts(frames(name)[5:7], performers=mine, blocked=mine) == {"face.blocked"}


@cache
def performer() -> Gallery:
    return people(face_of(frames(CLIPS[0])[0]))


@cache
def blocked() -> Gallery:
    return people(face_of(blocked_man()))


def flash(picture: Image) -> Image:
    """The blocked man in place of the scene."""
    height = picture.shape[0]
    width = round(blocked_man().shape[1] * height / blocked_man().shape[0])
    shown = np.zeros_like(picture)
    shown[:, :width] = cv2.resize(blocked_man(), (width, height), interpolation=cv2.INTER_AREA)
    return shown


def corner(picture: Image) -> Image:
    """The blocked man, small, in a corner: his face is about 40 px wide."""
    inset = cv2.resize(blocked_man(), (96, 120), interpolation=cv2.INTER_AREA)
    shown = picture.copy()
    shown[:120, :96] = inset
    return shown


@pytest.mark.parametrize("hide", [flash, corner])
@pytest.mark.parametrize("position", range(20))
def test_a_blocked_face_hidden_in_three_frames_is_found(hide: object, position: int) -> None:
    assert callable(hide)
    shown = [np.ascontiguousarray(picture) for picture in frames(CLIPS[0])[:23]]
    for at in range(position, position + 3):
        shown[at] = hide(shown[at])
    first = max(0, position - 2)  # what comes long before does not matter, and would cost minutes
    codes = verdicts(shown[first : position + 3], performers=performer(), blocked=blocked())
    assert "face.blocked" in codes
