"""What workers are sent: one id each. Every task may run twice, has limits, a queue, and its retry rule.

None retries by itself: the rows are the truth, and ``reap`` sends again what was left lying.
"""

from __future__ import annotations

import uuid

from celery import shared_task

from generation import hooks, performing, services, trying


@shared_task(queue="cpu", soft_time_limit=300, time_limit=330, max_retries=0)
def admit(job_id: str) -> None:
    """Decide about a job and queue its chunks."""
    services.admit(uuid.UUID(job_id))


@shared_task(queue="gpu", soft_time_limit=3600, time_limit=3660, max_retries=0)
def run_chunk(chunk_id: int) -> None:
    """Make one chunk; the limit is for ten seconds of 4K on a slow core."""
    services.run_chunk(int(chunk_id))


@shared_task(queue="cpu", soft_time_limit=900, time_limit=930, max_retries=0)
def seal(job_id: str) -> None:
    """Seal and deliver a job's output."""
    services.seal(uuid.UUID(job_id))


@shared_task(queue="cpu", soft_time_limit=3600, time_limit=3660, max_retries=0)
def drive(presentation_id: str) -> None:
    """Say a script and drive its performer; half an hour of video on a slow core."""
    performing.perform(uuid.UUID(presentation_id))


@shared_task(queue="cpu", soft_time_limit=300, time_limit=330, max_retries=0)
def try_template(version_id: str) -> None:
    """Make and measure two seconds of a new template."""
    trying.try_version(uuid.UUID(version_id))


@shared_task(queue="io", soft_time_limit=30, time_limit=40, max_retries=0)
def call(delivery_id: str) -> None:
    """Send a message to a hook; it answers within six seconds, or is asked again later."""
    hooks.deliver(uuid.UUID(delivery_id))


@shared_task(queue="io", soft_time_limit=30, time_limit=40, max_retries=0)
def reap() -> int:
    """Send again what a dead worker left or the broker lost; beat calls it every second."""
    return services.reap()
