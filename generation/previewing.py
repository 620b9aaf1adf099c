"""Before anything is rendered: a few seconds of how a script would sound, and one frame of how it would look.

- A preview is likeness output. The same checks stand before it as before a presentation: words, licence,
  release, voice; what they refuse is logged, and so is each portrait that is opened for one.
- It stays small, at most 640 px wide, where no invisible mark is asked for; it shows ``PREVIEW`` and the AI
  label on its pixels, and carries the AIGC label in its metadata. The sound carries the metadata alone: it is
  played on a page that says so, and is never handed out as a file.
- Nothing of it is stored. This process remembers sentences that it said lately, and a plate for a few
  minutes while its release holds.
"""

from __future__ import annotations

import io
import time
import uuid
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock

import cv2
import numpy as np
from django.conf import settings

from audit.events import Actor
from consent import selectors as consents
from consent.answers import PerformerTemplate
from generation import dressing, loaded, looks, presenting, previewable, running, speaking, staging
from generation.engine.errors import GuardAbortError
from generation.engine.media.colour import from_planes, to_planes
from generation.engine.media.image import decode_image, encode_png
from generation.engine.types import Image
from generation.errors import PresentInvalidError, PreviewLimitError, RefusedError
from generation.gate import people
from generation.gate.guard import FaceGuard
from generation.presenter.errors import PlateRejectedError
from generation.presenter.line import FPS, Spoken, make_plate, speak
from generation.presenter.line import perform as articulate
from generation.presenter.overlay import Scene
from generation.presenter.puppet.puppet import Puppet
from generation.presenter.scene import Layout, Plate, Stage, backdrop, own_colours
from generation.presenter.script import Script
from generation.presenter.visemes import opening
from generation.presenter.voices import Source, voice_for
from generation.presenting import PresentRequest
from generation.previewable import Admitted
from generation.sealing import APPLICATION
from watermark.metadata import AigcLabel, SourceType, embed_label
from watermark.visible import DEFAULT_TEXT, Label, Look, Place

WIDTH_PX = 640
"""Of a preview at most: no larger picture leaves without the invisible mark."""
DRAWN_PX = 720
"""Shorter side at which it is drawn: large enough for every portrait that the video takes, and fast."""
SECONDS = 15
"""Of sound at most."""
WAIT_S = 10
PLATES, PLATE_S = 6, 300
PREVIEW_TEXT = "PREVIEW 预览"


def hear(request: PresentRequest, *, by: Actor) -> bytes:
    """The first sentences, at most 15 s, as a WAV file with the AIGC label.

    Raises:
        RoleError, NotFoundError, PreviewLimitError: not allowed; no such person; too many in a minute.
        PresentInvalidError, PresenterError: it cannot be spoken as it stands, or the engine is missing.
        RefusedError: words or consents stand against it; the log says so.
    """
    admitted = _admitted(request, by=by)
    if request.recording:
        raise PresentInvalidError("A recording is heard as it is.", fields={"recording": ["Play the file."]})
    with _alone():
        spoken = _speak(_opening(admitted.reviewed.script, seconds=SECONDS), admitted, by=by)
    pcm, out = spoken.speech.pcm[: SECONDS * spoken.speech.sample_rate], io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((1, 2, spoken.speech.sample_rate, 0, "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())
    return embed_label(out.getvalue(), _aigc(), source=SourceType.GENERATED)


def see(request: PresentRequest, *, by: Actor) -> bytes:
    """The video's person in the middle of the first sentence: a PNG at most 640 px wide, with both labels.

    Raises:
        RoleError, NotFoundError, PreviewLimitError: not allowed; no such person; too many in a minute.
        PresentInvalidError, PresenterError: it cannot be spoken or driven as it stands.
        RefusedError: words or consents stand against it; the log says so.
    """
    admitted = _admitted(request, by=by)
    layout = looks.layout_of(admitted.request, admitted.pinned, tenant=by.tenant)
    with _forgetting(request):
        release = previewable.release(request, admitted.use, tenant=by.tenant)
    with _alone():
        previewable.require_released(admitted, by=by)
        with _forgetting(request):
            ready = _ready(admitted, layout, release, by=by)
        small = replace(layout, width_px=ready.layout.width_px, height_px=ready.layout.height_px)
        scene = looks.scene_of(admitted.request, admitted.pinned, small, tenant=by.tenant)
        spoken = _speak(_opening(admitted.reviewed.script, seconds=1), admitted, by=by)
        picture = _drawn(ready, spoken, scene)
    return embed_label(encode_png(labelled(picture)), _aigc())


def labelled(picture: Image) -> Image:
    """A picture at most 640 px wide that says what it is: a preview, and made by AI."""
    scale = min(1.0, WIDTH_PX / picture.shape[1])
    width, height = (round(side * scale) // 2 * 2 for side in (picture.shape[1], picture.shape[0]))
    planes = to_planes(
        np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    )
    for text, place in ((DEFAULT_TEXT, Place.TOP_RIGHT), (PREVIEW_TEXT, Place.TOP_LEFT)):
        Label(width, height, text, Look(place=place)).blend(planes.y, planes.u, planes.v)
    return from_planes(planes)


def _admitted(request: PresentRequest, *, by: Actor) -> Admitted:
    with _forgetting(request):
        return previewable.admitted(request, by=by)


@contextmanager
def _forgetting(request: PresentRequest) -> Iterator[None]:
    """Drop what is remembered of these people when something stands against a preview."""
    try:
        yield
    except RefusedError:
        _forget(request)
        raise


@dataclass(frozen=True, slots=True)
class _Key:
    """What a plate depends on; another revision of a consent, or of the block lists, is another plate."""

    identity: str
    performer: str
    portraits: tuple[str, str]
    consents: tuple[tuple[str, int], ...]
    gallery: int
    size: tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class _Ready:
    plate: Plate
    puppet: Puppet
    own: Image
    layout: Layout
    until: float


_plates: dict[_Key, _Ready] = {}  # the oldest goes first
_lock = Lock()
"""Over the networks, the speech worker and the plates: none of them serves two threads."""


@contextmanager
def _alone() -> Iterator[None]:
    if not _lock.acquire(timeout=WAIT_S):
        raise PreviewLimitError("Other previews are being made.")
    try:
        yield
    finally:
        _lock.release()


def _forget(request: PresentRequest) -> None:
    """Drop the plates of these people; for when something stands against them."""
    people = {request.identity_id, request.performer_id}
    for key in [each for each in list(_plates) if people & {each.identity, each.performer}]:
        _plates.pop(key, None)


def _ready(admitted: Admitted, layout: Layout, release: PerformerTemplate, *, by: Actor) -> _Ready:
    """The performer's plate with the licensed face, small; from memory while it is fresh."""
    request = admitted.request
    licence = previewable.licence(request, admitted.use, tenant=by.tenant)
    face = consents.licensed_source(request.identity_id, tenant=by.tenant)
    source = consents.licensed_source(request.performer_id, tenant=by.tenant)
    key = _Key(
        request.identity_id,
        request.performer_id,
        (face.sha256, source.sha256),
        (licence, (release.consent_id, release.epoch)),
        consents.gallery_version(tenant=by.tenant),
        (layout.width_px, layout.height_px, layout.height_share),
    )
    now = time.monotonic()
    for old in [each for each, ready in list(_plates.items()) if ready.until < now]:
        _plates.pop(old, None)
    if key in _plates:
        return _plates[key]
    opened = []
    for whose, portrait_id, consent_id in (
        (request.performer_id, source.portrait_id, release.consent_id),
        (request.identity_id, face.portrait_id, licence[0]),
    ):
        opened.append(consents.open_portrait(portrait_id, tenant=by.tenant, purpose_consent=consent_id))
        previewable.record(request, by=by, consent=consent_id, whose=whose)
    plate, drawn = _plate(decode_image(opened[0]), layout)
    plate = _dressed(plate, opened[1], release, request, by=by)
    own = own_colours(plate)
    _plates[key] = _Ready(plate, Puppet(own, plate.mesh, smile=plate.smile), own, drawn, now + PLATE_S)
    while len(_plates) > PLATES:
        _plates.pop(next(iter(_plates)))
    return _plates[key]


def _dressed(
    plate: Plate, face: bytes, release: PerformerTemplate, request: PresentRequest, *, by: Actor
) -> Plate:
    """The plate with the licensed face, as the guard of a job would have it.

    Raises:
        RefusedError: the guard does not let the performer's face be replaced; the log says so.
        NoFaceError, PortraitRefusedError, PlateRejectedError: it cannot be.
    """
    models = loaded.face_models()
    guard = FaceGuard(
        performers=people.performers((release,), models=models),
        blocked=people.blocked(tenant=by.tenant, models=models),
        bands=people.bands(models),
    )
    swapper, _ = running.swapper_of(face, models)
    try:
        return dressing.dressed(plate, swapper=swapper, guard=guard, models=models)[0]
    except GuardAbortError as error:
        previewable.record(request, reasons=(error.reason,), by=by)
        raise previewable.refused((error.reason,)) from error


def _plate(portrait: Image, layout: Layout) -> tuple[Plate, Layout]:
    """A plate and the layout it was made for: small, or whole where small is too small to be judged."""
    models, matting = loaded.face_models(), staging.matting()
    small = _small(layout)
    try:
        return make_plate(portrait, layout=small, models=models, matting=matting), small
    except PlateRejectedError:
        return make_plate(portrait, layout=layout, models=models, matting=matting), layout


def _small(layout: Layout) -> Layout:
    scale = min(1.0, DRAWN_PX / min(layout.width_px, layout.height_px))
    width, height = (round(side * scale) // 2 * 2 for side in (layout.width_px, layout.height_px))
    return replace(layout, width_px=width, height_px=height)


def _drawn(ready: _Ready, spoken: Spoken, scene: Scene) -> Image:
    """The frame with the widest mouth in the middle half of what is said."""
    performance = articulate(spoken, subtitles=scene.subtitles)
    first = len(performance.shapes) // 4
    at = first + int(np.argmax(opening(performance.shapes)[first : 3 * first + 1]))
    behind = backdrop(scene.layout, scene.background)
    stage = Stage(ready.plate, scene.layout, behind, performance.cues, own=ready.own)
    moved = performance.motion
    planes = stage.planes(
        ready.puppet.frame(performance.shapes[at]),
        roll_deg=float(moved.roll_deg[at]),
        shift=moved.shift[at],
        time_s=at / FPS,
    )
    for overlay in scene.overlays:
        overlay.blend(planes)
    return from_planes(planes)


def _opening(script: Script, *, seconds: int) -> Script:
    """The first sentences: as many as fit by the estimate, at least one that says something."""
    left, first = float(seconds), []
    for segment in script.segments:
        said = len(segment.spoken.strip()) * presenting.SECONDS_A_CHARACTER[script.language]
        if left < seconds and said > left:
            break
        left -= said
        first.append(segment)
    return replace(script, segments=tuple(first))


def _speak(script: Script, admitted: Admitted, *, by: Actor) -> Spoken:
    """What a preview says; of a recording, how it will move, in a voice that nobody hears."""
    voice = admitted.reviewed.voice
    if voice.engine == Source.RECORDED:
        voice = voice_for("", language=script.language)
        return speak(script, engine=speaking.speech_engine(), voice=voice.voice)
    departure = speaking.Departure(uuid.uuid4().hex, previewable.nonced(script.sha256), by, script, voice.id)
    return speak(script, engine=speaking.speech_engine(departure), voice=voice.voice)


def _aigc() -> AigcLabel:
    """The label of a preview; it has no entry of its own, only a number."""
    return AigcLabel.of_output(
        credit_code=settings.LIKENESS_CREDIT_CODE,
        application=APPLICATION,
        produce_id=f"preview-{uuid.uuid4().hex}",
        reference="preview",
    )
