"""The log's nightly work. The task may run twice; it changes nothing but its report."""

from celery import shared_task

from audit import report


@shared_task(soft_time_limit=6 * 3600, time_limit=6 * 3600 + 60, max_retries=0)
def check() -> int:
    """Check the whole log and keep the signed report; how many things do not hold."""
    return report.nightly()
