"""The log's nightly work. Each task may run twice: a check only writes its report, a head is stamped once."""

from celery import shared_task

from audit import report, sequencer, stamping
from audit.errors import TimestampUnavailableError


@shared_task(soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60, max_retries=0)
def check() -> int:
    """Check the whole log and keep the signed report; how many things do not hold."""
    return report.nightly()


@shared_task(
    soft_time_limit=60,
    time_limit=70,
    autoretry_for=(TimestampUnavailableError,),
    max_retries=6,
    retry_backoff=60,
    retry_backoff_max=3600,
)
def stamp() -> int:
    """Have the configured authority stamp the newest head, asking for an hour; its size, 0 for nothing."""
    by = stamping.configured()
    if by is None:
        return 0
    with sequencer.connect() as connection:
        return stamping.stamp_newest(connection, by)
