"""What jobs keep of a person who is erased: outputs, their small pictures, a performer's footage, scripts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.events import Actor
from consent import selectors as consents
from generation import hooks, keeping, performances, recordings
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
    said = Q(media__kind=performances.KIND, pk__in=[job.pk for job in jobs])  # it holds the words of a script
    films = Media.objects.filter(jobs__in=Job.objects.filter(performed | said), tenant=by.tenant)
    footage = set(films.values_list("sha256", flat=True))
    names = {job.output_sha256 for job in jobs} | {getattr(job, name) for job in jobs for name in PICTURES}
    for job in jobs:
        job.poster_sha256 = job.before_sha256 = job.content_sha256 = ""
        job.message = job.hint = ""
        job.save(update_fields=[*PICTURES, "message", "hint"])
    OutputPrint.objects.filter(job__in=jobs).delete()
    gone = [name for name in names - {""} if not _needed(name, jobs)] + sorted(footage)
    gone = sorted({*gone, *_unsay(identity_id, jobs, tenant=by.tenant)})
    transaction.on_commit(partial(keeping.delete, gone))
    return len(gone)


def _stop(identity_id: str, *, tenant: str) -> None:
    """Close the presentations of this person that are being made.

    Before anything is looked for: one that got its job in between is found by that.
    """
    making = Q(state__in=(PresentationState.QUEUED, PresentationState.DRIVING))
    rows = Presentation.objects.select_for_update(of=("self",)).filter(
        _theirs(identity_id), making, tenant=tenant
    )
    for row in rows:
        row.state, row.finished, row.worker = PresentationState.CANCELLED, timezone.now(), ""
        row.save(update_fields=["state", "finished", "worker", "touched"])
        hooks.presentation_ended(row)


def _theirs(identity_id: str) -> Q:
    """Presentations that name the person."""
    spoken = Q(scene__recording__identity=identity_id)
    return Q(identity_id=identity_id) | Q(performer_id=identity_id) | spoken


def _unsay(identity_id: str, jobs: Iterable[Job], *, tenant: str) -> list[str]:
    """Take the words out of the presentations of this person; gives the files that nobody needs any more."""
    theirs = _theirs(identity_id) | Q(job__in=list(jobs))
    voice = recordings.of(identity_id, tenant=tenant)
    rows = list(Presentation.objects.select_for_update(of=("self",)).filter(theirs, tenant=tenant))
    gone = keeping.unshared_words({getattr(row, name) for row in rows for name in keeping.SPOKEN}, but=rows)
    kept = {row.performance for row in rows if row.performance is not None}
    for row in rows:
        row.script = row.message = row.hint = ""
        row.hits, row.report = [], {}
        row.scene = _plain(row.scene, identity_id)
        row.request_sha256, row.performance = keeping.ERASED, None
        for name in keeping.SPOKEN:
            setattr(row, name, "")
        row.save()
    return gone + voice + [media.sha256 for media in kept]


def _plain(scene: Mapping[str, Any], identity_id: str) -> dict[str, Any]:
    """The look of a video, and the recording that it holds while the voice is somebody else's."""
    kept = {name: value for name, value in scene.items() if name in PLAIN}
    recording = scene.get("recording")
    if recording and recording["identity"] != identity_id:
        kept["recording"] = recording
    return kept


def _needed(sha256: str, jobs: Iterable[Job]) -> bool:
    """Whether another job still shows the very same file."""
    others = Job.objects.exclude(pk__in=[job.pk for job in jobs])
    same = Q(output_sha256=sha256)
    for name in PICTURES:
        same |= Q(**{name: sha256})
    return others.filter(same).exists() or Media.objects.filter(sha256=sha256).exists()
