"""The finished file on its way out: stored under its hash, written into the job, fetched by people."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from django.db.models import Q
from django.utils import timezone

from generation import blobs
from generation.errors import ExportError, JobStateError, NotFoundError, WithdrawnError
from generation.models import Job, JobState
from generation.sealing import Sealed

NAMED = ("output_sha256", "manifest_sha256", "poster_sha256", "content_sha256", "before_sha256")


@dataclass(frozen=True, slots=True)
class Stored:
    """Names of what was stored."""

    output: str
    manifest: str
    poster: str
    content: str
    before: str


def store(sealed: Sealed) -> Stored:
    """Put the output, its manifest and its small pictures into the blob store; all of them, or none.

    Raises:
        BlobWriteError: the disk did not take one.
    """
    put: list[str] = []
    try:
        put.append(blobs.put_file(sealed.path))
        for data in (sealed.manifest, sealed.poster, sealed.content, sealed.before):
            put.append(blobs.store().put(io.BytesIO(data)))
    except BaseException:
        _delete(put)
        raise
    return Stored(*put)


def discard(stored: Stored) -> None:
    """Remove the blobs of an output that will not be delivered."""
    _delete([stored.output, stored.manifest, stored.poster, stored.content, stored.before])


def write(job: Job, sealed: Sealed, stored: Stored, *, report: dict[str, Any]) -> None:
    """Close a locked job as done."""
    job.state, job.finished, job.worker = JobState.DONE, timezone.now(), ""
    job.output_sha256, job.output_bytes, job.output_mime = stored.output, sealed.size_bytes, sealed.mime
    job.manifest_sha256, job.poster_sha256 = stored.manifest, stored.poster
    job.content_sha256, job.before_sha256 = stored.content, stored.before
    job.report = {**report, "input": sealed.input.as_record(), "credential": sealed.credential}
    job.save()


def output_path(job: Job) -> Path:
    """The delivered file.

    Raises:
        WithdrawnError: its licence was revoked.
        JobStateError: the job has no output.
        NotFoundError: the file is gone.
    """
    return _path(job, job.output_sha256)


def player_path(job: Job) -> Path:
    """The delivered file for a player, which asks for parts of it; no entry in the log.

    Raises:
        ExportError: a copy without the visible label is only handed out whole, and logged each time.
        WithdrawnError, JobStateError, NotFoundError: as ``output_path``.
    """
    if job.derived_from_id is not None:
        raise ExportError(f"Job {job.id} made a copy without the visible label: it is not played here.")
    return output_path(job)


def poster_path(job: Job) -> Path:
    """A picture of the delivered file, as JPEG; withdrawn with it."""
    return _path(job, job.poster_sha256)


def manifest_path(job: Job) -> Path:
    """The content credential of the delivered file, kept apart: for copies that lost theirs."""
    return _path(job, job.manifest_sha256)


def content_path(job: Job) -> Path:
    """The thumbnails of the delivered file that tell a copied mark."""
    return _path(job, job.content_sha256)


def before_path(job: Job) -> Path:
    """The frame of the footage that the poster was made of, as JPEG."""
    return _path(job, job.before_sha256)


def _path(job: Job, sha256: str) -> Path:
    if job.state == JobState.WITHDRAWN:
        raise WithdrawnError(f"The output of job {job.id} was withdrawn.")
    if job.state != JobState.DONE:
        raise JobStateError(f"Job {job.id} is {job.state}: it has no output.")
    if not sha256 or not blobs.store().exists(sha256):
        raise NotFoundError("The file is gone.")
    return blobs.store().path(sha256)


def _delete(names: list[str]) -> None:
    """Delete what no job's row names: two outputs may have the very same pictures."""
    for name in names:
        if not Job.objects.filter(reduce(or_, (Q(**{field: name}) for field in NAMED))).exists():
            blobs.store().delete(name)
