"""Work that nobody does any more is sent again: the rows say what there is to do, the leases who is at it."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from django.utils import timezone

from generation import hooks, leases, queueing, summing, templating, transitions
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

RESEND_AFTER_S = 60
"""A message that was not taken for so long counts as lost; sending it twice is harmless."""
ASK_LOG_AFTER_S = 2
"""A job that waits for the log's receipt asks again so often."""
DRIVEN = (PresentationState.QUEUED, PresentationState.DRIVING)
STEPS = {JobState.ADMITTING: "admit", JobState.SEALING: "seal"}
"""The states that a whole job is worked on in, and the task that does it."""


def reap() -> int:
    """Send again what a dead worker left or the broker lost; gives how many messages went out."""
    sent = _running_chunks() + _queued_chunks() + _presentations() + hooks.send_due()
    sent += templating.send_overdue()
    sent += sum(_whole_jobs(state) for state in STEPS)
    summing.settle()
    for folder in transitions.stale_scratch():
        shutil.rmtree(folder, ignore_errors=True)
    return sent


def _running_chunks() -> int:
    """Chunks whose worker is gone: back to the queue, or closed when their job has ended."""
    sent = 0
    for chunk in Chunk.objects.filter(state=ChunkState.RUNNING).select_related("job"):
        with leases.hold(leases.CHUNKS, leases.chunk_key(chunk.pk)) as lease:
            if lease is None:
                continue
            wanted = chunk.job.state in OPEN_STATES
            state = ChunkState.QUEUED if wanted else ChunkState.CANCELLED
            moved = Chunk.objects.filter(pk=chunk.pk, state=ChunkState.RUNNING).update(
                state=state, worker="", touched=timezone.now()
            )
        if moved and wanted:
            log.warning("Chunk %s of job %s lost its worker and is queued again.", chunk.index, chunk.job_id)
            queueing.send("run_chunk", chunk.pk)
            sent += 1
    return sent


def _queued_chunks() -> int:
    """Chunks whose message was lost."""
    late = timezone.now() - timedelta(seconds=RESEND_AFTER_S)
    waiting = Chunk.objects.filter(state=ChunkState.QUEUED, touched__lt=late, job__state__in=OPEN_STATES)
    keys = list(waiting.values_list("pk", flat=True))
    for key in keys:
        queueing.send("run_chunk", key)
    Chunk.objects.filter(pk__in=keys).update(touched=timezone.now())
    return len(keys)


def _whole_jobs(state: JobState) -> int:
    """Jobs whose worker died, whose message was lost, or that wait for the log."""
    sent = 0
    for job in Job.objects.filter(state=state).only("pk", "worker", "decision_event", "touched", "state"):
        if not _is_due(job):
            continue
        with leases.hold(leases.JOBS, leases.job_key(job.pk)) as lease:
            if lease is None:
                continue
            moved = Job.objects.filter(pk=job.pk, state=state).update(touched=timezone.now())
        if moved:
            queueing.send(STEPS[state], str(job.pk))
            sent += 1
    return sent


def _presentations() -> int:
    """Scripts whose worker died or whose message was lost."""
    sent = 0
    for row in Presentation.objects.filter(state__in=DRIVEN).only("pk", "worker", "touched", "state"):
        waited_s = (timezone.now() - row.touched).total_seconds()
        if waited_s <= (ASK_LOG_AFTER_S if row.worker else RESEND_AFTER_S):
            continue
        with leases.hold(leases.PRESENTATIONS, leases.job_key(row.pk)) as lease:
            if lease is None:
                continue
            Presentation.objects.filter(pk=row.pk).update(touched=timezone.now())
        queueing.send("drive", str(row.pk))
        sent += 1
    return sent


def _is_due(job: Job) -> bool:
    waited_s = (timezone.now() - job.touched).total_seconds()
    asks_log = job.state == JobState.ADMITTING and job.decision_event is not None
    if job.worker or asks_log:
        return waited_s > ASK_LOG_AFTER_S
    return waited_s > RESEND_AFTER_S
