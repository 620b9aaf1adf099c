"""Changes: upload footage, ask for a generation, stop it, take its output, withdraw it with its licence.

What workers do is in ``admitting``, ``running``, ``finishing`` and ``reaping``; they are named here too, so
that other packages need this module only.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.events import Actor, OutputDownloaded
from consent import selectors as consents
from consent.errors import NotFoundError as ConsentNotFoundError
from generation import (
    blobs,
    delivery,
    exporting,
    formats,
    hooks,
    performances,
    queueing,
    recordings,
    selectors,
    transitions,
)
from generation.admitting import admit
from generation.engine.errors import TooLargeError, UnsupportedMediaError
from generation.engine.media import guarded
from generation.engine.media.info import MediaLimits
from generation.engine.media.probe import probe
from generation.engine.media.sounds import SoundLimits, sniff_sound
from generation.errors import JobStateError, NotFoundError, RefusedError, RoleError
from generation.finishing import seal
from generation.gate import admission
from generation.models import Job, JobConsent, JobState, Media
from generation.planner import MODES
from generation.reaping import reap
from generation.running import run_chunk
from generation.transitions import End

__all__ = [
    "JobRequest",
    "admit",
    "cancel",
    "download",
    "reap",
    "run_chunk",
    "seal",
    "submit",
    "upload",
    "withdraw",
]

LIMITS = MediaLimits()
READ_BYTES = 1 << 20
CANCELLED = End("job.cancelled", "The job was cancelled.")
WITHDRAWN = End("licence.revoked", "A consent that the job stood on was revoked.")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What somebody asks for; the media is named by its id or by its SHA-256."""

    identity_id: str
    media_id: str = ""
    media_sha256: str = ""
    purpose: str = ""
    channel: str = ""
    territory: str = "CN"
    language: str = "zh"
    product: str = ""
    source_sha256: str | None = None
    callback_id: str = ""
    mode: str = "balanced"
    operation: str = "face_swap"
    container: str = ""
    """Suffix of the output, such as ``mov``; empty is ``mp4`` for a clip and ``png`` for a picture."""
    callback: hooks.Callback | None = None


def upload(stream: BinaryIO, *, name: str = "", by: Actor) -> Media:
    """Take in footage or a recording, once it is known to be readable; the same bytes are stored once.

    ``name`` is not kept.

    Raises:
        RoleError: the actor may not request generations.
        UnreadableMediaError, TooLargeError, UnsupportedMediaError: it cannot be used; nothing is kept.
    """
    del name
    _require_requester(by)
    return _taken_in(stream, kinds=("image", "video", recordings.KIND), by=by)


def upload_picture(stream: BinaryIO, *, by: Actor) -> Media:
    """Take in a picture of a template: those who write templates are not always those who ask for videos.

    Raises:
        RoleError: the actor may neither request generations nor write templates.
        UnreadableMediaError, TooLargeError, UnsupportedMediaError: it is no picture that can be used.
    """
    if not any(by.has(role) for role in ("requester", "operator", "business")):
        raise RoleError("Only a requester, an operator or business may upload a picture.")
    return _taken_in(stream, kinds=("image",), by=by)


def submit(request: JobRequest, *, by: Actor, attach: Callable[[Job], None] | None = None) -> Job:
    """Ask for a generation. What rows can tell is answered at once, the rest by a worker.

    ``attach`` writes rows that belong to an admitted job, in its transaction; when it fails there is no job.

    Raises:
        RoleError: the actor may not request generations.
        NotFoundError: no such identity or media in this tenant.
        ContainerError, OutputFormatError: the output cannot be of this kind.
        CallbackRefusedError: the address to be told is not called.
        RefusedError: the gate refuses; the job is kept as refused and the decision logged.
    """
    _require_requester(by)
    job = _new_job(request, by=by, performed=attach is not None)
    assessment = admission.assess_request(job, by=by, now=timezone.now())
    with transaction.atomic():
        job.save(force_insert=True)
        if assessment.decision.admitted:
            if attach is not None:
                attach(job)
            queueing.send_on_commit("admit", str(job.pk))
        else:
            transitions.mark_refused(job, transitions.refusal(assessment.decision.reasons))
            admission.record(job, assessment, stage="submit", by=by)
    if job.state == JobState.REFUSED:
        raise RefusedError(
            job.message, job=str(job.pk), code=job.code, reasons=assessment.decision.reasons, hint=job.hint
        )
    return job


def cancel(job_id: str | uuid.UUID, *, by: Actor) -> Job:
    """Stop a job; a worker that is at it notices within a segment of frames.

    Raises:
        RoleError, NotFoundError: not allowed; no such job in this tenant.
        JobStateError: it has ended already.
    """
    if not (by.has("requester") or by.has("operator")):
        raise RoleError("Only a requester or an operator may cancel a job.")
    job = selectors.job(job_id, tenant=by.tenant)
    if not transitions.cancel(job.pk, CANCELLED, by=by):
        job.refresh_from_db()
        raise JobStateError(f"Job {job.pk} is {job.state}.")
    job.refresh_from_db()
    return job


def withdraw(consent_id: str, *, identity_id: str, by: Actor) -> int:
    """Stop every job that stands on a consent and withdraw its outputs; in the revocation's transaction.

    Gives how many jobs were touched.
    """
    del identity_id  # a consent is of one identity; jobs know the consent
    relying = JobConsent.objects.filter(consent_id=consent_id).values_list("job_id", flat=True)
    asked = Job.objects.filter(consent_id=consent_id, state=JobState.ADMITTING).values_list("pk", flat=True)
    touched = 0
    for job_id in sorted({*relying, *asked}):
        touched += transitions.cancel(job_id, WITHDRAWN, by=by) or transitions.withdraw(
            job_id, consent_id=consent_id, by=by
        )
    return touched


@transaction.atomic
def download(job_id: str | uuid.UUID, *, by: Actor) -> Path:
    """The delivered file; taking it is logged.

    Raises:
        NotFoundError: no such job in this tenant, or the file is gone.
        WithdrawnError: its licence was revoked.
        JobStateError: it has no output.
        RoleError, ExportError: a copy without the visible label, which not everybody may take.
    """
    job = transitions.lock(selectors.job(job_id, tenant=by.tenant).pk)
    path = delivery.output_path(job)
    if exporting.is_export(job):
        exporting.require_handover(job, by=by)
    audit.append(OutputDownloaded(job=job.id.hex, output=job.output_sha256), actor=by)
    return path


def _require_requester(by: Actor) -> None:
    if not by.has("requester"):
        raise RoleError("Only a requester may ask for a generation.")


def _new_job(request: JobRequest, *, by: Actor, performed: bool) -> Job:
    """The row of a request, not saved yet; ``performed``: it comes from a presentation."""
    try:
        identity = consents.identity(request.identity_id, tenant=by.tenant)
    except ConsentNotFoundError:
        raise NotFoundError("There is no such identity.") from None
    if request.media_id:
        media = selectors.media(request.media_id, tenant=by.tenant)
    else:
        media = selectors.media_by_sha256(request.media_sha256, tenant=by.tenant)
    if media.kind == recordings.KIND:
        raise UnsupportedMediaError("The media is a recording; footage has pictures.")
    if performances.is_performance(media) != performed:
        raise UnsupportedMediaError("The media is a performance; ask for its script again.")
    if request.mode not in MODES:
        raise NotFoundError(f"There is no mode {request.mode[:20]!r}.")
    return Job(
        tenant=by.tenant,
        requester=by.id,
        identity_id=identity.id,
        media=media,
        source_sha256=request.source_sha256 or "",
        operation=request.operation,
        purpose=request.purpose,
        channel=request.channel,
        territory=request.territory,
        language=request.language,
        product=request.product,
        mode=request.mode,
        container=formats.container(
            request.container,
            still=media.kind == "image",
            transparent=performances.is_transparent(media),
        ),
        callback_id=request.callback_id,
        callback=hooks.require(request.callback, tenant=by.tenant),
    )


def _taken_in(stream: BinaryIO, *, kinds: tuple[str, ...], by: Actor) -> Media:
    """The row of an upload of one of these kinds."""
    with _spooled(stream) as (path, sha256, size):
        kind, info = _looked_at(path)
        if kind not in kinds:
            raise UnsupportedMediaError("The file is no picture.")
        known = Media.objects.filter(tenant=by.tenant, sha256=sha256).first()
        if known is not None and known.erased is None and blobs.store().exists(sha256):
            return known
        blobs.put_file(path)
    values = {"bytes": size, "kind": kind, "info": info, "uploader": by.id}
    again = {"erased": None}
    return Media.objects.update_or_create(
        again, tenant=by.tenant, sha256=sha256, create_defaults={**values, **again}
    )[0]


def _looked_at(path: Path) -> tuple[str, dict[str, Any]]:
    """The kind of a file and what is known of it.

    Raises:
        UnreadableMediaError, TooLargeError, UnsupportedMediaError: it cannot be used.
    """
    if sound := sniff_sound(path):
        return recordings.KIND, guarded.scan_sound(path, sound, SoundLimits()).as_record()
    info = probe(path, LIMITS)
    return "image" if info.still else "video", info.as_record()


@contextmanager
def _spooled(stream: BinaryIO) -> Iterator[tuple[Path, str, int]]:
    """The stream as a file of ours, with hash and length; removed at the end.

    Raises:
        TooLargeError: more bytes than the limit.
    """
    folder = Path(settings.LIKENESS_WORK) / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / uuid.uuid4().hex
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("xb") as file:
            while part := stream.read(READ_BYTES):
                size += len(part)
                if size > LIMITS.bytes:
                    raise TooLargeError("bytes", value=size, limit=LIMITS.bytes)
                digest.update(part)
                file.write(part)
        yield path, digest.hexdigest(), size
    finally:
        path.unlink(missing_ok=True)
