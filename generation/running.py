"""One chunk of a permitted job, made by one worker under one lease."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from audit.events import GenerationStarted
from consent import selectors as consents
from generation import (
    blobs,
    leases,
    lipsync,
    loaded,
    performances,
    planner,
    queueing,
    releasing,
    rendering,
    transitions,
)
from generation.engine.chunk import ChunkPlan, Likeness
from generation.engine.errors import CancelledError, NoFaceError
from generation.engine.faces.models import FaceModels
from generation.engine.faces.portrait import analyse_portrait
from generation.engine.faces.track import Tracker
from generation.engine.media.chunks import ChunkSpan
from generation.engine.media.image import decode_image
from generation.engine.media.info import MediaInfo
from generation.engine.pipeline import process
from generation.engine.swap.mesh import MeshSwapper
from generation.engine.types import ChunkReport, Embedding
from generation.errors import AlreadyOverError, PermitError
from generation.gate import authority, people
from generation.gate.guard import FaceGuard
from generation.leases import Lease
from generation.marking import Finisher, MarkPlan
from generation.models import OPEN_STATES, Chunk, ChunkState, Job, JobState
from generation.presenter.errors import SpliceError
from generation.presenter.spans import Span
from generation.rendering import Parts
from generation.transitions import EXHAUSTED, MAX_ATTEMPTS, worker_name

if TYPE_CHECKING:
    from generation.gate.permit import Permit  # a type here; only the gate makes them

HEARTBEAT_S = 0.25
"""How often a running chunk reports, and asks whether it may go on."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that this worker took, as it was at that moment."""

    job: Job
    chunk: Chunk

    @property
    def out(self) -> Path:
        """Where this attempt writes: no two attempts share a file."""
        suffix = ".png" if self.job.media.kind == "image" else ".mp4"
        suffix = ".webm" if performances.is_transparent(self.job.media) else suffix
        return transitions.scratch(self.job.id) / f"{self.chunk.index:05d}-{self.chunk.attempts}{suffix}"


def run_chunk(chunk_id: int) -> None:
    """Make one chunk, unless somebody else is at it or its job has ended; ends a job that cannot be made.

    Raises:
        DatabaseError: the database is away; the chunk is taken up again.
    """
    with leases.hold(leases.CHUNKS, leases.chunk_key(chunk_id)) as lease:
        claim = _claim(chunk_id) if lease else None
        if lease is None or claim is None:
            return
        try:
            report = _make(claim, lease)
            lease.check()
            _close(claim, report)
        except Exception as error:  # noqa: BLE001  the edge of the task: the job must not stay running
            claim.out.unlink(missing_ok=True)
            transitions.conclude(claim.job.pk, error, stage="run")
            _let_go(claim.chunk)


def _let_go(chunk: Chunk) -> None:
    """Close a chunk whose job has ended; another stays running and, without a lease, is reaped."""
    ended = Job.objects.filter(pk=chunk.job_id).exclude(state__in=OPEN_STATES).first()
    if ended is None:
        return
    state = ChunkState.FAILED if ended.state == JobState.FAILED else ChunkState.CANCELLED
    Chunk.objects.filter(pk=chunk.pk, state=ChunkState.RUNNING).update(state=state, touched=timezone.now())


class Heartbeat:
    """The engine's ``progress``: writes how far the chunk is, and stops it when it may not go on."""

    def __init__(
        self, claim: Claim, permit: Permit, guard: FaceGuard, *, lease: Lease, models: FaceModels
    ) -> None:
        self._claim, self._permit, self._guard = claim, permit, guard
        self._lease, self._models = lease, models
        self._last_s = -1.0

    def __call__(self, done: int, total: int) -> None:
        """Called per segment of frames.

        Raises:
            LeaseLostError: somebody else may be at this chunk.
            CancelledError: the job has ended.
            PermitError: a consent was revoked.
            GuardAbortError: a face that was seen is blocked now.
        """
        now_s = time.monotonic()
        if done < total and 0 <= now_s - self._last_s < HEARTBEAT_S:
            return
        self._last_s = now_s
        self._lease.check()
        Chunk.objects.filter(pk=self._claim.chunk.pk).update(frames_done=done, touched=timezone.now())
        may_go_on(self._claim.job, self._permit)
        version = people.blocked_version(tenant=self._claim.job.tenant)
        if version != self._guard.gallery_version:
            self._guard.renew(people.blocked(tenant=self._claim.job.tenant, models=self._models))


def may_go_on(job: Job, permit: Permit) -> None:
    """Make sure that the job was not ended and its consents not revoked meanwhile.

    Raises:
        CancelledError: the job has ended.
        PermitError: a consent was revoked.
    """
    state = Job.objects.filter(pk=job.pk).values_list("state", flat=True).first()
    if state != JobState.RUNNING:
        raise CancelledError(f"Job {job.id} is {state}.")
    if not authority.epochs_are(job, permit.licences):
        raise PermitError("licences", "a consent was revoked while the job ran")


@transaction.atomic
def _claim(chunk_id: int) -> Claim | None:
    chunk = Chunk.objects.filter(pk=chunk_id).first()
    if chunk is None:
        return None
    job = transitions.lock(chunk.job_id)
    chunk.refresh_from_db()
    if chunk.state not in (ChunkState.QUEUED, ChunkState.RUNNING):
        return None
    if job.state not in (JobState.QUEUED, JobState.RUNNING):
        chunk.state = ChunkState.CANCELLED
        chunk.save(update_fields=["state", "touched"])
        return None
    if chunk.attempts >= MAX_ATTEMPTS:
        chunk.state = ChunkState.FAILED
        chunk.save(update_fields=["state", "touched"])
        transitions.fail(job.pk, EXHAUSTED)
        return None
    chunk.state, chunk.worker = ChunkState.RUNNING, worker_name()
    chunk.attempts, chunk.frames_done = chunk.attempts + 1, 0
    chunk.save()
    _start(job)
    return Claim(Job.objects.select_related("media").get(pk=job.pk), chunk)


def _start(job: Job) -> None:
    """The first chunk that is taken starts the job."""
    if job.state != JobState.QUEUED:
        return
    job.state, job.started = JobState.RUNNING, timezone.now()
    job.save(update_fields=["state", "started", "touched"])
    audit.append(
        GenerationStarted(job=job.id.hex, attempt=1, worker=worker_name(), device="cpu"),
        actor=transitions.system(job.tenant),
    )


def _make(claim: Claim, lease: Lease) -> ChunkReport:
    job = claim.job
    models = loaded.face_models()
    portrait = consents.open_portrait(job.portrait_id, tenant=job.tenant, purpose_consent=job.consent_id)
    source = authority.source_claim(portrait)
    inputs = (source, authority.target_claim(job))
    permit = authority.recheck(job, inputs=inputs, models=models, now=timezone.now())
    claim.out.parent.mkdir(parents=True, exist_ok=True)
    report = _process(claim, permit, portrait, models=models, lease=lease)
    # The file could have been exchanged while it was read: what was made of it is not used then.
    if authority.target_claim(job) != inputs[1]:
        raise PermitError("inputs", "the footage changed while it was read")
    return report


def _process(
    claim: Claim, permit: Permit, portrait: bytes, *, models: FaceModels, lease: Lease
) -> ChunkReport:
    job = claim.job
    performed = performances.is_performance(job.media)
    span = Span.from_record(claim.chunk.plan) if performed else None
    if span is not None and span.taken_from is not None:
        may_go_on(job, permit)
        try:
            return rendering.take_over(job, span, claim.out)
        except SpliceError as error:
            span = releasing.drawn_instead(claim.chunk, error)
    guard = _guard(job, permit, models)
    swapper, source = swapper_of(portrait, models)
    finish = Finisher(
        MarkPlan.from_record(job.marking, mark_hex=job.mark_id or ""), loaded.carrier(job.tenant)
    )
    progress = Heartbeat(claim, permit, guard, lease=lease, models=models)
    mouth = None
    if performed:
        package = performances.package_of(job.media)
        mouth = lipsync.mouth_for(job, package, work=claim.out.parent, progress=progress)
    parts = Parts(
        models=models,
        swapper=swapper,
        likeness=Likeness(embedder=models.embedder, source=source),
        guard=guard,
        finish=finish,
        progress=progress,
        settings=planner.pipeline_settings(job.mode, performed=performed),
        mouth=mouth,
    )
    report = _footage(claim, parts) if span is None else rendering.render(job, span, claim.out, parts)
    finish.write_track(claim.out)
    report.notes.append(f"The guard compared {guard.tally.embedded} faces on {guard.tally.frames} frames.")
    return report


def _footage(claim: Claim, parts: Parts) -> ChunkReport:
    """One pass over a chunk of uploaded footage."""
    media = claim.job.media
    info = MediaInfo.from_record(media.info)
    return process(
        ChunkPlan(
            source=blobs.store().path(media.sha256),
            info=info,
            span=ChunkSpan.from_record(claim.chunk.plan),
            out=claim.out,
        ),
        tracker=Tracker(parts.models, float(info.rate)),
        swapper=parts.swapper,
        guard=parts.guard,
        finish=parts.finish,
        progress=parts.progress,
        likeness=parts.likeness,
        settings=parts.settings,
    )


def swapper_of(portrait: bytes, models: FaceModels) -> tuple[MeshSwapper, Embedding]:
    """The swap of a licensed portrait, which lives in memory only, and its identity.

    Raises:
        PortraitRefusedError: it fails the enrolment gate that it passed once: the models changed.
    """
    picture = decode_image(portrait)
    report = analyse_portrait(picture, models)
    identity = report.require()
    if report.mesh is None:
        raise NoFaceError("The licensed portrait shows no face.")
    return MeshSwapper(picture, report.mesh, models.triangles), identity


def _guard(job: Job, permit: Permit, models: FaceModels) -> FaceGuard:
    """A guard that lets only the performers through that the permit names."""
    everybody = people.released(tenant=job.tenant, use=authority.use_of(job), now=timezone.now())
    named = {claim.id for claim in permit.licences}
    return FaceGuard(
        performers=people.performers(everybody, models=models).only(named),
        blocked=people.blocked(tenant=job.tenant, models=models),
        bands=people.bands(models),
    )


@transaction.atomic
def _close(claim: Claim, report: ChunkReport) -> None:
    """Write the result; whoever closes the last chunk sends the job on to sealing.

    Raises:
        AlreadyOverError: the job ended meanwhile.
    """
    job = transitions.lock(claim.job.pk)
    if job.state != JobState.RUNNING:
        raise AlreadyOverError(f"Job {job.id} is {job.state}.")
    Chunk.objects.filter(pk=claim.chunk.pk).update(
        state=ChunkState.DONE,
        path=claim.out.name,
        frames_done=report.frames,
        report=report.as_record(),
        touched=timezone.now(),
    )
    if not Chunk.objects.filter(job=job).exclude(state=ChunkState.DONE).exists():
        job.state, job.worker, job.attempts = JobState.SEALING, "", 0
        job.save(update_fields=["state", "worker", "attempts", "touched"])
        queueing.send_on_commit("seal", str(job.pk))
