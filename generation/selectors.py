"""Questions about media, jobs and outputs: each for one tenant, except the lookups of a found mark."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Prefetch, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL

from generation import blobs
from generation.errors import NotFoundError
from generation.models import (
    OPEN_STATES,
    Chunk,
    Export,
    Job,
    JobState,
    Media,
    Presentation,
    PresentationState,
)

MAX_PAGE = 200
SCRIPT_SHA256 = "generation_script_sha256(script)"
_TENANTS = """
WITH RECURSIVE step AS (
  (SELECT tenant FROM generation_job ORDER BY tenant LIMIT 1)
  UNION ALL
  SELECT (SELECT tenant FROM generation_job WHERE tenant > step.tenant ORDER BY tenant LIMIT 1)
  FROM step WHERE step.tenant IS NOT NULL
)
SELECT tenant FROM step WHERE tenant IS NOT NULL
"""
ADMITTED_SHARE = 0.05
"""How much of the bar an admitted job fills before its first frame; sealing takes as much at the end."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs, newest first, and the cursor of the next page or an empty text."""

    results: tuple[Job, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``fraction`` 0..1, frames and chunks done, and attempts of the most tried chunk."""

    fraction: float
    frames: int
    frames_done: int
    chunks: int
    chunks_done: int
    attempts: int


def media(media_id: str | uuid.UUID, *, tenant: str) -> Media:
    """An uploaded file.

    Raises:
        NotFoundError: none of that id in this tenant, or somebody on it was erased.
    """
    found = _find(Media, media_id, tenant)
    if not isinstance(found, Media) or found.erased is not None:
        raise NotFoundError("There is no such media.")
    return found


def media_by_sha256(sha256: str, *, tenant: str) -> Media:
    """The uploaded file with these bytes.

    Raises:
        NotFoundError: none with these bytes in this tenant, or somebody on it was erased.
    """
    found = Media.objects.filter(tenant=tenant, sha256=sha256, erased=None).first()
    if found is None:
        raise NotFoundError("There is no such media.")
    return found


def job(job_id: str | uuid.UUID, *, tenant: str) -> Job:
    """A job.

    Raises:
        NotFoundError: none of that id in this tenant.
    """
    found = _find(Job, job_id, tenant)
    if not isinstance(found, Job):
        raise NotFoundError("There is no such job.")
    return found


def all_jobs(*, tenant: str, state: str | None = None) -> QuerySet[Job]:
    """The tenant's jobs, or those in one state, for pages that are cut elsewhere."""
    parts = Prefetch("chunks", queryset=Chunk.objects.defer("report", "plan"))
    rows = Job.objects.filter(tenant=tenant).select_related("media").prefetch_related(parts)
    return rows.filter(state=state) if state else rows


def jobs(*, tenant: str, state: str | None = None, limit: int = 50, cursor: str | None = None) -> Page:
    """A page of jobs, newest first.

    Raises:
        NotFoundError: the cursor or the state is not one of ours.
    """
    if state and state not in JobState.values:
        raise NotFoundError(f"There is no state {state[:20]!r}.")
    rows = all_jobs(tenant=tenant, state=state)
    if cursor:
        created, last = _read_cursor(cursor)
        rows = rows.filter(Q(created__lt=created) | Q(created=created, id__lt=last))
    size = min(max(limit, 1), MAX_PAGE)
    found = list(rows.order_by("-created", "-id")[: size + 1])
    page = tuple(found[:size])
    return Page(page, _cursor_of(page[-1]) if len(found) > size else "")


def progress(job: Job) -> Progress:
    """How far the job is."""
    chunks = list(job.chunks.all())
    frames, done = sum(c.frames for c in chunks), sum(c.frames_done for c in chunks)
    if job.state in (JobState.DONE, JobState.WITHDRAWN):
        fraction = 1.0
    elif not frames:
        fraction = 0.0
    else:
        fraction = ADMITTED_SHARE + (1 - 2 * ADMITTED_SHARE) * done / frames
    return Progress(
        fraction=round(fraction, 4),
        frames=frames,
        frames_done=done,
        chunks=len(chunks),
        chunks_done=sum(c.state == JobState.DONE for c in chunks),
        attempts=max((c.attempts for c in chunks), default=0),
    )


def by_mark(mark_id: str, *, rather: Collection[uuid.UUID] = ()) -> Job | None:
    """The job whose output carries this invisible id, 16 hex digits; of any tenant, for provenance.

    An edited script and the video it takes sentences from carry one id: then the one of ``rather``, or the
    newest that was delivered.
    """
    found = sharing_mark(mark_id)
    return next((job for job in found if job.pk in rather), found[0] if found else None)


def sharing_mark(mark_id: str) -> list[Job]:
    """All jobs of an invisible id, those that were delivered first, the newest first of each."""
    found = list(Job.objects.filter(mark_id=mark_id.lower()).order_by("-created"))
    return sorted(found, key=lambda job: not job.output_sha256)


def by_output(sha256: str) -> Job | None:
    """The job that delivered exactly this file; of any tenant, for provenance."""
    return Job.objects.filter(output_sha256=sha256.lower()).order_by("created").first() if sha256 else None


def by_id(job_id: str | uuid.UUID) -> Job | None:
    """The job of a number that was read out of a file; of any tenant, for provenance."""
    try:
        return Job.objects.filter(pk=job_id).first()
    except (ValidationError, ValueError):
        return None


def tenants() -> list[str]:
    """Every tenant that has a job; found by stepping through the index, whatever the number of jobs."""
    with connection.cursor() as cursor:
        cursor.execute(_TENANTS)
        return [row[0] for row in cursor.fetchall()]


def consents_of(job: Job) -> tuple[str, ...]:
    """The consents that the job stands on: its source's licence and its performers' releases."""
    return tuple(job.consents.order_by("id").values_list("consent_id", flat=True))


def content_track(job: Job) -> bytes | None:
    """The recorded thumbnails of the output, or None when they are gone; never delivered to anybody."""
    if not job.content_sha256 or not blobs.store().exists(job.content_sha256):
        return None
    with blobs.store().open(job.content_sha256) as stream:
        return stream.read()


def exports(*, tenant: str, job: Job | None = None) -> QuerySet[Export]:
    """Requests for copies without the visible label, newest first: the tenant's, or those about one job."""
    rows = Export.objects.filter(tenant=tenant).select_related("job", "copy").order_by("-created", "-id")
    return rows if job is None else rows.filter(Q(job=job) | Q(copy=job))


def export(export_id: str | uuid.UUID, *, tenant: str) -> Export:
    """One of them.

    Raises:
        NotFoundError: none of that id in this tenant.
    """
    try:
        return exports(tenant=tenant).get(pk=export_id)
    except (Export.DoesNotExist, ValidationError, ValueError):
        raise NotFoundError("There is no such export.") from None


def open_jobs(*, tenant: str) -> int:
    """How many jobs of the tenant still move."""
    return Job.objects.filter(tenant=tenant, state__in=OPEN_STATES).count()


def delivered_bytes(*, tenant: str) -> int:
    """Bytes of all outputs of the tenant that may be fetched."""
    total = Job.objects.filter(tenant=tenant, state=JobState.DONE).aggregate(total=Sum("output_bytes"))
    return int(total["total"] or 0)


def _find(kind: type[Job | Media], key: str | uuid.UUID, tenant: str) -> Job | Media | None:
    try:
        return kind._default_manager.filter(pk=key, tenant=tenant).first()
    except (ValidationError, ValueError):
        return None


def _cursor_of(row: Job) -> str:
    text = json.dumps([row.created.isoformat(), row.id.hex])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        created, key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return datetime.fromisoformat(created), uuid.UUID(key)
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise NotFoundError("There is no such page.") from None


def presentation(client_id: str, *, tenant: str) -> Presentation:
    """A presentation by its client's id.

    Raises:
        NotFoundError: none of that id in this tenant.
    """
    found = Presentation.objects.select_related("job").filter(tenant=tenant, client_id=client_id).first()
    if found is None:
        raise NotFoundError(f"There is no presentation {client_id[:64]}.")
    return found


def presentations(*, tenant: str) -> QuerySet[Presentation]:
    """All of a tenant's presentations, newest first."""
    return Presentation.objects.select_related("job").filter(tenant=tenant).order_by("-created", "-id")


def presentation_state(row: Presentation) -> str:
    """The one word for clients: queued, running, succeeded, failed, rejected, cancelled or withdrawn."""
    if row.job is None:
        return {"driving": "running"}.get(row.state, str(row.state))
    ended = {"done": "succeeded", "refused": "rejected"}
    state = str(row.job.state)
    return "running" if row.job.state in OPEN_STATES else ended.get(state, state)


def sentences_taken_over(job: Job) -> int:
    """How many sentences a job takes from the video that it revises; known as soon as it is planned."""
    plans = (chunk.plan for chunk in job.chunks.all())
    return sum(len(plan["keys"]) for plan in plans if plan.get("taken_from") is not None)


def open_presentations(*, tenant: str) -> int:
    """How many presentations of the tenant are in flight."""
    driving = Q(state__in=[PresentationState.QUEUED, PresentationState.DRIVING])
    generating = Q(state=PresentationState.GENERATING, job__state__in=OPEN_STATES)
    return Presentation.objects.filter(driving | generating, tenant=tenant).count()


DRIVING_SHARE = 0.4
"""How much of a presentation's bar is the driving video; its job has the rest."""


def presentation_progress(row: Presentation) -> float:
    """0 to 1 over script, driving video and job."""
    if row.job is not None:
        return DRIVING_SHARE + (1 - DRIVING_SHARE) * progress(row.job).fraction
    return DRIVING_SHARE * row.done / row.total if row.total else 0.0


def presentations_of_script(sha256: str, *, tenant: str) -> list[Presentation]:
    """The presentations of a script by the hash of its words, white space around them left out."""
    hashed = RawSQL(SCRIPT_SHA256, [])  # noqa: S611  a constant, the same that the index is made of
    return list(
        Presentation.objects.filter(tenant=tenant).annotate(said=hashed).filter(said=sha256)[:MAX_PAGE]
    )
