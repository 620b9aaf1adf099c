"""The second and last attempt at an output that may not leave as it is.

One whose invisible mark could not be read back is made again, stronger. The mark lies under the encoder, so
the chunks are made anew; id, permit and label stay. A job whose marks are in the robust profile already ends
at once, as does one that fails again: no file leaves with a mark that cannot be read, and a clip that can
carry none (black, one colour) is not delivered.

One whose mouth and sound do not agree is made again where another engine than the embedded one drove it: that
one does then.

One whose frames were taken over from an earlier video is drawn itself when the block list changed meanwhile.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace

from django.db import transaction

from generation import lipsync, queueing, transitions
from generation.errors import AlreadyOverError, StaleFramesError, SyncOutOfBoundsError
from generation.marking import MarkPlan
from generation.models import Chunk, ChunkState, Job, JobState
from generation.presenter.engines import Kind, after_sync
from generation.presenter.errors import SyncUnmeasuredError
from watermark.errors import MarkUnreadableError
from watermark.invisible import Profile

log = logging.getLogger(__name__)

RETRIES = "mark_retries"
"""In the job's report: how often the output was made again for its mark; 0 or 1."""
READABLE = "mark_readable"
"""In the job's report: whether the delivered file, or the last attempt, gave its mark back."""


MENDED = (MarkUnreadableError, SyncOutOfBoundsError, SyncUnmeasuredError, StaleFramesError)
"""What another attempt may mend."""
STEP_DB = 3.0
"""By how much the texture of the robust profile is marked above that of the standard one."""


def stronger(plan: MarkPlan) -> MarkPlan | None:
    """The same plan in the robust profile; None when it is so already.

    The change in texture is linear in the strength; flat areas get what the profile says.
    """
    if plan.profile == Profile.ROBUST:
        return None
    return replace(plan, profile=str(Profile.ROBUST), strength=plan.strength * 10 ** (STEP_DB / 20))


def again(job_id: uuid.UUID, error: Exception) -> bool:
    """Send a sealing job back to the workers where another attempt may help against this error.

    Raises:
        AlreadyOverError: the job ended meanwhile.
    """
    if isinstance(error, MarkUnreadableError):
        return mark_again(job_id)
    if isinstance(error, SyncOutOfBoundsError | SyncUnmeasuredError):
        return drive_again(job_id, error)
    return isinstance(error, StaleFramesError) and draw_again(job_id)


@transaction.atomic
def mark_again(job_id: uuid.UUID) -> bool:
    """Send all chunks of a sealing job back to the workers, once; False when that would help nothing.

    Raises:
        AlreadyOverError: the job ended meanwhile.
    """
    job = transitions.lock(job_id)
    if job.state != JobState.SEALING:
        raise AlreadyOverError(f"Job {job.id} is {job.state}.")
    plan = None
    if not job.report.get(RETRIES):
        plan = stronger(MarkPlan.from_record(job.marking, mark_hex=job.mark_id or ""))
    if plan is None:
        job.report = {**job.report, READABLE: False}
        job.save(update_fields=["report", "touched"])
        return False
    log.warning("Job %s: the mark was not readable; the output is made again with %s.", job.id, plan.profile)
    job.marking, job.report = plan.as_record(), {**job.report, RETRIES: 1}
    _send_back(job)
    return True


@transaction.atomic
def drive_again(job_id: uuid.UUID, error: SyncOutOfBoundsError | SyncUnmeasuredError) -> bool:
    """Send all chunks of a sealing job back, to be driven by the embedded engine, once.

    False where that engine drew everything already.

    Raises:
        AlreadyOverError: the job ended meanwhile.
    """
    job = transitions.lock(job_id)
    if job.state != JobState.SEALING:
        raise AlreadyOverError(f"Job {job.id} is {job.state}.")
    reports = Chunk.objects.filter(job=job).order_by("index").values_list("report", flat=True)
    drew = (name for report in reports for name in lipsync.drawn_by(report))
    other = next((name for name in drew if lipsync.kind_of(name) is not Kind.PUPPET), "")
    fallback = after_sync(error, kind=lipsync.kind_of(other))
    if fallback is None:
        return False
    log.warning("Job %s: %s It is made again by the embedded engine.", job.id, fallback.message)
    job.report = {**job.report, lipsync.REPORT: lipsync.while_redone(replace(fallback, engine=other))}
    _send_back(job)
    return True


@transaction.atomic
def draw_again(job_id: uuid.UUID) -> bool:
    """Send all chunks of a sealing job back, so that nothing is taken over; False where nothing was.

    Raises:
        AlreadyOverError: the job ended meanwhile.
    """
    job = transitions.lock(job_id)
    if job.state != JobState.SEALING:
        raise AlreadyOverError(f"Job {job.id} is {job.state}.")
    plans = Chunk.objects.filter(job=job).values_list("plan", flat=True)
    if all(plan.get("taken_from") is None for plan in plans):
        return False
    log.warning("Job %s: the block list changed; what was taken over is drawn again.", job.id)
    _send_back(job)
    return True


def _send_back(job: Job) -> None:
    job.state, job.worker, job.attempts = JobState.RUNNING, "", 0
    job.save(update_fields=["state", "worker", "attempts", "marking", "report", "touched"])
    for chunk in Chunk.objects.filter(job=job):
        (transitions.scratch(job.pk) / chunk.path).unlink(missing_ok=True)
        chunk.state, chunk.attempts, chunk.frames_done = ChunkState.QUEUED, 0, 0
        chunk.worker = chunk.path = ""
        if "taken_from" in chunk.plan:  # it was marked weaker, driven by another engine, or never compared
            chunk.plan = {**chunk.plan, "taken_from": None}
        chunk.save()
        queueing.send_on_commit("run_chunk", chunk.pk)
