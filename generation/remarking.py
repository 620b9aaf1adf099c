"""The second and last attempt at an output whose invisible mark could not be read back: made again, stronger.

The mark lies under the encoder, so the chunks are made anew; id, permit and label stay. A job whose marks are
in the robust profile already ends at once, as does one that fails again: no file leaves with a mark that
cannot be read, and a clip that can carry none (black, one colour) is not delivered.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import replace

from django.db import transaction

from generation import queueing, transitions
from generation.errors import AlreadyOverError
from generation.marking import MarkPlan
from generation.models import Chunk, ChunkState, Job, JobState
from watermark.invisible import Profile

log = logging.getLogger(__name__)

RETRIES = "mark_retries"
"""In the job's report: how often the output was made again for its mark; 0 or 1."""
READABLE = "mark_readable"
"""In the job's report: whether the delivered file, or the last attempt, gave its mark back."""


STEP_DB = 3.0
"""By how much the texture of the robust profile is marked above that of the standard one."""


def stronger(plan: MarkPlan) -> MarkPlan | None:
    """The same plan in the robust profile; None when it is so already.

    The change in texture is linear in the strength; flat areas get what the profile says.
    """
    if plan.profile == Profile.ROBUST:
        return None
    return replace(plan, profile=str(Profile.ROBUST), strength=plan.strength * 10 ** (STEP_DB / 20))


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
    _send_back(job, plan)
    return True


def _send_back(job: Job, plan: MarkPlan) -> None:
    log.warning("Job %s: the mark was not readable; the output is made again with %s.", job.id, plan.profile)
    job.state, job.worker, job.attempts = JobState.RUNNING, "", 0
    job.marking, job.report = plan.as_record(), {**job.report, RETRIES: 1}
    job.save(update_fields=["state", "worker", "attempts", "marking", "report", "touched"])
    for chunk in Chunk.objects.filter(job=job):
        (transitions.scratch(job.pk) / chunk.path).unlink(missing_ok=True)
        chunk.state, chunk.attempts, chunk.frames_done = ChunkState.QUEUED, 0, 0
        chunk.worker = chunk.path = ""
        if "taken_from" in chunk.plan:  # what was marked before was marked weaker
            chunk.plan = {**chunk.plan, "taken_from": None}
        chunk.save()
        queueing.send_on_commit("run_chunk", chunk.pk)
