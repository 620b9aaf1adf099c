"""Follow a job to its end and take its file out, for programs that run beside the platform."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from generation import blobs, selectors, services

if TYPE_CHECKING:
    from audit.events import Actor
    from generation.models import Job, Presentation

POLL_S = 0.25
OPEN = {"admitting", "queued", "running", "sealing"}
PRESENTING = {"queued", "running"}

Watch = Callable[[str, float], None]
"""Gets the job's state and how much of it is done, 0..1, at every look."""


def until_ended(job_id: str, *, by: Actor, watch: Watch) -> Job:
    """Look at the job again and again until it has ended.

    Raises:
        NotFoundError: no such job in the actor's tenant.
    """
    while True:
        job = selectors.job(job_id, tenant=by.tenant)
        watch(str(job.state), selectors.progress(job).fraction)
        if job.state not in OPEN:
            return job
        time.sleep(POLL_S)


def until_presented(client_id: str, *, by: Actor, watch: Watch) -> Presentation:
    """Look at a presentation again and again until it has ended.

    Raises:
        NotFoundError: no such presentation in the actor's tenant.
    """
    while True:
        row = selectors.presentation(client_id, tenant=by.tenant)
        state = selectors.presentation_state(row)
        watch(state, selectors.presentation_progress(row))
        if state not in PRESENTING:
            return row
        time.sleep(POLL_S)


def take_out(job_id: str, out: Path, *, by: Actor) -> None:
    """Copy the sealed file to ``out``, whole or not at all; the download is logged.

    Raises:
        WithdrawnError, JobStateError, NotFoundError: there is nothing to take out.
    """
    sealed = services.download(job_id, by=by)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(sealed, part)
        part.chmod(0o644)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def write_blob(sha256: str, out: Path) -> None:
    """Write a small stored file, such as subtitles, to ``out``."""
    with blobs.store().open(sha256) as stream:
        out.write_bytes(stream.read())
    out.chmod(0o644)
