"""Which marks a job's output must carry, derived in this one place, and asked for again before it may leave.

- The job's territory and channel choose the profile; the licences it stands on and the operator's settings
  may raise it. Nothing lowers it.
- The plan that workers follow is made from what is derived here, and read back before sealing: one that lacks
  a mark is refused, whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from django.conf import settings

from consent import selectors as consents
from generation.engine.media.info import MediaInfo
from generation.errors import MarksMissingError, NotFoundError
from generation.marking import MarkPlan, drawn
from generation.models import Job
from watermark import profiles
from watermark.errors import LabelPolicyError
from watermark.lettering import SEPARATOR
from watermark.placement import Box
from watermark.profiles import Demand, Mark, Nature, Output, Profile, Requirement, Wording
from watermark.visible import Tone

CHANGING = frozenset({"face_swap", "enhance"})
"""Operations on a recording of a person; every other one makes a digital human, which must show it always."""
PREVIEW_PX = 480
GROUND = {Tone.LIGHT_ON_DARK: 70, Tone.DARK_ON_LIGHT: 200}
ALWAYS = frozenset({Mark.INVISIBLE, Mark.AIGC, Mark.CREDENTIAL})
"""Marks that the way of an output puts on each file, whatever the plan says."""


def profile_of(job: Job) -> Profile:
    """The law of the place where the output will be shown, with the operator's on top.

    Raises:
        WatermarkError: the territory is none.
    """
    return profiles.of_use(
        territory=job.territory, channel=job.channel, at_least=settings.LIKENESS_LABEL_PROFILE
    )


def requirement_of(job: Job) -> Requirement:
    """What the output must carry; the job's consents are known by now.

    Raises:
        WatermarkError: the territory is none, or a licence's label text would deny the label.
        ConsentError: a licence cannot be read.
    """
    asked = {**_licences(job), "operator": _operator()}
    return profiles.require(profile_of(job), _output(job), asked=asked)


def unlabelled(job: Job) -> Requirement:
    """The same without the visible label, where the law knows such a delivery; all other marks stay.

    Raises:
        WatermarkError: the profile does not allow it.
    """
    _require_may_be_unlabelled(job)
    return profiles.without_visible_label(requirement_of(job), profile_of(job))


def may_be_unlabelled(job: Job) -> bool:
    """Whether the law knows a copy without the visible label; a digital human must show it all the time."""
    return profile_of(job).unlabelled_export and job.operation in CHANGING


def as_record(requirement: Requirement) -> dict[str, Any]:
    """A JSON-ready record."""
    record = asdict(requirement)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in record.items()}


def from_record(record: Mapping[str, Any]) -> Requirement:
    """What ``as_record`` gave.

    Raises:
        MarksMissingError: it is none of ours.
    """
    try:
        return Requirement(
            **{
                **record,
                "marks": tuple(Mark(mark) for mark in record["marks"]),
                "wanted": tuple(Mark(mark) for mark in record["wanted"]),
                "audible": tuple(record["audible"]),
                "raised_by": tuple(record["raised_by"]),
            }
        )
    except (KeyError, TypeError, ValueError):
        raise MarksMissingError("The job does not say which marks its output must carry.") from None


def check_plan(job: Job, plan: MarkPlan, *, may_leave_label: bool) -> Requirement:
    """What the output must carry, once the plan is seen to provide it.

    The law and the licences are asked anew: neither a record nor a setting can lower them.
    ``may_leave_label``: the statutory export of this job was found approved.

    Raises:
        MarksMissingError: the plan lacks a mark, or its label says, shows or lasts less.
        WatermarkError: the law of the place does not allow the export.
    """
    recorded = from_record(job.labelling)
    by_law = profiles.of_use(territory=job.territory, channel=job.channel)
    needed = profiles.require(by_law, _output(job), asked=_licences(job))
    if may_leave_label:
        _require_may_be_unlabelled(job)
        needed = profiles.without_visible_label(needed, by_law)
    for wanted in (recorded, needed):
        _require(wanted, carried=carried_by(plan), plan=plan)
    return recorded


def check_applied(requirement: Requirement, applied: Collection[str]) -> None:
    """Make sure that every mark was read back from the finished file.

    Raises:
        MarksMissingError: one was not.
    """
    missing = [str(mark) for mark in requirement.marks if mark not in applied]
    if missing:
        raise MarksMissingError(
            f"The output lacks {', '.join(missing)}, which {requirement.profile} asks for."
        )


def carried_by(plan: MarkPlan) -> frozenset[Mark]:
    """The marks that an output made by this plan has."""
    return ALWAYS | ({Mark.VISIBLE} if plan.label else frozenset())


def preview(job: Job) -> bytes:
    """A PNG of an empty picture of the output's shape with its label, at most 480 px wide; no footage on it.

    Raises:
        NotFoundError: the job has no label, because it was not planned or is a copy without one.
    """
    plan = MarkPlan.from_record(job.marking, mark_hex=job.mark_id or "") if job.marking else None
    label = drawn(plan) if plan else None
    if plan is None or label is None:
        raise NotFoundError("There is no label.")
    shape = (plan.height_px, plan.width_px)
    luma = np.full(shape, GROUND[label.look.tone], np.uint8)
    u, v = np.full((2, (shape[0] + 1) // 2, (shape[1] + 1) // 2), 128, np.uint8)
    label.blend(luma, u, v)
    scale = min(1.0, PREVIEW_PX / plan.width_px)
    small = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", small)[1].tobytes()


def faces_of(job: Job) -> list[list[Box]]:
    """Where the gate's first look saw faces, for each frame; pixels of the output."""
    return [[(box[0], box[1], box[2], box[3]) for box in frame] for frame in job.decision.get("faces", ())]


def _require_may_be_unlabelled(job: Job) -> None:
    if not may_be_unlabelled(job):
        raise LabelPolicyError(f"Job {job.id} must carry the visible label.")


def _require(needed: Requirement, *, carried: Collection[Mark], plan: MarkPlan) -> None:
    check_applied(needed, carried)
    label = plan.label
    if Mark.VISIBLE not in needed.marks or label is None:
        return
    said = [part for part in needed.text.split(SEPARATOR) if part not in label.text]
    if said:
        raise MarksMissingError(f"The label {label.text!r} does not say {', '.join(said)}.")
    if needed.icon and not label.icon:
        raise MarksMissingError(f"The label {label.text!r} lacks the icon that {needed.profile} asks for.")
    if label.opening_s > 0 and (needed.opening_s <= 0 or label.opening_s < needed.opening_s):
        raise MarksMissingError(
            f"The label ends after {label.opening_s:g} s, too early for {needed.profile}."
        )


def _output(job: Job) -> Output:
    info = MediaInfo.from_record(job.media.info)
    nature = Nature.MODIFIED if job.operation in CHANGING else Nature.GENERATED
    return Output(nature, picture=True, sound=info.audio is not None)


def _licences(job: Job) -> dict[str, Demand]:
    """What each consent says about labels: the source's licence, and the performers' releases."""
    named = dict.fromkeys((job.consent_id, *job.consents.order_by("id").values_list("consent_id", flat=True)))
    asked = {}
    for consent_id in filter(None, named):
        labels = consents.document(consent_id, tenant=job.tenant).document["grant"]["labels"]
        asked[consent_id] = Demand(text=labels["visible"], whole_clip=labels.get("duration") == "clip")
    return asked


def _operator() -> Demand:
    """What the installation adds to every label."""
    return Demand(
        whole_clip=settings.LIKENESS_LABEL_DURATION == "clip",
        wording=Wording(settings.LIKENESS_LABEL_WORDING),
    )
