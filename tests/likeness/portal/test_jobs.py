from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from generation import statutory
from generation.models import Chunk, Export, Job
from tests.likeness.portal.conftest import VIDEO, upload

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def page(client: Client, job: Job, **headers: str):
    return client.get(reverse("job-detail", args=[job.id]), headers=headers)


@pytest.mark.parametrize("state", ["admitting", "queued", "running", "sealing"])
def test_a_job_that_moves_is_asked_for_every_second(sign_in, world, state):
    response = page(sign_in("requester"), world.job(state), **HTMX)
    assert response.status_code == 200
    assert 'hx-trigger="every 1s"' in response.content.decode()


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "refused", "withdrawn"])
def test_polling_stops_with_the_job(sign_in, world, state):
    response = page(sign_in("requester"), world.job(state), **HTMX)
    assert response.status_code == 286
    assert "hx-trigger" not in response.content.decode()
    assert "<html" not in response.content.decode()


def test_the_list_and_the_overview_stop_polling_when_nothing_moves(sign_in, world):
    moving = world.job("running")
    client = sign_in("requester")
    for name in ("job-list", "home"):
        assert client.get(reverse(name), headers=HTMX).status_code == 200
    Job.objects.filter(pk=moving.pk).update(state="cancelled")
    for name in ("job-list", "home"):
        assert client.get(reverse(name), headers=HTMX).status_code == 286


def test_progress_is_told_in_frames(sign_in, world):
    job = world.job("running")
    Chunk.objects.create(job=job, index=0, frames=75, frames_done=75, state="done")
    Chunk.objects.create(job=job, index=1, frames=75, frames_done=15, state="running")
    assert "90 of 150 frames" in page(sign_in("requester"), job).content.decode()


def test_a_finished_job_has_a_player_pictures_marks_and_a_download(sign_in, world):
    job = world.job("done")
    html = page(sign_in("requester"), job).content.decode()
    assert f'src="{reverse("job-output", args=[job.id])}"' in html
    assert f'poster="{reverse("job-poster", args=[job.id])}"' in html
    assert reverse("job-before", args=[job.id]) in html
    assert reverse("job-download", args=[job.id]) in html
    assert job.mark_id in html


def test_a_job_says_how_it_is_labelled_and_by_which_law(sign_in, world):
    job = world.job("done")
    html = page(sign_in("requester"), job).content.decode()
    for words in ("AI生成 · AI GENERATED", "top right", "On every frame", "China", "this installation"):
        assert words in html
    where = reverse("job-label", args=[job.id])
    assert where in html
    response = sign_in("requester").get(where)
    assert response.headers["Content-Type"] == "image/png"
    assert response.content.startswith(b"\x89PNG")


def test_the_form_for_an_unlabelled_copy_is_shown_where_it_could_succeed(sign_in, world, monkeypatch):
    job = world.job("done")
    where = reverse("job-export", args=[job.id])
    assert where not in page(sign_in("legal"), job).content.decode()
    monkeypatch.setattr(statutory, "may_be_asked_for", lambda _job: True)
    assert where in page(sign_in("legal"), job).content.decode()
    assert where not in page(sign_in("business"), job).content.decode()


def test_a_refused_request_for_a_copy_says_why(sign_in, world):
    job = world.job("done")
    body = {"recipient": "示范证券", "agreement": "AGR-1", "purpose": "放映", "declared": "on"}
    response = sign_in("legal").post(reverse("job-export", args=[job.id]), body)
    assert response.status_code == 422
    assert "makes no copies" in response.content.decode()
    response = sign_in("legal").post(reverse("job-export", args=[job.id]), {**body, "declared": ""})
    assert "Without the declaration" in response.content.decode()


def test_a_copy_is_not_played_and_only_legal_takes_it(sign_in, world):
    copy = world.job("done", derived_from=world.job("done", mark_id="1" * 16, admission_index=77))
    html = page(sign_in("requester"), copy).content.decode()
    assert reverse("job-download", args=[copy.id]) not in html
    assert f'src="{reverse("job-output", args=[copy.id])}"' not in html
    assert reverse("job-download", args=[copy.id]) in page(sign_in("legal"), copy).content.decode()
    assert sign_in("legal").get(reverse("job-output", args=[copy.id])).status_code == 422


def test_requests_for_copies_are_listed_for_those_who_decide(sign_in, world, people):
    row = Export.objects.create(
        tenant="demo",
        job=world.job("done"),
        agreement="AGR-7",
        requested_by=people["legal"].actor.id,
        request_event=uuid.uuid4(),
    )
    decide = reverse("export-approve", args=[row.id])
    for role, shown in (("business", True), ("legal", False), ("auditor", False)):
        html = sign_in(role).get(reverse("export-list")).content.decode()
        assert "AGR-7" in html
        assert (decide in html) is shown


def test_a_refused_job_gives_every_reason_with_its_code(sign_in, world):
    job = world.job("refused", reasons=["licence.expired", "face.blocked", "something.new"])
    html = page(sign_in("requester"), job).content.decode()
    for words in ("term is over", "blocklist", "licence.expired", "face.blocked", "something.new"):
        assert words in html


def test_reasons_are_told_in_chinese(sign_in, world):
    client = sign_in("requester")
    client.cookies["django_language"] = "zh-hans"
    assert "授权不允许该用途" in page(client, world.job("refused")).content.decode()


@pytest.mark.parametrize(
    ("wanted", "status", "first", "last"),
    [
        ("bytes=0-99", 206, 0, 99),
        ("bytes=100-", 206, 100, len(VIDEO) - 1),
        ("bytes=-10", 206, len(VIDEO) - 10, len(VIDEO) - 1),
        ("bytes=0-999999999", 206, 0, len(VIDEO) - 1),
        ("bytes=-999999999", 206, 0, len(VIDEO) - 1),
        ("", 200, 0, len(VIDEO) - 1),
        ("bytes=5-2", 200, 0, len(VIDEO) - 1),
        ("bytes=-", 200, 0, len(VIDEO) - 1),
        ("lines=1-2", 200, 0, len(VIDEO) - 1),
        ("bytes=0-1,5-6", 200, 0, len(VIDEO) - 1),
    ],
)
def test_the_player_gets_the_range_that_it_asks_for(sign_in, world, wanted, status, first, last):
    job = world.job("done")
    response = sign_in("legal").get(reverse("job-output", args=[job.id]), headers={"Range": wanted})
    body = response.body
    assert response.status_code == status
    assert body == VIDEO[first : last + 1]
    assert int(response.headers["Content-Length"]) == len(body)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if status == 206:
        assert response.headers["Content-Range"] == f"bytes {first}-{last}/{len(VIDEO)}"


def test_a_range_beyond_the_end_is_not_satisfiable(sign_in, world):
    job = world.job("done")
    where = reverse("job-output", args=[job.id])
    response = sign_in("legal").get(where, headers={"Range": f"bytes={len(VIDEO)}-"})
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{len(VIDEO)}"


def test_a_download_is_an_attachment(sign_in, world):
    job = world.job("done")
    response = sign_in("auditor").post(reverse("job-download", args=[job.id]))
    assert response.body == VIDEO
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert response.headers["Content-Disposition"].endswith('.mp4"')
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_a_kind_that_is_not_ours_goes_out_as_plain_bytes(sign_in, world):
    job = world.job("done", output_mime="text/html")
    response = sign_in("legal").get(reverse("job-output", args=[job.id]))
    assert response.headers["Content-Type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["job-output", "job-poster", "job-before", "job-download"])
def test_a_withdrawn_output_is_451(sign_in, world, name):
    where = reverse(name, args=[world.job("withdrawn").id])
    client = sign_in("requester")
    response = client.post(where) if name == "job-download" else client.get(where)
    assert response.status_code == 451
    assert "withdrawn" in response.content.decode()


@pytest.mark.parametrize("name", ["job-output", "job-poster", "job-download"])
def test_a_job_without_an_output_is_409(sign_in, world, name):
    where = reverse(name, args=[world.job("running").id])
    client = sign_in("requester")
    assert (client.post(where) if name == "job-download" else client.get(where)).status_code == 409


def test_cancelling_stops_a_job_and_says_so(sign_in, world):
    job = world.job("running")
    response = sign_in("requester").post(reverse("job-cancel", args=[job.id]), follow=True)
    job.refresh_from_db()
    assert job.state == "cancelled"
    assert 'class="note success"' in response.content.decode()


def test_cancelling_a_finished_job_is_told_on_its_page(sign_in, world):
    job = world.job("done")
    response = sign_in("requester").post(reverse("job-cancel", args=[job.id]), follow=True)
    assert "already over" in response.content.decode()


def test_unreadable_footage_is_told_on_its_field(sign_in, world):
    person = world.activate().identity
    data = {
        "identity": person.id,
        "target": upload(b"no video at all", "clip.mp4"),
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "territory": "CN",
        "language": "zh",
    }
    response = sign_in("requester").post(reverse("job-create"), data)
    assert response.status_code == 422
    assert 'id="id_target_error"' in response.content.decode()
    assert not Job.objects.exists()


def test_the_form_offers_likenesses_of_this_tenant_only(sign_in, stranger, world):
    world.enrol("王五")
    world.enrol("张三", kind="performer")
    html = sign_in("requester").get(reverse("job-create")).content.decode()
    assert "王五" in html
    assert "张三" not in html
    assert "王五" not in stranger.get(reverse("job-create")).content.decode()


@pytest.mark.parametrize("query", ["?state=nonsense", "?cursor=nonsense"])
def test_a_page_that_is_not_there_is_404(sign_in, query):
    assert sign_in("requester").get(reverse("job-list") + query).status_code == 404


def test_a_part_that_is_asked_for_after_the_session_ended_reloads_the_page(world):
    response = page(Client(), world.job("running"), **HTMX)
    assert response.headers["HX-Refresh"] == "true"
    assert not response.content
