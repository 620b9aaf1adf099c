"""Which marks an output carries, where that is decided, and that a lesser plan gives no output."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

import pytest

from audit import selectors as log
from audit.leaf import KeyKind
from generation import delivery, labelling, services
from generation.errors import MarksMissingError
from generation.marking import MarkPlan, drawn
from generation.models import Job
from tests.generation import fakes
from tests.generation.conftest import colour_clip
from tests.generation.finished import finished, lessened
from watermark.errors import LabelTextError, VisibleLabelLostError, WatermarkError
from watermark.readback import check_visible


def plan_of(job: Job) -> MarkPlan:
    return MarkPlan.from_record(job.marking, mark_hex=job.mark_id or "")


@pytest.mark.parametrize("fault", ["no label", "other words", "no icon", "opening only", "too short"])
def test_a_plan_that_lacks_something_is_refused(silent: Any, green_clip: bytes, fault: str) -> None:
    job = finished(silent, green_clip, channel="website")
    labelling.check_plan(job, plan_of(job), may_leave_label=False)
    with pytest.raises(MarksMissingError):
        labelling.check_plan(job, lessened(plan_of(job), fault), may_leave_label=False)


def test_a_record_that_was_edited_lowers_nothing(silent: Any, green_clip: bytes) -> None:
    job = finished(silent, green_clip, channel="website")
    plan, whole = plan_of(job), job.labelling
    for record in ({}, {"profile": "cn/1"}, {**whole, "marks": ["none"]}):
        job.labelling = record
        with pytest.raises(MarksMissingError):
            labelling.check_plan(job, plan, may_leave_label=False)
    job.labelling = {**whole, "marks": ["invisible"], "text": "", "icon": False}
    with pytest.raises(MarksMissingError):
        labelling.check_plan(job, replace(plan, label=None), may_leave_label=False)
    with pytest.raises(WatermarkError):  # and the law knows no export there
        labelling.check_plan(job, replace(plan, label=None), may_leave_label=True)


def test_a_mark_that_was_not_read_back_is_named(silent: Any, green_clip: bytes) -> None:
    needed = labelling.from_record(finished(silent, green_clip).labelling)
    labelling.check_applied(needed, ("visible", "invisible", "aigc", "c2pa"))
    with pytest.raises(MarksMissingError, match="c2pa"):
        labelling.check_applied(needed, ("visible", "invisible", "aigc"))


@pytest.mark.parametrize(
    ("use", "at_least", "profile", "text"),
    [
        ({}, "", "cn/1", "AI生成 · AI GENERATED"),
        ({"territory": "EU"}, "", "eu/1", "AI MODIFIED · AI生成"),
        ({"territory": "US"}, "", "cn+eu/1", "AI MODIFIED · AI生成"),
        ({"channel": "website"}, "", "cn+eu/1", "AI MODIFIED · AI生成"),
        ({}, "eu", "cn+eu/1", "AI MODIFIED · AI生成"),
        ({"operation": "lip_sync"}, "", "cn/1", "数字人 AI生成 · AI GENERATED"),
        ({"operation": "whatever comes"}, "", "cn/1", "数字人 AI生成 · AI GENERATED"),
    ],
)
def test_place_channel_operation_and_operator_decide(
    silent: Any, green_clip: bytes, settings: Any, use: dict[str, str], at_least: str, profile: str, text: str
) -> None:
    settings.LIKENESS_LABEL_PROFILE = at_least
    needed = labelling.requirement_of(finished(silent, green_clip, **use))
    assert (needed.profile, needed.text, needed.opening_s) == (profile, text, 0.0)


def test_a_licence_raises_and_never_lowers(silent: Any, green_clip: bytes, settings: Any) -> None:
    settings.LIKENESS_LABEL_DURATION, settings.LIKENESS_LABEL_WORDING = "opening", "zh"
    plain = labelling.requirement_of(finished(silent, green_clip))
    more = finished(silent, green_clip, grant={"visible_label": "示范银行制作", "label_whole_clip": True})
    raised = labelling.requirement_of(more)
    assert (plain.text, plain.opening_s, plain.raised_by) == ("AI生成", 3.0, ())
    assert (raised.text, raised.opening_s) == ("AI生成 · 示范银行制作", 0.0)
    assert raised.raised_by == (more.consent_id,)
    with pytest.raises(LabelTextError):
        finished(silent, green_clip, grant={"visible_label": "真人实拍"})


def test_a_job_says_which_law_its_marks_follow_and_the_log_does_too(
    quick: Any, work: Any, green_clip: bytes
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED), channels=["website"])
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer", channels=["website"])
    job = quick.submit(licence, quick.upload(green_clip), channel="website")
    work()
    job.refresh_from_db()
    assert (job.state, job.message) == ("done", "")
    assert (job.labelling["profile"], job.labelling["icon"]) == ("cn+eu/1", True)
    assert job.report["marks"]["profile"] == "cn+eu/1"
    assert set(job.report["marks"]["applied"]) >= {"visible", "invisible", "aigc", "c2pa"}
    assert labelling.as_record(labelling.from_record(job.labelling)) == job.labelling
    label = drawn(plan_of(job))
    assert label is not None
    assert min(check_visible(delivery.output_path(job), label)) > 0.9
    (box,) = labelling.faces_of(job)[0]
    x, y, w, h = label.rectangle
    assert x >= box[2] or x + w <= box[0] or y >= box[3] or y + h <= box[1]
    event = applied(job)
    assert (event["label"], event["profile"]) == ("gb45438-2025+eu-icon/1", "cn+eu/1")
    assert set(event["marks"]) >= {"visible", "invisible", "aigc", "c2pa"}


def applied(job: Job) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for entry in log.entries(KeyKind.JOB, job.id.hex):
            if entry.type == "label.applied":
                return entry.event
        time.sleep(0.05)
    raise AssertionError("no label.applied")


def test_label_of_the_opening_is_gone_afterwards(quick: Any, work: Any, settings: Any) -> None:
    settings.LIKENESS_LABEL_DURATION = "opening"
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(colour_clip(fakes.GREEN, count=85)))
    work()
    job.refresh_from_db()
    assert (job.state, job.message) == ("done", "")
    label = drawn(plan_of(job))
    assert label is not None
    assert len(check_visible(delivery.output_path(job), label, until_s=3.0)) == 3
    with pytest.raises(VisibleLabelLostError):
        check_visible(delivery.output_path(job), label)


def test_an_edited_plan_gives_no_output(quick: Any, sent: Any, work: Any, green_clip: bytes) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    task, key = sent.pop(0)
    assert task == "admit"
    services.admit(uuid.UUID(str(key)))
    job.refresh_from_db()
    Job.objects.filter(pk=job.pk).update(marking={**job.marking, "label": None})
    work()
    job.refresh_from_db()
    assert (job.state, job.code, job.output_sha256) == ("failed", "marks.missing", "")
