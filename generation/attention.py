"""What an operator should look at: looks that fell back, failed trials, hooks given up, mouths out of sync.

Everything here is in rows already; this only finds it. Nothing is marked as seen: what is old drops out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from generation.models import Delivery, DeliveryState, Presentation, TemplateVersion, VersionState

DAYS = 7
LIST_MAX = 100
SYNC = ("sync_out_of_bounds", "sync_unmeasured")


class Kind(StrEnum):
    """What happened."""

    FELL_BACK = "template_fell_back"
    TRIAL_FAILED = "trial_failed"
    GIVEN_UP = "hook_given_up"
    SYNC = "sync_out_of_bounds"


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing to look at; ``count``: how often it happened, ``last``: when for the last time.

    ``subject`` and ``link_id``: a template's name and the client's id of the last presentation it failed;
    a template's name and the number of its version; a hook's id and its last delivery; a presentation's
    client id and its job.
    """

    kind: Kind
    subject: str
    code: str
    count: int
    last: datetime
    link_id: str


def attention(tenant: str, *, days: int = DAYS) -> tuple[Attention, ...]:
    """What happened in these days, newest first; at most a hundred of each kind are looked at."""
    since = timezone.now() - timedelta(days=days)
    found = (
        *_grouped(_fell_back(tenant, since)),
        *_trials(tenant, since),
        *_grouped(_given_up(tenant, since)),
        *_out_of_sync(tenant, since),
    )
    return tuple(sorted(found, key=lambda each: each.last, reverse=True))


def _grouped(newest_first: Iterator[Attention]) -> Iterator[Attention]:
    """One for each subject and code: the newest, and how many there are."""
    known: dict[tuple[str, str], list[Attention]] = {}
    for each in newest_first:
        known.setdefault((each.subject, each.code), []).append(each)
    for same in known.values():
        first = same[0]
        yield Attention(first.kind, first.subject, first.code, len(same), first.last, first.link_id)


def _fell_back(tenant: str, since: datetime) -> Iterator[Attention]:
    rows = Presentation.objects.filter(
        tenant=tenant, created__gte=since, report__template__problem__isnull=False
    ).order_by("-created")
    for row in rows[:LIST_MAX]:
        told = row.report["template"]
        if told["problem"]:
            yield Attention(Kind.FELL_BACK, told["name"], told["problem"], 1, row.created, row.client_id)


def _trials(tenant: str, since: datetime) -> Iterator[Attention]:
    """The newest version of each template, if its trial failed: a later one that passed settles it."""
    newest = TemplateVersion.objects.filter(template=OuterRef("template")).order_by("-number")
    rows = TemplateVersion.objects.filter(
        template__tenant=tenant,
        state=VersionState.FAILED,
        touched__gte=since,
        number=Subquery(newest.values("number")[:1]),
    ).select_related("template")
    for row in rows.order_by("-touched")[:LIST_MAX]:
        code = str(row.trial.get("code", "internal"))
        yield Attention(Kind.TRIAL_FAILED, row.template.name, code, 1, row.touched, str(row.number))


def _given_up(tenant: str, since: datetime) -> Iterator[Attention]:
    """Messages to hooks that are still in use."""
    rows = Delivery.objects.filter(
        tenant=tenant, state=DeliveryState.DEAD, hook__active=True, finished__gte=since
    ).order_by("-finished")
    for row in rows[:LIST_MAX]:
        yield Attention(
            Kind.GIVEN_UP, str(row.hook_id), row.problem, 1, row.finished or row.created, str(row.pk)
        )


def _out_of_sync(tenant: str, since: datetime) -> Iterator[Attention]:
    own = Q(code__in=SYNC, finished__gte=since)
    of_job = Q(job__code__in=SYNC, job__finished__gte=since)
    rows: QuerySet[Presentation] = Presentation.objects.filter(own | of_job, tenant=tenant)
    for row in rows.select_related("job").order_by("-created")[:LIST_MAX]:
        ended = row.job if row.job is not None and row.job.code in SYNC else row
        job = str(row.job.pk) if row.job is not None else ""
        last = ended.finished or row.created
        yield Attention(Kind.SYNC, row.client_id, ended.code, 1, last, job)


__all__ = ["Attention", "Kind", "attention"]
