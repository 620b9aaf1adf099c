"""From a submitted job to a permitted one: decide, wait for the log, sign, plan, queue."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from audit import selectors as log_entries
from audit import services as audit
from audit.errors import ReceiptTimeoutError
from audit.events import GenerationQueued
from generation import (
    exporting,
    labelling,
    leases,
    lipsync,
    loaded,
    performances,
    planner,
    queueing,
    reusing,
    transitions,
)
from generation.engine.media.chunks import ChunkSpan
from generation.engine.media.info import MediaInfo
from generation.gate import admission, authority
from generation.gate.admission import Assessment
from generation.gate.authority import Admission
from generation.leases import Lease
from generation.marking import MarkPlan
from generation.models import Chunk, Job, JobConsent, JobState
from generation.presenter import spans
from generation.presenter.spans import Span
from generation.transitions import EXHAUSTED, MAX_ATTEMPTS, worker_name
from watermark.profiles import Requirement

log = logging.getLogger(__name__)

RECEIPT_S = 1.0
RECEIPT_TRIES = 3
"""How long the log's answer is waited for here; then the reaper asks again. Nothing runs without it."""
QUOTAS = 7003
"""First key of the lock under which a licence's outputs are counted."""


def admit(job_id: uuid.UUID) -> None:
    """Take a job from ``admitting`` to ``queued`` or ``refused``; goes on where an earlier run stopped.

    Raises:
        DatabaseError: the database is away; the job is taken up again.
    """
    with taken(job_id, JobState.ADMITTING) as work:
        if work is None:
            return
        job, lease = work
        try:
            if job.decision_event is None and not _decide(job, lease):
                return
            _queue(job, lease)
        except ReceiptTimeoutError:
            log.warning(
                "Job %s waits: the log has not confirmed its decision. Does the sequencer run?", job.id
            )
        except Exception as error:  # noqa: BLE001  the edge of the task: the job must not stay admitting
            transitions.conclude(job.id, error, stage="admit")


@contextmanager
def taken(job_id: uuid.UUID, state: JobState) -> Iterator[tuple[Job, Lease] | None]:
    """The job and its lease while this worker has it; None when it is another's or no longer in ``state``.

    A worker that died in it left its name: that counts as an attempt.
    """
    with leases.hold(leases.JOBS, leases.job_key(job_id)) as lease:
        job = _take(job_id, state) if lease else None
        if lease is None or job is None:
            yield None
            return
        yield job, lease
        Job.objects.filter(pk=job_id, worker=worker_name()).update(worker="")


@transaction.atomic
def _take(job_id: uuid.UUID, state: JobState) -> Job | None:
    job = Job.objects.select_for_update(of=("self",)).select_related("media").filter(pk=job_id).first()
    if job is None or job.state != state:
        return None
    job.attempts += bool(job.worker)
    if job.attempts >= MAX_ATTEMPTS:
        transitions.fail(job_id, EXHAUSTED)
        return None
    job.worker = worker_name()
    job.save(update_fields=["worker", "attempts", "touched"])
    return job


def _decide(job: Job, lease: Lease) -> bool:
    """Decide and log it with the job's state; True when admitted."""
    nonce = admission.new_nonce()
    assessment = admission.assess(job, models=loaded.face_models(), now=timezone.now())
    lease.check()
    with transaction.atomic():
        row = transitions.lock(job.id)
        if row.state != JobState.ADMITTING:
            return False
        row.consent_id, row.source_sha256, row.portrait_id = (
            job.consent_id,
            job.source_sha256,
            job.portrait_id,
        )
        event = _record(row, assessment, nonce=nonce)
        if assessment.admission is None:
            transitions.mark_refused(row, transitions.refusal(assessment.decision.reasons))
            return False
        row.decision_event = event
        row.decision = {
            **row.decision,  # what it relies on was noted when it was submitted
            "admission": assessment.admission.as_record(),
            "nonce": nonce,
            "faces": assessment.faces,
        }
        row.save()
        _rely_on(row, assessment.admission)
    job.refresh_from_db()
    return True


def _record(row: Job, assessment: Assessment, *, nonce: str) -> uuid.UUID:
    inputs = assessment.admission.inputs if assessment.admission else ()
    return admission.record(
        row,
        assessment,
        stage="admit",
        by=transitions.system(row.tenant),
        inputs=admission.commitments(inputs, nonce=nonce),
    )


def _rely_on(row: Job, admitted: Admission) -> None:
    """Write which consents the job stands on, so that a revocation finds it."""
    roles = [JobConsent.Role.SOURCE] + [JobConsent.Role.PERFORMER] * (len(admitted.licences) - 1)
    JobConsent.objects.bulk_create(
        (
            JobConsent(job=row, consent_id=claim.id, role=role)
            for claim, role in zip(admitted.licences, roles, strict=True)
        ),
        ignore_conflicts=True,  # a voice, or somebody in the background, may stand on the same consent
    )


@dataclass(frozen=True, slots=True)
class _Plan:
    requirement: Requirement
    marks: MarkPlan
    spans: Sequence[ChunkSpan | Span]
    revises: Job | None = None


def _queue(job: Job, lease: Lease) -> None:
    """Sign the permit and send the chunks, once the log has the decision.

    Raises:
        ReceiptTimeoutError: it has not yet.
    """
    index, leaf = _receipt(job)
    plan = _plan(job)
    lease.check()
    with transaction.atomic():
        row = transitions.lock(job.id)
        if row.state != JobState.ADMITTING:
            return
        admitted = Admission.from_record(row.decision["admission"])
        row.admission_index = index
        if stop := _last_look(row, admitted):
            transitions.mark_refused(row, transitions.refusal((stop,)))
            admission.record_stop(row, reason=stop, stage="permit", by=transitions.system(row.tenant))
            return
        row.permit = authority.issue(row, admitted, index=index, now=timezone.now())
        row.decision = {**row.decision, "leaf": leaf}
        _write_plan(row, plan)
        _announce(row, admitted)


def _receipt(job: Job) -> tuple[int, str]:
    """Index and leaf hash of the decision's entry."""
    event = job.decision_event
    if event is None:
        raise ReceiptTimeoutError(f"Job {job.id} has no decision.")
    for left in reversed(range(RECEIPT_TRIES)):
        try:
            found = log_entries.receipt(event, timeout_s=RECEIPT_S)
        except ReceiptTimeoutError:
            if not left:
                raise
            continue
        return found.index, found.leaf_hash
    raise ReceiptTimeoutError(f"Job {job.id} was not tried.")


def _plan(job: Job) -> _Plan:
    info = MediaInfo.from_record(job.media.info)
    if exporting.is_export(job):
        exporting.require_approved(job)
        requirement = labelling.unlabelled(job)
    else:
        requirement = labelling.requirement_of(job)
    performed = performances.is_performance(job.media)
    if performed and (reuse := reusing.reuse_for(job, requirement)) is not None:
        return _Plan(requirement, reuse.marks, reuse.spans, reuse.earlier)
    marks = planner.marks(
        performances.pictures(job.media, info, planner.sample_times(info)),
        info,
        carrier=loaded.carrier(job.tenant),
        requirement=requirement,
        faces=labelling.faces_of(job),
    )
    if not performed:
        return _Plan(requirement, marks, planner.spans(info))
    package = performances.package_of(job.media)
    return _Plan(requirement, marks, spans.plan(package, target_s=lipsync.longest_s(package.engine)))


def _last_look(row: Job, admitted: Admission) -> str:
    """Why the job must not be queued after all; empty when it may. Holds the licence's count of outputs."""
    if not authority.epochs_are(row, admitted.licences):
        return "licence.revoked"
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [QUOTAS, row.consent_id])
    return "" if admission.outputs_left(row) > 0 else "scope.outputs"


def _write_plan(row: Job, plan: _Plan) -> None:
    row.state, row.mark_id, row.marking = JobState.QUEUED, plan.marks.mark_hex, plan.marks.as_record()
    row.labelling, row.revises = labelling.as_record(plan.requirement), plan.revises
    row.worker, row.attempts = "", 0
    row.save()
    made = Chunk.objects.bulk_create(
        Chunk(job=row, index=span.index, plan=span.as_record(), frames=span.frames) for span in plan.spans
    )
    for chunk in made:
        queueing.send_on_commit("run_chunk", chunk.pk)


def _announce(row: Job, admitted: Admission) -> None:
    audit.append(
        GenerationQueued(
            job=row.id.hex,
            identity=row.identity_id,
            consents=tuple(claim.id for claim in admitted.licences),
            inputs=admission.commitments(admitted.inputs, nonce=row.decision["nonce"]),
            admission=row.admission_index or 0,
        ),
        actor=transitions.system(row.tenant),
    )
