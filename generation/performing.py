"""From an admitted script to a job: say it, drive the performer's portrait, hand the footage to the gate."""

from __future__ import annotations

import json
import logging
import math
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import IntEnum

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from audit.events import Actor
from consent.errors import ConsentError
from consent.licence import Use
from generation import (
    backdrops,
    hooks,
    idling,
    keeping,
    leases,
    lipsync,
    performances,
    presenting,
    services,
    speaking,
    staging,
    templating,
    transitions,
)
from generation.engine.types import Image
from generation.errors import AlreadyOverError, RefusedError
from generation.gate import authority
from generation.gate.reasons import hint
from generation.leases import Lease
from generation.models import Job, JobConsent, JobState, Presentation, PresentationState
from generation.presenter import line
from generation.presenter.errors import PackageError
from generation.presenter.line import Spoken, speak
from generation.presenter.package import Idle, Package, pack
from generation.presenter.persons import Person, Portrayed
from generation.presenter.remembered import Remembering, Said
from generation.presenter.scenes import SceneSpan
from generation.presenter.subtitles import to_srt, to_vtt
from generation.presenter.visemes import as_records
from generation.presenter.voices import VoiceEntry
from generation.presenting import OPERATION, words_against
from generation.staging import matting
from generation.transitions import MAX_ATTEMPTS, worker_name

log = logging.getLogger(__name__)


class Stage(IntEnum):
    """What is being done, for the bar: the scene and the portrait, the words, the hand-over to the gate."""

    SCENE = 1
    SPEECH = 2
    HANDED = 3


def perform(presentation_id: uuid.UUID) -> None:
    """Take a presentation from ``queued`` to a submitted job; whatever fails is written into its row.

    Raises:
        DatabaseError: the database is away; the work is taken up again.
    """
    with leases.hold(leases.PRESENTATIONS, leases.job_key(presentation_id)) as lease:
        row = _take(presentation_id) if lease else None
        if lease is None or row is None:
            return
        try:
            _perform(row, lease)
        except (DatabaseError, InterfaceError):
            raise
        except AlreadyOverError:
            log.info("Presentation %s was stopped.", row.id)
            _forget(row.id)
        except Exception as error:  # noqa: BLE001  the edge of the task: the row must not stay driving
            _end(row.id, error)


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


def _perform(row: Presentation, lease: Lease) -> None:
    script = presenting.script_of(row)
    if words_against(script) or _words_of_template(row):
        raise RefusedError(
            "The words are refused now.", job=str(row.id), code="text.review", reasons=("text.review",)
        )
    _stage(row, lease, Stage.SCENE)
    scene = staging.scene_of(row)
    voices = speaking.cast_of(row, script)
    estimate_s = max(1, len(script.spoken) // 8)
    _require_voices(row, voices, seconds=estimate_s)
    portrait, picture = staging.portrait_of(row, use=_use(row, seconds=estimate_s))
    around = backdrops.require(row)
    _stage(row, lease, Stage.SPEECH)
    voice = voices[0].voice
    engine = Remembering(speaking.engine_for(row, script), _said_before(row))
    spoken = speak(script, engine=engine, voice=voice)
    _require_voices(row, voices, seconds=math.ceil(spoken.duration_s))
    performance = line.perform(spoken, subtitles=scene.subtitles)
    spans = staging.spans_of(row, scene, spoken)
    with _person(row, picture, spans) as (person, idle):
        parts = staging.parts_of(scene, spans, person, tenant=row.tenant)
        package = pack(
            spoken,
            voice=voice,
            scene=row.scene,
            performer=portrait,
            engine=lipsync.engine_name(parts[0].engine(0).name),
            rest=[staging.at_rest(part, performance) for part in parts],
            scenes=spans,
            idle=idle,
            subtitles=scene.subtitles,
        )
    _stage(row, lease, Stage.HANDED)
    _hand_over(row, spoken, package, voices, around)


@contextmanager
def _person(
    row: Presentation, picture: Image, spans: Sequence[SceneSpan]
) -> Iterator[tuple[Person, Idle | None]]:
    """The performer with their own face: their portrait, or the clip that the request names.

    Raises:
        PlateRejectedError: the portrait or the clip cannot be driven.
        NotFoundError, MediaError: the clip is gone or cannot be read.
    """
    if not (media_id := row.scene.get("idle")):
        yield Portrayed(staging.plates_of(picture, spans)), None
        return
    folder = transitions.scratch(row.id)
    try:
        idle = idling.loop_of(media_id, tenant=row.tenant, folder=folder)
        with idling.filmed(idle, folder) as person:
            yield person, idle
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stage(row: Presentation, lease: Lease, stage: Stage) -> None:
    """Write how far it is, unless it was stopped.

    Raises:
        AlreadyOverError: it was.
    """
    lease.check()
    wanted = Presentation.objects.filter(pk=row.pk, state=PresentationState.DRIVING)
    if not wanted.update(done=stage, total=len(Stage), touched=timezone.now()):
        raise AlreadyOverError(f"Presentation {row.id} was stopped.")


def _said_before(row: Presentation) -> tuple[Said, ...]:
    """Sentences of the presentation that this one revises; none when its video may not be used any more.

    None of a recording: its sentences are cut out of one sound, and only together are they all of it.
    """
    if "recording" in row.scene:
        return ()
    earlier = row.revises.job if row.revises is not None else None
    if earlier is None or earlier.state != JobState.DONE or not performances.is_performance(earlier.media):
        return ()
    try:
        return performances.package_of(earlier.media).said
    except PackageError:
        return ()


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


def _hand_over(
    row: Presentation,
    spoken: Spoken,
    package: Package,
    voices: Sequence[VoiceEntry],
    around: Sequence[str],
) -> None:
    """Store what belongs to the video, and ask for the generation as its requester."""
    by = Actor(row.requester, row.tenant, frozenset({"requester"}))
    words = {
        "srt_sha256": to_srt(spoken.cues).encode(),
        "vtt_sha256": to_vtt(spoken.cues).encode(),
        "visemes_sha256": json.dumps(as_records(spoken.visemes)).encode(),
    }
    told = {"speech": speaking.record(voices, spoken.speech), "loudness": asdict(spoken.loudness)}
    media = keeping.keep(row, package, told=told, words=words, by=by.id)
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
    seconds = math.ceil(spoken.duration_s)

    def attach(job: Job) -> None:
        relied = _require_voices(row, voices, seconds=seconds)
        _attach(row, job, relied=(*relied, *around))

    services.submit(request, by=by, attach=attach)


def _attach(row: Presentation, job: Job, *, relied: Sequence[str]) -> None:
    """Write which job makes the video, and whose consents it also stands on; in the job's own transaction.

    Raises:
        AlreadyOverError: the presentation was stopped in between.
        RefusedError: one of them does not allow it any more.
    """
    locked = Presentation.objects.select_for_update().get(pk=row.pk)
    if locked.state != PresentationState.DRIVING:
        raise AlreadyOverError(f"Presentation {row.id} was stopped.")
    authority.rely(job, relied, now=timezone.now())
    job.save(update_fields=["decision"])
    JobConsent.objects.bulk_create(
        # what a voice or somebody in the background lends is a performance: a revocation withdraws it,
        # an erasure takes the footage
        (JobConsent(job=job, consent_id=each, role=JobConsent.Role.PERFORMER) for each in relied),
        ignore_conflicts=True,
    )
    locked.state, locked.job, locked.worker = PresentationState.GENERATING, job, ""
    locked.done = locked.total
    locked.save()


@transaction.atomic
def _forget(presentation_id: uuid.UUID) -> None:
    """Delete what was kept of a presentation that was stopped before it had a job."""
    row = Presentation.objects.select_for_update().get(pk=presentation_id)
    if row.job_id is None and row.state == PresentationState.CANCELLED:
        keeping.drop(row)
        row.save(update_fields=["performance", *keeping.SPOKEN])


def _end(presentation_id: uuid.UUID, error: Exception) -> None:
    refused = isinstance(error, RefusedError | ConsentError)
    state = PresentationState.REJECTED if refused else PresentationState.FAILED
    end = transitions.end_of(error)
    if end.code == "internal":
        log.error("Presentation %s failed.", presentation_id, exc_info=error)
    with transaction.atomic():
        row = Presentation.objects.select_for_update().get(pk=presentation_id)
        if row.state not in (PresentationState.QUEUED, PresentationState.DRIVING):
            return
        row.reasons = list(getattr(error, "reasons", ()) or ()) or [end.code]
        _close(row, state, end.code, end.message, end.hint or hint(end.code))


def _close(
    row: Presentation,
    state: PresentationState,
    code: str,
    message: str,
    hint_text: str = "See the worker's log.",
) -> None:
    row.state, row.code, row.message, row.hint = state, code, message, hint_text
    row.finished, row.worker = timezone.now(), ""
    keeping.drop(row)
    row.save()
    hooks.presentation_ended(row)


__all__ = ["matting", "perform", "presenting"]
