"""What jobs keep of a person who is erased: outputs, their small pictures, a performer's footage, scripts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.events import Actor
from consent import selectors as consents
from generation import backdrops, hooks, keeping, performances, recordings
from generation.models import Job, JobConsent, Media, OutputPrint, Presentation, PresentationState

PICTURES = ("poster_sha256", "before_sha256", "content_sha256")
PLAIN = ("format", "colour", "subtitles")


def erase(identity_id: str, *, by: Actor) -> int:
    """Delete every file of a job that shows the person, once the erasure is committed; gives how many.

    The hashes of outputs stay: they are in the log, and by them a copy that turns up is still recognised.
    """
    _stop(identity_id, tenant=by.tenant)
    mine = set(
        consents.consents(tenant=by.tenant).filter(identity_id=identity_id).values_list("id", flat=True)
    )
    relying = JobConsent.objects.filter(consent_id__in=mine)
    driven = Q(
        presentation__performer_id=identity_id
    )  # also where the gate refused the film, so relies on nobody
    shown = Q(identity_id=identity_id) | Q(consent_id__in=mine) | Q(pk__in=relying.values("job_id")) | driven
    jobs = list(Job.objects.select_for_update(of=("self",)).filter(shown, tenant=by.tenant))
    performed = Q(pk__in=relying.filter(role=JobConsent.Role.PERFORMER).values("job_id")) | driven
    rows = list(_locked(_theirs(identity_id) | Q(job__in=jobs), tenant=by.tenant))
    around = _around(mine, tenant=by.tenant)
    films = _films(identity_id, performed, rows, around, tenant=by.tenant)
    names = {job.output_sha256 for job in jobs} | {getattr(job, name) for job in jobs for name in PICTURES}
    for job in jobs:
        job.poster_sha256 = job.before_sha256 = job.content_sha256 = ""
        job.message = job.hint = ""
        job.save(update_fields=[*PICTURES, "message", "hint"])
    OutputPrint.objects.filter(job__in=jobs).delete()
    gone = [name for name in names - {""} if not _needed(name, jobs)]
    gone += _unsay(identity_id, rows) + films
    transaction.on_commit(partial(keeping.delete, gone))
    return len(gone)


def _stop(identity_id: str, *, tenant: str) -> None:
    """Close the presentations of this person that are being made.

    Before anything is looked for: one that got its job in between is found by that.
    """
    making = Q(state__in=(PresentationState.QUEUED, PresentationState.DRIVING))
    for row in _locked(_theirs(identity_id) & making, tenant=tenant):
        row.state, row.finished, row.worker = PresentationState.CANCELLED, timezone.now(), ""
        row.save(update_fields=["state", "finished", "worker", "touched"])
        hooks.presentation_ended(row)


def _theirs(identity_id: str) -> Q:
    """Presentations that name the person."""
    spoken = Q(scene__recording__identity=identity_id)
    return Q(identity_id=identity_id) | Q(performer_id=identity_id) | spoken


def _locked(which: Q, *, tenant: str) -> QuerySet[Presentation]:
    return Presentation.objects.select_for_update(of=("self",)).filter(which, tenant=tenant)


def _around(mine: AbstractSet[str], *, tenant: str) -> set[str]:
    """SHA-256 of the pictures and videos around somebody that show the person."""
    noted = Presentation.objects.filter(tenant=tenant, report__has_key=backdrops.NOTE).only("report")
    return {
        sha256
        for row in noted
        for sha256, there in row.report[backdrops.NOTE].get("on", {}).items()
        if not mine.isdisjoint(there)
    }


def _films(
    identity_id: str, performed: Q, rows: Sequence[Presentation], shown: Collection[str], *, tenant: str
) -> list[str]:
    """The files that show the person or are their voice, and the performances of these presentations.

    ``shown``: hashes of more that does. What another tenant has uploaded, or another presentation says word
    by word, stays for those alone.
    """
    voice = recordings.of(identity_id, tenant=tenant)
    clips = {row.scene["idle"] for row in rows if row.performer_id == identity_id and "idle" in row.scene}
    theirs = Q(jobs__in=Job.objects.filter(performed)) | Q(sha256__in={*voice, *shown}) | Q(pk__in=clips)
    films = set(Media.objects.filter(theirs, tenant=tenant))
    made = Q(presentations__in=rows) | Q(jobs__presentation__in=rows, kind=performances.KIND)
    said = set(Media.objects.filter(made, tenant=tenant)) - films
    films |= {media for media in said if not keeping.is_shared(media, but=rows)}
    Media.objects.filter(pk__in=[media.pk for media in films]).update(erased=timezone.now())
    return sorted(media.sha256 for media in films if not _uploaded_elsewhere(media))


def _uploaded_elsewhere(media: Media) -> bool:
    others = Media.objects.filter(sha256=media.sha256, erased__isnull=True)
    return others.exclude(tenant=media.tenant).exists()


def _unsay(identity_id: str, rows: Sequence[Presentation]) -> list[str]:
    """Take the words out of these presentations; gives the files of words that nobody needs any more."""
    gone = keeping.unshared_words({getattr(row, name) for row in rows for name in keeping.SPOKEN}, but=rows)
    for row in rows:
        row.script = row.message = row.hint = ""
        row.hits = []
        row.report = {name: value for name, value in row.report.items() if name == backdrops.NOTE}
        row.scene = _plain(row, identity_id)
        row.request_sha256, row.performance = keeping.ERASED, None
        for name in keeping.SPOKEN:
            setattr(row, name, "")
        row.save()
    return gone


def _plain(row: Presentation, identity_id: str) -> dict[str, Any]:
    """The look of a video, and what leads to the files of people who are not erased yet."""
    kept = {name: value for name, value in row.scene.items() if name in PLAIN}
    recording = row.scene.get("recording")
    if recording and recording["identity"] != identity_id:
        kept["recording"] = recording
    if "idle" in row.scene and row.performer_id != identity_id:
        kept["idle"] = row.scene["idle"]
    return kept


def _needed(sha256: str, jobs: Iterable[Job]) -> bool:
    """Whether another job still shows the very same file."""
    others = Job.objects.exclude(pk__in=[job.pk for job in jobs])
    same = Q(output_sha256=sha256)
    for name in PICTURES:
        same |= Q(**{name: sha256})
    return others.filter(same).exists() or Media.objects.filter(sha256=sha256, erased__isnull=True).exists()
