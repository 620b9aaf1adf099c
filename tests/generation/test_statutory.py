"""Copies without the visible label: every refusal, and the one way through."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import selectors as log
from audit import services as audit
from audit.events import ExportApproved
from audit.leaf import KeyKind
from consent import disclosures, words
from consent import services as consents
from generation import delivery, exporting, selectors, services, statutory
from generation.engine.media.colour import to_planes
from generation.errors import (
    ExportError,
    ExportInvalidError,
    ExportOffError,
    ExportStateError,
    JobStateError,
    NotFoundError,
    RoleError,
)
from generation.models import Export, Job
from generation.statutory import ExportRequest
from tests.generation.finished import finished
from watermark.errors import VisibleLabelLostError
from watermark.metadata import read_label
from watermark.readback import check_visible
from watermark.visible import Label

ASKED = ExportRequest("示范证券股份有限公司", "AGR-2026-0017", "用于行业评审的内部放映", declared=True)


@pytest.fixture
def lawful(settings: Any) -> None:
    """An installation that makes copies at all."""
    settings.LIKENESS_STATUTORY_EXPORT = "on"


@pytest.fixture
def delivered(quick: Any, green_clip: bytes) -> Callable[..., Job]:
    """A delivered job, of rows alone; its licences say so much."""
    return lambda **asked: finished(quick, green_clip, **asked)


def entry_of(kind: str, key: str) -> Any:
    """The newest entry of a type about a job, once the log has it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = [entry for entry in log.entries(KeyKind.JOB, key) if entry.type == kind]
        if found:
            return found[-1]
        time.sleep(0.05)
    raise AssertionError(f"no {kind} of {key}")


def approved(quick: Any, job: Job) -> Export:
    row = statutory.request(job.pk, ASKED, by=quick.by["legal"])
    return statutory.approve(row.pk, by=quick.by["business"])


# ---- refusals

INCOMPLETE: list[tuple[dict[str, Any], str]] = [
    ({"recipient": ""}, "recipient"),
    ({"recipient": "   "}, "recipient"),
    ({"recipient": "名" * 121}, "recipient"),
    ({"recipient": "a\x00b"}, "recipient"),
    ({"agreement": ""}, "agreement"),
    ({"agreement": "协议一号"}, "agreement"),
    ({"agreement": "A B"}, "agreement"),
    ({"agreement": "13800138000"}, "agreement"),
    ({"purpose": ""}, "purpose"),
    ({"purpose": "x" * 501}, "purpose"),
    ({"declared": False}, "declared"),
]


def test_an_incomplete_request_is_refused(delivered: Any, quick: Any, lawful: None) -> None:
    job = delivered()
    for changes, field in INCOMPLETE:
        with pytest.raises(ExportInvalidError) as refused:
            statutory.request(job.pk, replace(ASKED, **changes), by=quick.by["legal"])
        assert set(refused.value.fields) == {field}, changes
    assert not Export.objects.exists()


def test_copies_are_off_by_default(delivered: Any, quick: Any) -> None:
    job = delivered()
    with pytest.raises(ExportOffError):
        statutory.request(job.pk, ASKED, by=quick.by["legal"])
    assert not statutory.may_be_asked_for(job)


def test_who_may_not_ask_does_not(delivered: Any, quick: Any, person: Any, lawful: None) -> None:
    job = delivered()
    for role in ("requester", "business", "expert", "auditor", "operator"):
        with pytest.raises(RoleError):
            statutory.request(job.pk, ASKED, by=quick.by[role])
    with pytest.raises(NotFoundError):
        statutory.request(job.pk, ASKED, by=person("legal", tenant="other").actor)
    with pytest.raises(NotFoundError):
        statutory.request(uuid.uuid4(), ASKED, by=quick.by["legal"])


@pytest.mark.parametrize("use", [
    {"territory": "EU"}, {"channel": "website"}, {"territory": "US"}, {"operation": "lip_sync"},
])  # fmt: skip
def test_where_the_label_is_mandatory_there_is_no_copy(
    delivered: Any, quick: Any, lawful: None, use: dict[str, str]
) -> None:
    job = delivered(**use)
    with pytest.raises(ExportError, match="must carry the visible label"):
        statutory.request(job.pk, ASKED, by=quick.by["legal"])


def test_an_operator_who_follows_the_eu_too_makes_no_copy(
    delivered: Any, quick: Any, lawful: None, settings: Any
) -> None:
    job = delivered()
    settings.LIKENESS_LABEL_PROFILE = "cn+eu"
    with pytest.raises(ExportError, match="must carry the visible label"):
        statutory.request(job.pk, ASKED, by=quick.by["legal"])


def test_a_licence_that_does_not_say_so_makes_no_copy(delivered: Any, quick: Any, lawful: None) -> None:
    job = delivered(grant={"unlabelled_export": False})
    with pytest.raises(ExportError, match="does not allow"):
        statutory.request(job.pk, ASKED, by=quick.by["legal"])


def test_only_a_delivered_output_is_copied(delivered: Any, quick: Any, lawful: None) -> None:
    job = delivered()
    for state in ("withdrawn", "sealing", "running"):
        Job.objects.filter(pk=job.pk).update(state=state)
        with pytest.raises(JobStateError):
            statutory.request(job.pk, ASKED, by=quick.by["legal"])
    Job.objects.filter(pk=job.pk).update(state="done")
    consents.revoke(job.consent_id, reason="stop", by=quick.by["legal"])
    with pytest.raises(JobStateError):
        statutory.request(job.pk, ASKED, by=quick.by["legal"])


def test_who_asked_does_not_approve(delivered: Any, quick: Any, lawful: None) -> None:
    row = statutory.request(delivered().pk, ASKED, by=quick.by["legal"])
    both = replace(quick.by["legal"], roles=frozenset({"legal", "business"}))
    for by in (both, *(quick.by[role] for role in ("requester", "legal", "expert", "auditor", "operator"))):
        with pytest.raises(RoleError):
            statutory.approve(row.pk, by=by)
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(pk=row.pk).update(decided_by=row.requested_by)
    with pytest.raises(IntegrityError), transaction.atomic():
        Export.objects.filter(pk=row.pk).update(state="approved", decided_by="usr_1")
    assert not Job.objects.filter(derived_from__isnull=False).exists()


def test_a_request_is_decided_once(delivered: Any, quick: Any, lawful: None) -> None:
    job = delivered()
    row = statutory.request(job.pk, ASKED, by=quick.by["legal"])
    with pytest.raises(ExportStateError):
        statutory.request(job.pk, ASKED, by=quick.by["legal"])
    statutory.reject(row.pk, by=quick.by["business"])
    for decide in (statutory.approve, statutory.reject):
        with pytest.raises(ExportStateError):
            decide(row.pk, by=quick.by["business"])
    assert entry_of("export.rejected", job.id.hex).event["export"] == row.id.hex


def test_what_changed_since_the_request_stops_the_approval(
    delivered: Any, quick: Any, lawful: None, settings: Any
) -> None:
    job = delivered()
    row = statutory.request(job.pk, ASKED, by=quick.by["legal"])
    settings.LIKENESS_STATUTORY_EXPORT = "off"
    with pytest.raises(ExportOffError):
        statutory.approve(row.pk, by=quick.by["business"])
    settings.LIKENESS_STATUTORY_EXPORT = "on"
    settings.LIKENESS_LABEL_PROFILE = "eu"
    with pytest.raises(ExportError):
        statutory.approve(row.pk, by=quick.by["business"])
    settings.LIKENESS_LABEL_PROFILE = ""
    consents.revoke(job.consent_id, reason="stop", by=quick.by["legal"])
    with pytest.raises(JobStateError):
        statutory.approve(row.pk, by=quick.by["business"])


@pytest.mark.parametrize("change", ["off", "revoked"])
def test_what_changed_since_the_approval_stops_the_copy(
    delivered: Any, quick: Any, lawful: None, settings: Any, work: Any, change: str
) -> None:
    job = delivered()
    row = approved(quick, job)
    if change == "off":
        settings.LIKENESS_STATUTORY_EXPORT = "off"
    else:
        consents.revoke(job.consent_id, reason="stop", by=quick.by["legal"])
    work()
    copy = Job.objects.get(pk=row.copy_id)
    assert (copy.state, copy.code) == {
        "off": ("failed", "export.off"),
        "revoked": ("refused", "licence.revoked"),
    }[change]
    assert copy.output_sha256 == ""


@pytest.mark.parametrize("forged", ["no request", "only rows", "another job", "same person"])
def test_rows_alone_make_no_copy(
    delivered: Any, quick: Any, lawful: None, sent: Any, work: Any, forged: str
) -> None:
    job = delivered()
    names = {name: getattr(job, name) for name in exporting.SAME}
    copy = Job.objects.create(
        requester=job.requester, derived_from=job, source_sha256=job.source_sha256, **names
    )
    if forged != "no request":
        row = statutory.request(job.pk, ASKED, by=quick.by["legal"])
        event_id = row.request_event
        if forged != "only rows":
            named = uuid.uuid4().hex if forged == "another job" else copy.id.hex
            by = quick.by["business" if forged == "another job" else "legal"]
            with transaction.atomic():
                event_id = audit.append(
                    ExportApproved(export=row.id.hex, job=job.id.hex, copy=named), actor=by
                )
            log.receipt(event_id, timeout_s=5)
        Export.objects.filter(pk=row.pk).update(
            state="approved", copy=copy, decided_by="usr_" + "9" * 16, approval_event=event_id
        )
    sent.append(("admit", str(copy.pk)))
    work()
    copy.refresh_from_db()
    assert (copy.state, copy.code) == ("failed", "export.state")
    assert copy.output_sha256 == ""


# ---- the one way through


def test_a_copy_has_every_mark_but_the_visible_one(
    delivered: Any, quick: Any, lawful: None, settings: Any, work: Any
) -> None:
    job = delivered()
    assert statutory.may_be_asked_for(job)
    row = approved(quick, job)
    work()
    row.refresh_from_db()
    copy = Job.objects.get(pk=row.copy_id)

    assert (copy.state, copy.message, row.state) == ("done", "", "delivered")
    assert (copy.labelling["form"], copy.marking["label"]) == ("none", None)
    assert copy.mark_id not in (None, job.mark_id)
    path = delivery.output_path(copy)
    assert read_label(path).label is not None
    with pytest.raises(VisibleLabelLostError):
        check_visible(path, Label(320, 240))
    event = entry_of("label.applied", copy.id.hex).event
    assert (event["label"], "visible" in event["marks"]) == ("none", False)
    assert set(event["marks"]) >= {"invisible", "aigc", "c2pa"}
    assert not statutory.may_be_asked_for(copy)
    poster = cv2.imread(str(delivery.poster_path(copy)))
    assert Label(320, 240).check(to_planes(poster).y) > 0.9  # what pages show is labelled

    for role in ("requester", "business", "expert", "auditor", "operator"):
        with pytest.raises(RoleError):
            services.download(copy.pk, by=quick.by[role])
    with pytest.raises(ExportError):
        delivery.player_path(copy)
    assert services.download(copy.pk, by=quick.by["legal"]) == path
    assert entry_of("output.downloaded", copy.id.hex).actor == quick.by["legal"].id
    settings.LIKENESS_STATUTORY_EXPORT = "off"
    with pytest.raises(ExportOffError):
        services.download(copy.pk, by=quick.by["legal"])
    consents.revoke(job.consent_id, reason="stop", by=quick.by["legal"])
    assert Job.objects.get(pk=copy.pk).state == "withdrawn"


def test_the_log_tells_the_way_of_a_copy_and_names_nobody(
    delivered: Any, quick: Any, lawful: None, work: Any
) -> None:
    job = delivered()
    row = approved(quick, job)
    work()
    row.refresh_from_db()
    asked = entry_of("export.requested", job.id.hex)
    agreed = entry_of("export.approved", job.id.hex)
    made = entry_of("export.delivered", row.copy.id.hex)
    assert (asked.event["agreement"], asked.event["declaration"]) == (ASKED.agreement, "art9/1")
    assert (asked.event["retention"], made.event["original"]) == ("art9-6m", job.id.hex)
    assert asked.actor != agreed.actor
    for entry in (asked, agreed, made):
        assert ASKED.recipient.encode() not in entry.body
        assert ASKED.purpose.encode() not in entry.body
    told = disclosures.disclosures([asked.event_id], by=quick.by["auditor"])[asked.event_id]
    plain = bytes.fromhex(told.salt) + told.jcs.encode()
    assert asked.event["detail"] == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert words.told(row.request_event, tenant="demo")["recipient"] == ASKED.recipient
    assert words.told(row.request_event, tenant="other") == {}

    assert (row.keep_until - row.delivered).days >= 184
    with pytest.raises(ExportStateError):
        statutory.erase_recipient(row.pk, by=quick.by["legal"])
    Export.objects.filter(pk=row.pk).update(keep_until=timezone.now())
    with pytest.raises(RoleError):
        statutory.erase_recipient(row.pk, by=quick.by["business"])
    assert statutory.erase_recipient(row.pk, by=quick.by["legal"])
    assert not statutory.erase_recipient(row.pk, by=quick.by["legal"])
    assert words.told(row.request_event, tenant="demo") == {}
    assert entry_of("export.erased", job.id.hex).event["export"] == row.id.hex


def test_requests_are_listed_for_one_tenant(delivered: Any, quick: Any, lawful: None) -> None:
    job = delivered()
    row = statutory.request(job.pk, ASKED, by=quick.by["legal"])
    assert [one.pk for one in selectors.exports(tenant="demo", job=job)] == [row.pk]
    assert not selectors.exports(tenant="other")
    for key, tenant in ((row.pk, "other"), ("none", "demo")):
        with pytest.raises(NotFoundError):
            selectors.export(key, tenant=tenant)


def test_a_performer_who_does_not_allow_it_stops_the_copy(
    quick: Any, lawful: None, work: Any, green_clip: bytes
) -> None:
    job = finished(quick, green_clip, performer={"unlabelled_export": False})
    row = approved(quick, job)  # the row of the original names its source alone
    work()
    copy = Job.objects.get(pk=row.copy_id)
    assert (copy.state, copy.code, copy.output_sha256) == ("failed", "export.refused", "")


def test_a_licence_that_was_tampered_with_hides_the_form(delivered: Any, lawful: None) -> None:
    job = delivered()
    assert statutory.may_be_asked_for(job)
    Job.objects.filter(pk=job.pk).update(identity_id="idn_" + "0" * 16)
    job.refresh_from_db()
    assert not statutory.may_be_asked_for(job)
