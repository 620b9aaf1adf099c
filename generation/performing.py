"""From an admitted script to a job: say it, drive the performer's portrait, hand the footage to the gate."""

from __future__ import annotations

import io
import json
import logging
import math
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from audit.events import Actor
from consent import selectors as consents
from consent.errors import ConsentError
from consent.licence import Use
from generation import (
    blobs,
    hooks,
    leases,
    loaded,
    presenting,
    services,
    speaking,
    templating,
    transitions,
    voicing,
)
from generation.engine.look.matte import Matting
from generation.engine.media.image import decode_image
from generation.engine.types import Image
from generation.engine.weights.registry import load_registry
from generation.errors import AlreadyOverError, JobStateError, RefusedError
from generation.gate.reasons import hint
from generation.leases import Lease
from generation.models import Job, JobConsent, Presentation, PresentationState
from generation.presenter.cast import voices_of
from generation.presenter.driving import PuppetEngine
from generation.presenter.errors import PresenterError
from generation.presenter.line import Spoken, drive, make_plate, speak
from generation.presenter.normalise import Language
from generation.presenter.overlay import Overlaid, Scene
from generation.presenter.scene import Layout, Plate
from generation.presenter.script import Kind, Script, read
from generation.presenter.speech import SpeechEngine
from generation.presenter.subtitles import to_srt, to_vtt
from generation.presenter.visemes import as_records
from generation.presenter.voices import VoiceEntry
from generation.presenting import OPERATION, layout_of, words_against
from generation.transitions import MAX_ATTEMPTS, worker_name

log = logging.getLogger(__name__)


def perform(presentation_id: uuid.UUID) -> None:
    """Take a presentation from ``queued`` to a submitted job; whatever fails is written into its row.

    Raises:
        DatabaseError: the database is away; the work is taken up again.
    """
    with leases.hold(leases.PRESENTATIONS, leases.job_key(presentation_id)) as lease:
        row = _take(presentation_id) if lease else None
        if lease is None or row is None:
            return
        folder = transitions.scratch(row.id)
        try:
            _perform(row, folder, lease)
        except (DatabaseError, InterfaceError):
            raise
        except AlreadyOverError:
            log.info("Presentation %s was stopped.", row.id)
        except Exception as error:  # noqa: BLE001  the edge of the task: the row must not stay driving
            _end(row.id, error)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@transaction.atomic
def _take(presentation_id: uuid.UUID) -> Presentation | None:
    row = Presentation.objects.select_for_update().filter(pk=presentation_id).first()
    if row is None or row.state not in (PresentationState.QUEUED, PresentationState.DRIVING):
        return None
    row.attempts += row.state == PresentationState.DRIVING
    if row.attempts >= MAX_ATTEMPTS:
        _close(row, PresentationState.FAILED, "attempts_exhausted", "The work failed three times.")
        return None
    row.state, row.worker = PresentationState.DRIVING, worker_name()
    row.save(update_fields=["state", "worker", "attempts", "touched"])
    return row


def _perform(row: Presentation, folder: Path, lease: Lease) -> None:
    script = read(row.script, language=Language(row.language), kind=Kind(row.kind))
    if words_against(script) or _words_of_template(row):
        raise RefusedError(
            "The words are refused now.", job=str(row.id), code="text.review", reasons=("text.review",)
        )
    scene = _scene(row)
    voices = voices_of(script, chosen=row.voice, known=voicing.known())
    _require_voices(row, voices, seconds=max(1, len(script.spoken) // 8))
    plate = _plate(row, script, scene.layout)
    spoken = speak(script, engine=speech_engine(), voice=voices[0].voice)
    _require_voices(row, voices, seconds=math.ceil(spoken.duration_s))
    folder.mkdir(parents=True, exist_ok=True)
    film = folder / "driving.mp4"

    def progress(_stage: str, done: int, total: int) -> None:
        lease.check()
        wanted = Presentation.objects.filter(pk=row.pk, state=PresentationState.DRIVING)
        if not wanted.update(done=done, total=total, touched=timezone.now()):
            raise AlreadyOverError(f"Presentation {row.id} was stopped.")

    drive(
        spoken,
        plate=plate,
        layout=scene.layout,
        engine=Overlaid(PuppetEngine(scene.background), scene.overlays),
        out=film,
        subtitles=scene.subtitles,
        progress=progress,
    )
    lease.check()
    _hand_over(row, spoken, film, voices)


def _scene(row: Presentation) -> Scene:
    """How the video looks: as its template says, or as the request did."""
    if "template" in row.scene:
        return templating.scene_for(row)
    layout = layout_of(row.scene["format"], row.scene["colour"])
    return Scene(layout, subtitles=bool(row.scene["subtitles"]))


def _words_of_template(row: Presentation) -> tuple[str, ...]:
    if "template" not in row.scene:
        return ()
    return templating.reasons_against(templating.Pinned(**row.scene["template"]), tenant=row.tenant)


def _require_voices(row: Presentation, voices: Sequence[VoiceEntry], *, seconds: int) -> tuple[str, ...]:
    """The consents that the voices are used under now.

    Raises:
        RefusedError: a voice is not licensed for this any more, or not for so many seconds.
    """
    use, now = _use(row, seconds=seconds), timezone.now()
    if reasons := speaking.reasons_against(voices, tenant=row.tenant, use=use, now=now):
        raise RefusedError(
            "The voice may not be used for this.", job=str(row.id), code=reasons[0], reasons=reasons
        )
    return speaking.consents_of(voices, tenant=row.tenant, use=use, now=now)


def _use(row: Presentation, *, seconds: int) -> Use:
    return Use(OPERATION, row.purpose, row.channel, row.territory, row.language, seconds, row.product)


def _plate(row: Presentation, script: Script, layout: Layout) -> Plate:
    """The performer's licensed portrait at output size.

    Raises:
        RefusedError: the performer's release does not allow it any more.
        PlateRejectedError: it cannot be driven.
    """
    portrait = _portrait(row, seconds=max(1, len(script.spoken) // 8))
    return make_plate(portrait, layout=layout, models=loaded.face_models(), matting=matting())


def _portrait(row: Presentation, *, seconds: int) -> Image:
    use = _use(row, seconds=seconds)
    people = consents.performers(tenant=row.tenant, use=use, now=timezone.now())
    release = next((each for each in people if each.identity_id == row.performer_id), None)
    if release is None:
        raise RefusedError(
            "The performer's release does not allow it.",
            job=str(row.id),
            code="performer.no_release",
            reasons=("performer.no_release",),
        )
    source = consents.licensed_source(row.performer_id, tenant=row.tenant)
    data = consents.open_portrait(source.portrait_id, tenant=row.tenant, purpose_consent=release.consent_id)
    return decode_image(data)


def _hand_over(row: Presentation, spoken: Spoken, film: Path, voices: Sequence[VoiceEntry]) -> None:
    """Store what belongs to the video, and ask for the generation as its requester."""
    by = Actor(row.requester, row.tenant, frozenset({"requester"}))
    with film.open("rb") as stream:
        media = services.upload(stream, by=by)
    stored: dict[str, Any] = {
        "report": {"speech": speaking.record(voices, spoken.speech), "loudness": asdict(spoken.loudness)},
        "srt_sha256": _put(to_srt(spoken.cues).encode()),
        "vtt_sha256": _put(to_vtt(spoken.cues).encode()),
        "visemes_sha256": _put(json.dumps(as_records(spoken.visemes)).encode()),
        "plan_sha256": _put(packed(spoken)),
    }
    Presentation.objects.filter(pk=row.pk).update(**stored)
    request = services.JobRequest(
        identity_id=row.identity_id,
        media_id=str(media.pk),
        purpose=row.purpose,
        channel=row.channel,
        territory=row.territory,
        language=row.language,
        product=row.product,
        operation=OPERATION,
        callback_id=row.client_id,
    )
    job = services.submit(request, by=by)
    try:
        _attach(row, job.pk, voices, seconds=math.ceil(spoken.duration_s))
    except (AlreadyOverError, RefusedError):
        with suppress(JobStateError):  # outside of the transaction that failed, or it would be undone with it
            services.cancel(job.pk, by=by)
        raise


@transaction.atomic
def _attach(row: Presentation, job_id: uuid.UUID, voices: Sequence[VoiceEntry], *, seconds: int) -> None:
    """Write which job makes the video, and whose voices it stands on.

    Raises:
        AlreadyOverError: the presentation was stopped in between.
        RefusedError: a voice's licence was withdrawn in between.
    """
    locked = Presentation.objects.select_for_update().get(pk=row.pk)
    if locked.state != PresentationState.DRIVING:
        raise AlreadyOverError(f"Presentation {row.id} was stopped.")
    relied = _require_voices(row, voices, seconds=seconds)
    JobConsent.objects.bulk_create(
        # what a voice lends is a performance: a revocation withdraws it, an erasure takes the footage
        (JobConsent(job_id=job_id, consent_id=each, role=JobConsent.Role.PERFORMER) for each in relied),
        ignore_conflicts=True,
    )
    locked.state, locked.job, locked.worker = PresentationState.GENERATING, Job.objects.get(pk=job_id), ""
    locked.done = locked.total
    locked.save()


def _put(data: bytes) -> str:
    return blobs.store().put(io.BytesIO(data))


def packed(spoken: Spoken) -> bytes:
    """What the finished file is measured against: the sound, the mouth shapes and the ids."""
    stream = io.BytesIO()
    ids = np.array([(each.id, each.start_s, each.end_s) for each in spoken.visemes])
    np.savez_compressed(
        stream, pcm=spoken.speech.pcm, rate=spoken.speech.sample_rate, shapes=spoken.shapes, visemes=ids
    )
    return stream.getvalue()


def speech_engine() -> SpeechEngine:
    """The engine for one script.

    Raises:
        SpeechUnavailableError: the voices of this site cannot be read.
    """
    return speaking.speech_engine()


@lru_cache(maxsize=1)
def matting() -> Matting:
    """The segmentation network of this worker process."""
    return Matting(load_registry().entry("selfie"), weights_dir=Path(settings.LIKENESS_WEIGHTS))


def _end(presentation_id: uuid.UUID, error: Exception) -> None:
    refused = isinstance(error, RefusedError | ConsentError)
    state = PresentationState.REJECTED if refused else PresentationState.FAILED
    code = str(getattr(error, "code", "internal"))
    if not isinstance(error, PresenterError | RefusedError | ConsentError) and not hasattr(error, "code"):
        log.error("Presentation %s failed.", presentation_id, exc_info=error)
    message = str(error) if hasattr(error, "code") else "Something failed in the worker."
    with transaction.atomic():
        row = Presentation.objects.select_for_update().get(pk=presentation_id)
        if row.state not in (PresentationState.QUEUED, PresentationState.DRIVING):
            return
        row.reasons = list(getattr(error, "reasons", ()) or ()) or [code]
        _close(row, state, code, message, str(getattr(error, "hint", "")) or hint(code))


def _close(
    row: Presentation,
    state: PresentationState,
    code: str,
    message: str,
    hint_text: str = "See the worker's log.",
) -> None:
    row.state, row.code, row.message, row.hint = state, code, message, hint_text
    row.finished, row.worker = timezone.now(), ""
    row.save()
    hooks.presentation_ended(row)


__all__ = ["matting", "packed", "perform", "presenting", "speech_engine"]
