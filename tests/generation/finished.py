"""Delivered jobs made of rows alone: what a page or a rule asks about needs no frames."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from consent import selectors as consents
from generation import labelling
from generation.marking import MarkPlan
from generation.models import Job, JobConsent
from tests.generation import fakes
from watermark.payload import new_mark_id
from watermark.placement import LabelPlan


def finished(
    studio: Any,
    clip: bytes,
    *,
    grant: dict[str, Any] | None = None,
    performer: dict[str, Any] | None = None,
    **use: str,
) -> Job:
    """A done job of a licence that allows a statutory copy, with marks as they would have been planned."""
    said = {
        "unlabelled_export": True,
        "territories": ["CN", "EU", "US"],
        "channels": ["branch_screen", "website"],
        **(grant or {}),
    }
    licence = studio.enrol(fakes.portrait(fakes.RED), **said)
    studio.enrol(fakes.portrait(fakes.GREEN), kind="performer", **said | (performer or {}))
    media = studio.upload(clip)
    source = consents.licensed_source(licence.identity_id, tenant=media.tenant, sha256=None)
    job = Job(
        tenant=media.tenant,
        requester=studio.by["requester"].id,
        identity_id=licence.identity_id,
        consent_id=licence.id,
        media=media,
        source_sha256=source.sha256,
        portrait_id=source.portrait_id,
        state="admitting",
        **{**studio.plain_use, **use},
    )
    job.save()
    JobConsent.objects.create(job=job, consent_id=licence.id, role=JobConsent.Role.SOURCE)
    needed, mark = labelling.requirement_of(job), new_mark_id()
    label = LabelPlan(needed.text, needed.icon, needed.opening_s)
    plan = MarkPlan(mark, 0.8, "standard", label, 320, 240)
    job.labelling, job.marking, job.mark_id = labelling.as_record(needed), plan.as_record(), plan.mark_hex
    job.admission_index, job.permit, job.state = 1_000_000 + mark % 1_000_000, "a permit", "done"
    job.output_sha256, job.output_mime, job.output_bytes = f"{mark:064x}", "video/mp4", 1
    job.save()
    return job


def lessened(plan: MarkPlan, fault: str) -> MarkPlan:
    """A plan that lacks something."""
    label = plan.label
    assert label is not None
    assert asdict(label)
    return {
        "no label": replace(plan, label=None),
        "other words": replace(plan, label=replace(label, text="AI生成")),
        "no icon": replace(plan, label=replace(label, icon=False)),
        "opening only": replace(plan, label=replace(label, opening_s=60.0)),
        "too short": replace(plan, label=replace(label, opening_s=1.0)),
    }[fault]
