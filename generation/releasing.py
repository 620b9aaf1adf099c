"""Whoever is on a performance but was drawn by nobody here: are they still none of the blocked ones?

The guard compared the performer while their frames were drawn. Frames that were taken over from an earlier
video were compared when that one was made, and what stands around the performer before a word was spoken.
"""

from __future__ import annotations

import logging

from generation import backdrops
from generation.errors import StaleFramesError
from generation.gate import people
from generation.gate.authority import Admission
from generation.models import Chunk, Job
from generation.presenter.errors import SpliceError
from generation.presenter.spans import Span

log = logging.getLogger(__name__)


def drawn_instead(chunk: Chunk, error: SpliceError) -> Span:
    """The span of a chunk whose frames cannot be taken over: it is drawn and compared like any other."""
    log.warning("Job %s: frames are drawn again. %s", chunk.job_id, error)
    chunk.plan = {**chunk.plan, "taken_from": None}
    chunk.save(update_fields=["plan", "touched"])
    return Span.from_record(chunk.plan)


def require_compared(job: Job) -> None:
    """Make sure of it before the output is sealed.

    Raises:
        StaleFramesError: frames were taken over, and the block list changed since the job was admitted.
        GuardAbortError: somebody around the performer may not be there any more.
        NotFoundError: something around them is gone.
    """
    if not _taken_as_admitted(job):
        raise StaleFramesError
    backdrops.require_current(job)


def is_compared(job: Job) -> bool:
    """The same under the job's lock, where there is no time to look at anybody again."""
    return _taken_as_admitted(job) and backdrops.is_current(job)


def _taken_as_admitted(job: Job) -> bool:
    plans = Chunk.objects.filter(job=job).values_list("plan", flat=True)
    if all(plan.get("taken_from") is None for plan in plans):
        return True
    admitted = Admission.from_record(job.decision["admission"])
    return people.blocked_version(tenant=job.tenant) == admitted.gallery
