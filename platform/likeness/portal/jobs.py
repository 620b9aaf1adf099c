"""Jobs as the pages show them: the person by name, the stages, the reasons in words, the record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from audit import selectors as log
from audit.errors import AuditError
from audit.leaf import KeyKind
from consent import selectors as consents
from consent.errors import ConsentError
from generation import selectors
from likeness.portal import people
from likeness.portal.wording.faults import reason_of
from likeness.portal.wording.reasons import Reason, reason

OPEN = frozenset({"admitting", "queued", "running", "sealing"})
"""States of a job that still moves."""
STOP_POLLING = 286
"""htmx swaps the answer in and asks no more."""
STAGES = (
    ("admitting", _("Check")),
    ("queued", _("Queue")),
    ("running", _("Generate")),
    ("sealing", _("Mark and seal")),
    ("done", _("Deliver")),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the way; ``tone`` is done, now, bad or empty."""

    label: Any
    tone: str


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job in the list."""

    job: Any
    person: str
    percent: int


@dataclass(frozen=True, slots=True)
class LabelView:
    """The visible label in words; ``text`` is empty where it was left out. ``opening_s`` 0 is every frame."""

    profile: str
    text: str
    place: str
    opening_s: int
    raised: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobView:
    """A job on its page."""

    job: Any
    person: str
    requester: str
    progress: Any
    stages: tuple[Stage, ...]
    reasons: tuple[Reason, ...]
    alarms: tuple[Reason, ...]
    entries: tuple[Any, ...]
    label: LabelView | None


def rows_of(jobs: Iterable[Any], *, tenant: str) -> tuple[JobRow, ...]:
    """Jobs for a list; each person's name is looked up once."""
    names = {row.id: row.name for row in consents.identities(tenant=tenant)}
    return tuple(
        JobRow(
            job, names.get(job.identity_id, job.identity_id), round(selectors.progress(job).fraction * 100)
        )
        for job in jobs
    )


def view_of(job: Any, *, tenant: str) -> JobView:
    """One job with everything that its page tells."""
    names = people.names(tenant)
    return JobView(
        job=job,
        person=person_of(job.identity_id, tenant=tenant),
        requester=names.get(job.requester, job.requester),
        progress=selectors.progress(job),
        stages=stages_of(job.state, began=bool(job.started)),
        reasons=reasons_of(job),
        alarms=tuple(reason(code) for code in job.report.get("alarms", ())),
        entries=entries_of(job.id.hex),
        label=label_of(job),
    )


def label_of(job: Any) -> LabelView | None:
    """How the output is labelled, and by which law; None for a job that was not planned or is older."""
    needed, plan = job.labelling, job.marking.get("label") or {}
    if not needed:
        return None
    raised = ["operator" if who == "operator" else "licence" for who in needed.get("raised_by", ())]
    return LabelView(
        profile=str(needed.get("profile", "")).partition("/")[0],
        text=str(plan.get("text", "")),
        place=str(plan.get("place", "")),
        opening_s=round(float(plan.get("opening_s", 0))),
        raised=tuple(dict.fromkeys(raised)),
    )


def person_of(identity_id: str, *, tenant: str) -> str:
    """The person's name, or the id when there is no such identity any more."""
    try:
        return str(consents.identity(identity_id, tenant=tenant).name)
    except ConsentError:
        return identity_id


def stages_of(state: str, *, began: bool) -> tuple[Stage, ...]:
    """The five steps; a job that ended early marks the step at which it did."""
    order = [name for name, _label in STAGES]
    reached = {"withdrawn": 5, "refused": 0, "failed": 2 if began else 0, "cancelled": 2 if began else 1}.get(
        state
    )
    at = order.index(state) if state in order else reached or 0
    tone = "now" if state in OPEN else "bad"
    if state in ("done", "withdrawn"):
        at = len(order)
    return tuple(
        Stage(label, "done" if number < at else tone if number == at else "")
        for number, (_name, label) in enumerate(STAGES)
    )


def reasons_of(job: Any) -> tuple[Reason, ...]:
    """Why the job was refused or failed; the job's own words stand in for an unknown code."""
    codes = list(dict.fromkeys(job.reasons or ([job.code] if job.code else [])))
    return tuple(reason_of(code, sentence=job.message, hint=job.hint) for code in codes)


def entries_of(job_hex: str) -> tuple[Any, ...]:
    """What the log says about the job, oldest first; empty while the log is not ready."""
    try:
        return tuple(log.entries(KeyKind.JOB, job_hex))
    except AuditError:
        return ()
