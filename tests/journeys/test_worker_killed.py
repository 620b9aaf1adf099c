"""A worker that dies in the middle of a job: the job goes on, and ends once."""

import os
import signal
import uuid
from collections import Counter
from pathlib import Path

import httpx
import psutil
import pytest

from tests.journeys.conftest import Answer, Running, wait_for

pytestmark = [pytest.mark.weights, pytest.mark.slow]

RESUMED_WITHIN_S = 10


def submit(client: httpx.Client, identity: str, footage: Path, *, key: str = "") -> httpx.Response:
    with footage.open("rb") as file:
        media = client.post("/api/v1/media/", files={"file": file}).raise_for_status().json()
    body = {
        "identity": identity,
        "media": media["id"],
        "purpose": "customer_service",
        "channel": "mobile_app",
    }
    headers = {"Idempotency-Key": key or uuid.uuid4().hex}
    return client.post("/api/v1/jobs/", json=body, headers=headers)


def kill(pid: int) -> None:
    """SIGKILL to a worker and its children, as when the machine's memory runs out."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        os.kill(process.pid, signal.SIGKILL)


def test_killed_worker_loses_nothing_and_doubles_nothing(running: Running, demo: Answer) -> None:
    footage = running.home / "work" / "demo" / "performer.mp4"
    with running.client("requester") as client:
        job = submit(client, demo.document["trace"]["identity"], footage).raise_for_status().json()

        def now() -> dict[str, object]:
            found: dict[str, object] = client.get(job["links"]["self"]).raise_for_status().json()
            return found

        wait_for(lambda: now()["state"] == "running" and now()["chunks"]["frames_done"] > 12, timeout_s=120)
        dead = running.pid_of("worker")
        kill(dead)
        wait_for(lambda: running.pid_of("worker") != dead, timeout_s=30)
        resumed = wait_for(lambda: now()["chunks"]["attempts"] == 2, timeout_s=60)
        wait_for(lambda: now()["state"] not in ("queued", "running", "sealing"), timeout_s=240)
        ended = now()
    assert ended["state"] == "done", ended
    assert resumed < RESUMED_WITHIN_S
    with running.client("auditor") as auditor:
        found = auditor.get(
            "/api/v1/audit/entries/", params={"kind": "job", "value": job["id"].replace("-", "")}
        )
        types = Counter(entry["type"] for entry in found.raise_for_status().json()["results"])
    assert types["generation.finished"] == 1
    assert types["label.applied"] == 1
    assert not list((running.home / "work").glob(f"*{job['id']}*")), "scratch files were left"


def test_same_request_twice_gives_one_job(running: Running, demo: Answer) -> None:
    footage = running.home / "work" / "demo" / "performer.mp4"
    key = uuid.uuid4().hex
    with running.client("requester") as client:
        first = submit(client, demo.document["trace"]["identity"], footage, key=key)
        again = submit(client, demo.document["trace"]["identity"], footage, key=key)
        assert first.status_code == again.status_code == 202
        assert first.json()["id"] == again.json()["id"]
        client.post(f"/api/v1/jobs/{first.json()['id']}/cancel").raise_for_status()
