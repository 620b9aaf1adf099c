"""One governed generation through the real parts, without a broker between."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import av
import pytest

from audit import selectors as log
from audit.leaf import KeyKind
from generation import selectors, services, transitions
from generation.models import Job
from watermark.metadata import read_label

pytestmark = [pytest.mark.weights, pytest.mark.slow]


def test_a_permitted_job_becomes_one_marked_and_logged_file(
    studio: Any, work: Any, astronaut: bytes, hopper: bytes, clip: bytes
) -> None:
    licence = studio.enrol(astronaut)
    studio.enrol(hopper, kind="performer", status="deceased")
    media = services.upload(io.BytesIO(clip), name="a.mp4", by=studio.by["requester"])

    job = services.submit(studio.request(licence, media), by=studio.by["requester"])
    work()
    job = Job.objects.get(pk=job.pk)

    assert (job.state, job.code, job.message) == ("done", "", ""), job.message
    path = services.download(job.pk, by=studio.by["requester"])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == job.output_sha256
    assert job.output_mime == "video/mp4"
    with av.open(str(path)) as opened:
        assert sum(1 for _ in opened.decode(video=0)) == 50
    with av.open(str(path)) as opened:
        assert sum(1 for _ in opened.decode(audio=0)) > 0
    label = read_label(path).label
    assert label is not None
    assert label.produce_id == job.id.hex
    assert job.report["swapped"] == 50
    assert selectors.by_mark(job.mark_id or "") == job
    assert selectors.progress(job).fraction == 1.0
    assert not transitions.scratch(job.pk).exists()

    log.receipt(_last_event(), timeout_s=5)
    kinds = [entry.type for entry in log.entries(KeyKind.JOB, job.id.hex)]
    assert sorted(kinds) == sorted(
        [
            "gate.decided",
            "generation.queued",
            "generation.started",
            "label.applied",
            "generation.finished",
            "output.downloaded",
        ]
    )
    assert log.entry(job.admission_index or -1).type == "gate.decided"


def _last_event() -> Any:
    import time

    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = [entry for entry in log.latest(20) if entry.type == "output.downloaded"]
        if found:
            return found[0].event_id
        time.sleep(0.05)
    raise AssertionError("the download was not logged")
