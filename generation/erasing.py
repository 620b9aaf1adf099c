"""What jobs keep of a person who is erased: outputs, their small pictures, and a performer's footage."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.db.models import Q

from audit.events import Actor
from consent import selectors as consents
from generation import blobs
from generation.models import Job, JobConsent, Media, OutputPrint

PICTURES = ("poster_sha256", "before_sha256", "content_sha256")


def erase(identity_id: str, *, by: Actor) -> int:
    """Delete every file of a job that shows the person, once the erasure is committed; gives how many.

    The hashes of outputs stay: they are in the log, and by them a copy that turns up is still recognised.
    """
    mine = set(
        consents.consents(tenant=by.tenant).filter(identity_id=identity_id).values_list("id", flat=True)
    )
    relying = JobConsent.objects.filter(consent_id__in=mine)
    shown = Q(identity_id=identity_id) | Q(consent_id__in=mine) | Q(pk__in=relying.values("job_id"))
    jobs = list(Job.objects.select_for_update(of=("self",)).filter(shown, tenant=by.tenant))
    performed = relying.filter(role=JobConsent.Role.PERFORMER).values("job_id")
    footage = set(Media.objects.filter(jobs__in=performed, tenant=by.tenant).values_list("sha256", flat=True))
    names = {job.output_sha256 for job in jobs} | {getattr(job, name) for job in jobs for name in PICTURES}
    for job in jobs:
        job.poster_sha256 = job.before_sha256 = job.content_sha256 = ""
        job.message = job.hint = ""
        job.save(update_fields=[*PICTURES, "message", "hint"])
    OutputPrint.objects.filter(job__in=jobs).delete()
    gone = [name for name in names - {""} if not _needed(name, jobs)] + sorted(footage)
    transaction.on_commit(partial(_delete, gone))
    return len(gone)


def _needed(sha256: str, jobs: Iterable[Job]) -> bool:
    """Whether another job still shows the very same file."""
    others = Job.objects.exclude(pk__in=[job.pk for job in jobs])
    same = Q(output_sha256=sha256)
    for name in PICTURES:
        same |= Q(**{name: sha256})
    return others.filter(same).exists() or Media.objects.filter(sha256=sha256).exists()


def _delete(names: Iterable[str]) -> None:
    for name in names:
        blobs.store().delete(name)
