"""Nightly work on consents. The task may run twice: what is closed is not closed again."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from consent import expiry


@shared_task(soft_time_limit=1800, time_limit=1860, max_retries=0)
def expire() -> int:
    """Close every licence whose term has ended; how many. The next night tries again."""
    return expiry.expire_all(now=timezone.now())
