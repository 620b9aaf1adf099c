"""Which delivered video an edited script may take sentences from: only one made under the very same.

Both outputs then carry the same invisible id: frames that were marked once are not marked anew. What tells
them apart is the label and the credential, and the log, which names the job of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generation import delivery, labelling, lipsync, performances, planner
from generation.errors import JobStateError, NotFoundError, WithdrawnError
from generation.gate.authority import Admission
from generation.marking import MarkPlan
from generation.models import Job, JobState, Media, Presentation
from generation.presenter import spans
from generation.presenter.engines import Kind
from generation.presenter.errors import PackageError
from generation.presenter.spans import Span
from watermark.profiles import Requirement

SAME = (
    "identity_id", "consent_id", "source_sha256", "portrait_id", "operation", "purpose", "channel",
    "territory", "language", "product", "mode", "container",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reuse:
    """The video that is revised, the marks that both carry, and which frames come from where."""

    earlier: Job
    marks: MarkPlan
    spans: Sequence[Span]


def reuse_for(job: Job, requirement: Requirement) -> Reuse | None:
    """What an admitted job takes over; None where nothing may be, or nothing is the same."""
    row = Presentation.objects.select_related("revises__job__media").filter(job=job).first()
    earlier = row.revises.job if row is not None and row.revises is not None else None
    if earlier is None or not _alike(job, earlier, requirement):
        return None
    try:
        delivery.output_path(earlier)
        mine, theirs = performances.package_of(job.media), performances.package_of(earlier.media)
    except (WithdrawnError, JobStateError, NotFoundError, PackageError):
        return None
    if (mine.scene, mine.performer, mine.engine, mine.fps) != (
        theirs.scene,
        theirs.performer,
        theirs.engine,
        theirs.fps,
    ):
        return None
    if lipsync.kind_of(mine.engine) is Kind.OUTSIDE or lipsync.warnings_of(earlier.report):
        return (
            None  # an engine outside gets a video whole; what another engine drew instead is not this one's
        )
    if mine.idle is not None or any(_moves(span.background, tenant=job.tenant) for span in mine.scenes):
        return None  # what stands behind a sentence is elsewhere in time
    found = spans.plan(mine, earlier=theirs)
    if all(span.taken_from is None for span in found):
        return None
    return Reuse(earlier, MarkPlan.from_record(earlier.marking, mark_hex=earlier.mark_id or ""), found)


def _moves(background: str, *, tenant: str) -> bool:
    return bool(background) and Media.objects.filter(pk=background, tenant=tenant, kind="video").exists()


def _alike(job: Job, earlier: Job, requirement: Requirement) -> bool:
    """Whether the earlier video was made of the same people, under the same consents, models and labels."""
    if earlier.state != JobState.DONE or earlier.derived_from_id is not None or earlier.tenant != job.tenant:
        return False
    if not performances.is_performance(earlier.media) or earlier.labelling.get("opening_s"):
        return False
    now, then = (Admission.from_record(each.decision["admission"]) for each in (job, earlier))
    return (
        all(getattr(job, name) == getattr(earlier, name) for name in SAME)
        and now.licences == then.licences
        and now.models == then.models
        and now.gallery == then.gallery
        and earlier.labelling == labelling.as_record(requirement)
        and earlier.report.get("encoder") == planner.encoder_of(job.mode, performed=True)
    )
