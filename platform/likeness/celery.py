"""The Celery application: ``celery -A likeness worker -Q gpu,cpu,io``."""

from __future__ import annotations

from celery import Celery

from likeness import env

env.use_settings()

app = Celery("likeness")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
