"""How a job ends: each way is one change of its row, of its chunks, and of the log, in one transaction."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import socket
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from audit import services as audit
from audit.events import (
    SYSTEM,
    Actor,
    GenerationCancelled,
    GenerationFailed,
    OutputWithdrawn,
)
from consent.errors import ConsentError
from generation import hooks
from generation.engine.errors import CancelledError, GuardAbortError
from generation.errors import AlreadyOverError, LeaseLostError, PermitError
from generation.gate import admission
from generation.gate.reasons import hint
from generation.models import (
    OPEN_STATES,
    Chunk,
    ChunkState,
    Job,
    JobState,
    Presentation,
    PresentationState,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class End:
    """Why a job ended: a stable code, a sentence, what to do next, and every reason code."""

    code: str
    message: str
    hint: str = ""
    reasons: tuple[str, ...] = ()


MAX_ATTEMPTS = 3
EXHAUSTED = End(
    "attempts_exhausted",
    f"The work failed {MAX_ATTEMPTS} times without a reason that could be told.",
    "See the worker's log; then submit the job again.",
)


def worker_name() -> str:
    """This worker's machine and process."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def system(tenant: str) -> Actor:
    """The platform itself, acting in a tenant."""
    return Actor(SYSTEM, tenant)


def lock(job_id: uuid.UUID) -> Job:
    """The job's row, held until the transaction ends."""
    return Job.objects.select_for_update().get(pk=job_id)


def is_open(job: Job) -> bool:
    """True while the job still moves."""
    return job.state in OPEN_STATES


def conclude(job_id: uuid.UUID, error: Exception, *, stage: str) -> None:
    """Close the job as the error of its worker demands.

    Nothing is done for work that is no longer wanted or is somebody else's.

    Raises:
        DatabaseError: the database is away; the work is taken up again when it is back.
    """
    if isinstance(error, CancelledError | AlreadyOverError | LeaseLostError):
        log.info("Job %s, %s: stopped (%s).", job_id, stage, type(error).__name__)
        return
    if isinstance(error, DatabaseError | InterfaceError):
        raise error
    if isinstance(error, GuardAbortError | PermitError | ConsentError):
        refuse(job_id, end_of(error), stage=stage)
        return
    if not hasattr(error, "code"):
        log.error("Job %s, %s failed.", job_id, stage, exc_info=error)
    fail(job_id, end_of(error))


def refusal(reasons: tuple[str, ...]) -> End:
    """What the requester is told of a refusal."""
    return End(reasons[0], f"Refused: {', '.join(reasons)}.", hint(reasons[0]), reasons)


def end_of(error: Exception) -> End:
    """What a client is told of an error."""
    if isinstance(error, GuardAbortError):
        return End(error.reason, f"The gate stopped the job: {error}", hint(error.reason), (error.reason,))
    if isinstance(error, SoftTimeLimitExceeded):
        return End("job.timeout", "The work took too long.", "Use a shorter or smaller clip.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return End(
            "disk.full", "The disk is full.", "Free space under LIKENESS_HOME, then submit the job again."
        )
    code = getattr(error, "code", None)
    if not isinstance(code, str):
        return End("internal", "Something failed in the worker.", "See the worker's log.")
    return End(code, str(error), str(getattr(error, "hint", "")), (code,))


@transaction.atomic
def refuse(job_id: uuid.UUID, end: End, *, stage: str) -> bool:
    """Close an open job as refused and log the gate's decision; False when it had ended already."""
    job = lock(job_id)
    if not is_open(job):
        return False
    mark_refused(job, end)
    admission.record_stop(job, reason=end.code, stage=stage, by=system(job.tenant))
    return True


@transaction.atomic
def fail(job_id: uuid.UUID, end: End) -> bool:
    """Close an open job as failed; False when it had ended already."""
    job = lock(job_id)
    if not is_open(job):
        return False
    _close(job, JobState.FAILED, end)
    audit.append(
        GenerationFailed(job=job.id.hex, attempt=job.attempts, code=end.code), actor=system(job.tenant)
    )
    return True


def mark_refused(job: Job, end: End) -> None:
    """Close a locked job as refused; the caller appends the gate's decision in the same transaction."""
    _close(job, JobState.REFUSED, end)


@transaction.atomic
def cancel(job_id: uuid.UUID, end: End, *, by: Actor) -> bool:
    """Close an open job as cancelled; False when it had ended already.

    Workers see the row at their next segment, and whoever closes a chunk or seals finds it under the lock.
    """
    job = lock(job_id)
    if not is_open(job):
        return False
    job.cancel_requested = True
    _close(job, JobState.CANCELLED, end)
    audit.append(GenerationCancelled(job=job.id.hex, attempt=job.attempts), actor=by)
    return True


@transaction.atomic
def withdraw(job_id: uuid.UUID, *, consent_id: str, by: Actor) -> bool:
    """Withdraw a delivered output; False when the job has none."""
    job = lock(job_id)
    if job.state != JobState.DONE:
        return False
    job.state = JobState.WITHDRAWN
    job.code, job.message = "output.withdrawn", "The licence of this output was revoked."
    job.save(update_fields=["state", "code", "message", "touched"])
    hooks.job_ended(job)
    audit.append(
        OutputWithdrawn(
            job=job.id.hex, output=job.output_sha256, consent=consent_id, reason="licence.revoked"
        ),
        actor=by,
    )
    return True


def scratch(job_id: uuid.UUID) -> Path:
    """The job's folder of unfinished files."""
    return Path(settings.LIKENESS_WORK) / job_id.hex


def clear_if_over(job_id: uuid.UUID) -> None:
    """Remove the unfinished files of a job that has ended."""
    if not Job.objects.filter(pk=job_id, state__in=OPEN_STATES).exists():
        shutil.rmtree(scratch(job_id), ignore_errors=True)


def stale_scratch() -> Iterable[Path]:
    """Folders of jobs and presentations that have ended and have no chunk at work."""
    folder = Path(settings.LIKENESS_WORK)
    names = {path.name: path for path in folder.iterdir() if path.is_dir()} if folder.is_dir() else {}
    ids = {name: _uuid(name) for name in names}
    keys = [key for key in ids.values() if key is not None]
    busy = set(Job.objects.filter(pk__in=keys, state__in=OPEN_STATES).values_list("pk", flat=True))
    driven = Presentation.objects.filter(
        pk__in=keys, state__in=(PresentationState.QUEUED, PresentationState.DRIVING)
    )
    busy |= set(driven.values_list("pk", flat=True))
    busy |= set(
        Chunk.objects.filter(job_id__in=keys, state=ChunkState.RUNNING).values_list("job_id", flat=True)
    )
    return [names[name] for name, key in ids.items() if key is not None and key not in busy]


def _uuid(name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(hex=name)
    except ValueError:
        return None


def _close(job: Job, state: JobState, end: End) -> None:
    job.state = state
    job.code, job.message, job.hint, job.reasons = end.code, end.message, end.hint, list(end.reasons)
    job.finished = timezone.now()
    job.save()
    waiting = Chunk.objects.filter(job=job, state=ChunkState.QUEUED)
    waiting.update(state=ChunkState.CANCELLED, touched=job.finished)
    hooks.job_ended(job)
    log.info("Job %s is %s: %s", job.id, state, end.code)
