"""Messages to the workers: they carry one id, may be lost or doubled, and never hold up a request."""

from __future__ import annotations

import logging
from functools import partial

from celery import current_app
from django.db import transaction

log = logging.getLogger(__name__)

QUEUES = {
    "admit": "cpu",
    "run_chunk": "gpu",
    "seal": "cpu",
    "drive": "cpu",
    "call": "io",
    "try_template": "cpu",
}
"""Task -> queue; the tasks name the same queues."""


def send(task: str, key: str | int) -> None:
    """Send one id to a task now. When the broker is away, the reaper sends it later."""
    try:
        current_app.send_task(f"generation.tasks.{task}", args=[key], queue=QUEUES[task], ignore_result=True)
    except Exception:  # whatever the client raises: the row is the truth, the reaper sends
        log.warning("The broker did not take %s for %s; the reaper will send it.", task, key, exc_info=True)


def send_on_commit(task: str, key: str | int) -> None:
    """Send it when the transaction around is committed."""
    transaction.on_commit(partial(send, task, key))
