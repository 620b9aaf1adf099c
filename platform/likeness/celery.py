"""The Celery application: ``celery -A likeness worker -Q gpu,cpu,io``."""

from __future__ import annotations

from celery import Celery
from celery.signals import worker_process_init

from likeness import env

env.use_settings()

app = Celery("likeness")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _one_thread_a_call(**_: object) -> None:
    """Let OpenCV use one thread a call: frames are small, and its threads wait more than they work."""
    import cv2

    cv2.setNumThreads(1)
