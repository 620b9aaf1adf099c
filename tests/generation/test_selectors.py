from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from generation import selectors
from generation.errors import NotFoundError
from generation.models import Chunk, Job, Media

pytestmark = pytest.mark.django_db


def make_media(tenant: str = "demo", sha256: str = "a" * 64) -> Media:
    return Media.objects.create(
        tenant=tenant, sha256=sha256, bytes=10, kind="video", info={}, uploader="usr_1"
    )


def make_job(media: Media, **changes: Any) -> Job:
    plain = {
        "tenant": media.tenant, "requester": "usr_1", "identity_id": "idn_1", "media": media,
        "purpose": "product_explainer", "channel": "branch_screen", "territory": "CN", "language": "zh",
    }  # fmt: skip
    return Job.objects.create(**{**plain, **changes})


PERMITTED = {"admission_index": 1, "permit": "x.y", "mark_id": "0" * 15 + "1", "consent_id": "con_1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "nonsense"},
        {"state": "queued"},
        {"state": "running", **PERMITTED, "permit": ""},
        {"state": "running", **PERMITTED, "admission_index": None},
        {"state": "sealing", **PERMITTED, "mark_id": None},
        {"state": "queued", **PERMITTED, "consent_id": ""},
        {"state": "done", **PERMITTED},
        {"state": "refused"},
        {"state": "failed"},
        {"mark_id": "XYZ"},
    ],
)
def test_the_database_refuses_a_job_that_skipped_a_step(db: None, changes: dict[str, Any]) -> None:
    media = make_media()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_job(media, **changes)


@pytest.mark.parametrize("field", ["admission_index", "mark_id"])
def test_no_two_jobs_share_a_decision_or_a_mark(db: None, field: str) -> None:
    media = make_media()
    make_job(media, state="queued", **PERMITTED)
    other = {**PERMITTED, "admission_index": 2, "mark_id": "0" * 15 + "2"}
    with pytest.raises(IntegrityError), transaction.atomic():
        make_job(media, state="queued", **{**other, field: PERMITTED[field]})


def test_pages_cover_every_job_once(db: None) -> None:
    media = make_media()
    same = timezone.now()
    rows = [make_job(media) for _ in range(7)]
    Job.objects.filter(pk__in=[row.pk for row in rows[:4]]).update(created=same - timedelta(hours=1))
    seen: list[Any] = []
    cursor = None
    while True:
        page = selectors.jobs(tenant="demo", limit=3, cursor=cursor)
        seen += [job.pk for job in page.results]
        if not page.next:
            break
        cursor = page.next
    assert sorted(seen) == sorted(row.pk for row in rows)
    assert len(set(seen)) == 7


@pytest.mark.parametrize("cursor", ["x", "e30", "W10", "WzEsMl0", "ż" * 5])
def test_a_cursor_of_somebody_else_is_no_page(db: None, cursor: str) -> None:
    with pytest.raises(NotFoundError):
        selectors.jobs(tenant="demo", cursor=cursor)


def test_an_unknown_state_is_no_page(db: None) -> None:
    with pytest.raises(NotFoundError):
        selectors.jobs(tenant="demo", state="nonsense")


@pytest.mark.parametrize("key", ["", "x", "0" * 32, None])
def test_what_is_not_there_is_not_found(db: None, key: Any) -> None:
    with pytest.raises(NotFoundError):
        selectors.job(key, tenant="demo")
    assert selectors.by_id(key) is None


def test_each_tenant_sees_its_own(db: None) -> None:
    mine, theirs = make_job(make_media()), make_job(make_media("other"))
    assert [job.pk for job in selectors.jobs(tenant="demo").results] == [mine.pk]
    with pytest.raises(NotFoundError):
        selectors.job(theirs.pk, tenant="demo")
    assert selectors.media_by_sha256("a" * 64, tenant="demo") == mine.media
    assert selectors.open_jobs(tenant="other") == 1


def test_progress_grows_with_the_frames(db: None) -> None:
    job = make_job(make_media(), state="running", **PERMITTED)
    assert selectors.progress(job).fraction == 0.0
    Chunk.objects.create(job=job, index=0, frames=100, frames_done=100, state="done", attempts=1)
    Chunk.objects.create(job=job, index=1, frames=100, frames_done=50, state="running", attempts=2)
    found = selectors.progress(job)
    assert found.fraction == pytest.approx(0.05 + 0.9 * 0.75)
    assert (found.chunks, found.chunks_done, found.frames_done, found.attempts) == (2, 1, 150, 2)


def test_a_mark_is_found_in_any_case(db: None) -> None:
    job = make_job(make_media(), state="queued", **{**PERMITTED, "mark_id": "00000000000000ab"})
    assert selectors.by_mark("00000000000000AB") == job
    assert selectors.by_mark("00000000000000ac") is None
    assert selectors.by_output("") is None
