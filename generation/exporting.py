"""What must hold for a copy without the visible label, asked before it is planned, sealed and delivered.

- Off unless an operator turns it on, and only where the law of China alone applies.
- The licence must allow it by its own words; nobody's face leaves unlabelled because a form was filled in.
- What a worker may make is decided by the log's entry of the approval, not by a row that somebody could edit.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from audit import selectors as log
from audit import services as audit
from audit.errors import EntryNotFoundError
from audit.events import SYSTEM, Actor, ExportDelivered
from consent import selectors as consents
from generation import labelling, selectors
from generation.errors import ExportError, ExportOffError, ExportStateError, JobStateError, RoleError
from generation.gate import authority
from generation.models import Export, ExportState, Job, JobState

REQUESTER, APPROVER = "legal", "business"
"""Who asks for a copy and takes it, and who must agree."""
RETENTION, RETENTION_DAYS = "art9-6m", 190
"""Six months have at most 184 days; the words about a recipient cannot be erased before."""
SAME = (
    *("tenant", "identity_id", "media_id", "operation", "purpose", "channel", "territory", "language"),
    *("product", "mode", "container"),
)
"""What a copy has of its original; its source too, which the original's admission had settled."""


def is_on() -> bool:
    """Whether this installation makes such copies at all."""
    return bool(settings.LIKENESS_STATUTORY_EXPORT == "on")


def is_export(job: Job) -> bool:
    """Whether a job makes a copy without the visible label; nothing but an approval makes it lawful."""
    return job.derived_from_id is not None


def require_on() -> None:
    """Make sure that copies are on.

    Raises:
        ExportOffError: they are not.
    """
    if not is_on():
        raise ExportOffError("This installation makes no copies without the visible label.")


def require_possible(job: Job) -> None:
    """Make sure that setting, state, law and licence allow a copy of this job's output now.

    Raises:
        ExportOffError, ExportError, JobStateError: one of them does not.
    """
    require_on()
    if is_export(job):
        raise JobStateError(f"Job {job.id} is itself a copy without the visible label.")
    if job.state != JobState.DONE:
        raise JobStateError(f"Job {job.id} is {job.state}: it has no output.")
    made_under = str(job.labelling.get("profile", "")).partition("/")[0]
    profile = labelling.profile_of(job)
    if made_under != profile.code or not labelling.may_be_unlabelled(job):
        raise ExportError(
            f"Job {job.id} must carry the visible label: {made_under or 'no profile'}, now {profile.code}."
        )
    use = authority.use_of(job)
    allowed = consents.permission(job.identity_id, tenant=job.tenant, use=use, now=timezone.now())
    if allowed.reasons or allowed.consent_id != job.consent_id:
        why = ", ".join(allowed.reasons) or "another licence is in force"
        raise ExportError(f"The licence of job {job.id} does not permit it: {why}.")
    _require_granted(job)


def _require_granted(job: Job) -> None:
    """Everybody whose licence or release the job stands on allows such copies."""
    for consent_id in filter(None, {job.consent_id, *selectors.consents_of(job)}):
        labels = consents.document(consent_id, tenant=job.tenant).document["grant"]["labels"]
        if labels.get("unlabelled_export") is not True:
            raise ExportError(f"Licence {consent_id} does not allow copies without the visible label.")


def require_approved(job: Job) -> Export:
    """The approved request of a job that makes a copy, as rows and the log have it.

    Raises:
        ExportOffError, ExportError, ExportStateError: it may not be made.
        ReceiptTimeoutError: the log has not confirmed the approval yet.
    """
    row = Export.objects.select_related("job__media").filter(copy=job, tenant=job.tenant).first()
    if row is None or row.state != ExportState.APPROVED or row.approval_event is None:
        raise ExportStateError(f"No approved request stands behind job {job.id}.")
    require_possible(row.job)
    changed = [name for name in SAME if getattr(row.job, name) != getattr(job, name)]
    if changed or row.job.source_sha256 != job.source_sha256 or row.job_id != job.derived_from_id:
        raise ExportStateError(f"Job {job.id} is not a copy of job {row.job_id}.")
    _require_granted(job)  # the gate may have met another performer this time
    _require_logged(row, job)
    return row


def require_handover(job: Job, *, by: Actor) -> None:
    """Make sure that a delivered copy may be taken by this person now; each time is logged by the caller.

    Raises:
        RoleError: only legal may take it.
        ExportOffError, ExportStateError: copies are off; it is not delivered.
    """
    if not by.has(REQUESTER):
        raise RoleError(f"Copies without the visible label are handed out by the role {REQUESTER}.")
    require_on()
    if not Export.objects.filter(copy=job, tenant=by.tenant, state=ExportState.DELIVERED).exists():
        raise ExportStateError(f"Job {job.id} has no delivered copy.")


def deliver(job: Job, *, output: str, at: datetime) -> None:
    """Close the request of a copy that is sealed, in the delivery's transaction."""
    row = require_approved(job)
    row.state, row.delivered = ExportState.DELIVERED, at
    row.keep_until = at + timedelta(days=RETENTION_DAYS)
    row.save()
    audit.append(
        ExportDelivered(
            export=row.id.hex,
            job=job.id.hex,
            original=row.job.id.hex,
            output=output,
            mark=job.mark_id or "",
            retention=RETENTION,
            keep_until=f"{row.keep_until:%Y-%m-%d}",
        ),
        actor=Actor(SYSTEM, job.tenant),
    )


def _require_logged(row: Export, job: Job) -> None:
    """The log itself says that this very copy was approved, by somebody else than who asked."""
    if row.approval_event is None:
        raise ExportStateError(f"Export {row.id} was not approved.")
    try:
        entry = log.entry(log.receipt(row.approval_event).index)
        asked = log.entry(log.receipt(row.request_event).index)
    except EntryNotFoundError:
        raise ExportStateError(f"The log does not hold the approval of export {row.id}.") from None
    said = {"type": "export.approved", "export": row.id.hex, "copy": job.id.hex, "job": row.job.id.hex}
    differs = [name for name, value in said.items() if entry.event.get(name) != value]
    four_eyes = entry.event.get("actor") not in (asked.event.get("actor"), None)
    if differs or asked.event.get("export") != row.id.hex or not four_eyes or entry.tenant != job.tenant:
        raise ExportStateError(f"The log does not say that export {row.id} was approved for job {job.id}.")
