from __future__ import annotations

import hashlib
import io
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from rest_framework.test import APIClient

from consent import services as consents
from generation import blobs
from generation.models import Job, Media
from likeness.accounts.services import create_api_key
from tests.generation import fakes
from tests.generation.conftest import Studio, colour_clip


def client_of(user: Any) -> APIClient:
    made = APIClient(raise_request_exception=False)
    made.credentials(HTTP_AUTHORIZATION="Bearer " + create_api_key(user=user, label="test"))
    return made


@pytest.fixture
def client(quick: Studio) -> APIClient:
    return client_of(quick.people["requester"])


def upload(client: APIClient, data: bytes, name: str = "clip.mp4") -> Any:
    file = io.BytesIO(data)
    file.name = name
    return client.post("/api/v1/media/", {"file": file}, format="multipart")


def ask(client: APIClient, body: dict[str, Any], *, key: str = "k-1") -> Any:
    return client.post("/api/v1/jobs/", body, format="json", headers={"Idempotency-Key": key})


@pytest.fixture
def body(quick: Studio, green_clip: bytes) -> dict[str, Any]:
    """A request that will be admitted."""
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return {
        "identity": licence.identity_id,
        "media": str(quick.upload(green_clip).pk),
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "callback_id": "ours-1",
    }


# ---- media


def test_footage_is_uploaded(client: APIClient, green_clip: bytes) -> None:
    answer = upload(client, green_clip, name="../../etc/passwd\u202e.mp4")
    assert answer.status_code == 201, answer.content
    assert answer.data["kind"] == "video"
    assert (answer.data["width_px"], answer.data["height_px"], answer.data["frames"]) == (320, 240, 16)
    assert "passwd" not in answer.content.decode()
    assert client.get(answer["Location"]).data == answer.data


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "media.unreadable"),
        (b"plain text", 422, "media.unreadable"),
        (b"%PDF-1.7 nothing to see", 422, "media.unreadable"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", 415, "media.unsupported"),
    ],
)
def test_what_is_no_footage_is_refused_and_not_kept(
    client: APIClient, data: bytes, status: int, code: str
) -> None:
    answer = upload(client, data)
    assert (answer.status_code, answer.data["code"]) == (status, code), answer.content
    assert answer.data["hint"]
    assert not Media.objects.exists()


def test_a_truncated_clip_is_refused(client: APIClient, green_clip: bytes) -> None:
    assert upload(client, green_clip[: len(green_clip) // 2]).status_code == 422


def test_sound_alone_is_refused(client: APIClient) -> None:
    import av
    import numpy as np

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.float32), format="fltp", layout="mono")
        frame.rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    answer = upload(client, out.getvalue())
    assert answer.status_code == 422
    assert answer.data["code"] == "media.unreadable"


def test_only_a_requester_uploads(quick: Studio, green_clip: bytes) -> None:
    answer = upload(client_of(quick.people["auditor"]), green_clip)
    assert (answer.status_code, answer.data["code"]) == (403, "role.missing")


# ---- asking


def test_a_job_is_accepted_made_and_fetched(client: APIClient, body: dict[str, Any], work: Any) -> None:
    answer = ask(client, body)
    assert answer.status_code == 202, answer.content
    assert (answer.data["state"], answer.data["callback_id"], answer.data["progress"]) == (
        "admitting",
        "ours-1",
        0.0,
    )
    work()
    job = client.get(answer["Location"]).data
    assert (job["state"], job["progress"], job["alarms"]) == ("done", 1.0, [])
    assert job["chunks"]["frames_done"] == job["chunks"]["frames"] == 16
    file = client.get(job["links"]["output"])
    assert file.status_code == 200
    assert file["Content-Type"] == "video/mp4"
    assert file["Content-Disposition"].startswith("attachment")
    assert file["X-Content-Type-Options"] == "nosniff"
    whole = b"".join(file.streaming_content)
    assert len(whole) == job["output_bytes"]
    part = client.get(job["links"]["output"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part["Content-Range"] == f"bytes 100-199/{len(whole)}"
    beyond = client.get(job["links"]["output"], headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416
    manifest = client.get(job["links"]["manifest"])
    assert manifest["Content-Type"] == "application/c2pa"
    assert hashlib.sha256(b"".join(manifest.streaming_content)).hexdigest() == job["manifest_sha256"]
    for rel in ("poster", "before"):
        picture = client.get(job["links"][rel])
        assert picture["Content-Type"] == "image/jpeg"
        assert b"".join(picture.streaming_content)[:2] == b"\xff\xd8"


def test_the_same_request_twice_is_one_job(client: APIClient, body: dict[str, Any]) -> None:
    first, second = ask(client, body), ask(client, body)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert Job.objects.count() == 1


def test_the_same_key_for_another_request_is_refused(client: APIClient, body: dict[str, Any]) -> None:
    ask(client, body)
    assert ask(client, {**body, "channel": "website"}).status_code == 422
    assert Job.objects.count() == 1


def test_a_request_needs_its_key(client: APIClient, body: dict[str, Any]) -> None:
    assert client.post("/api/v1/jobs/", body, format="json").status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"media": "not-a-uuid"},
        {"media": None},
        {"media_sha256": "0" * 64},
        {"identity": ""},
        {"purpose": 5 * ["x"]},
        {"mode": "magic"},
        {"callback_id": "x" * 65},
        {"source_sha256": "zz"},
    ],
)
def test_a_malformed_request_makes_no_job(
    client: APIClient, body: dict[str, Any], change: dict[str, Any]
) -> None:
    answer = ask(client, {**body, **change})
    assert answer.status_code == 400, answer.content
    assert not Job.objects.exists()


@pytest.mark.parametrize(("container", "code"), [("avi", "watermark.container"), ("webm", "output.format")])
def test_an_output_that_cannot_hold_its_label_makes_no_job(
    client: APIClient, body: dict[str, Any], container: str, code: str
) -> None:
    answer = ask(client, {**body, "container": container})
    assert (answer.status_code, answer.data["code"]) == (422, code)
    assert not Job.objects.exists()


def test_an_output_is_made_in_the_container_that_was_asked_for(
    client: APIClient, body: dict[str, Any], work: Any
) -> None:
    answer = ask(client, {**body, "container": "mkv"})
    work()
    job = client.get(answer["Location"]).data
    assert (job["state"], job["container"], job["output_mime"]) == ("done", "mkv", "video/x-matroska")
    file = client.get(job["links"]["output"])
    assert file["Content-Disposition"].endswith(f'{job["id"]}.mkv"')
    assert b"".join(file.streaming_content)[:4] == b"\x1a\x45\xdf\xa3"


@pytest.mark.parametrize(
    "change", [{"media": str(uuid.uuid4())}, {"identity": "idn_0000000000000000"}], ids=["media", "identity"]
)
def test_what_does_not_exist_is_not_found(
    client: APIClient, body: dict[str, Any], change: dict[str, Any]
) -> None:
    answer = ask(client, {**body, **change})
    assert (answer.status_code, answer.data["code"]) == (404, "not_found")


# ---- the five refusals


def test_a_wrong_purpose_is_refused(client: APIClient, body: dict[str, Any]) -> None:
    answer = ask(client, {**body, "purpose": "marketing"})
    assert (answer.status_code, answer.json()["code"]) == (422, "scope.purpose")
    assert answer.json()["reasons"] == ["scope.purpose"]
    job = client.get(f"/api/v1/jobs/{answer.json()['job']}/").data
    assert (job["state"], job["code"]) == ("refused", "scope.purpose")


def test_an_unlicensed_source_is_refused(client: APIClient, body: dict[str, Any]) -> None:
    answer = ask(client, {**body, "source_sha256": "0" * 64})
    assert (answer.status_code, answer.json()["code"]) == (422, "source.not_licensed")


def test_a_revoked_licence_is_refused(client: APIClient, body: dict[str, Any], quick: Studio) -> None:
    from consent import selectors

    (licence,) = selectors.consents(tenant="demo").filter(identity_id=body["identity"])
    consents.revoke(licence.id, reason="changed her mind", by=quick.by["legal"])
    answer = ask(client, body)
    assert answer.status_code == 422
    assert "licence.revoked" in answer.json()["reasons"]


def test_a_blocked_face_is_refused(client: APIClient, body: dict[str, Any], quick: Studio, work: Any) -> None:
    consents.block(image=fakes.portrait(fakes.GREEN), identity_id=None, reason="order", by=quick.by["legal"])
    answer = ask(client, body)
    work()
    job = client.get(answer["Location"]).data
    assert (job["state"], job["code"], job["reasons"]) == ("refused", "face.blocked", ["face.blocked"])
    assert "links" in job
    assert "output" not in job["links"]


def test_an_exchanged_file_is_refused(client: APIClient, body: dict[str, Any], work: Any) -> None:
    answer = ask(client, body)
    path = blobs.store().path(Media.objects.get(pk=body["media"]).sha256)
    path.chmod(0o600)
    path.write_bytes(colour_clip(fakes.GREEN, count=8))
    work()
    job = client.get(answer["Location"]).data
    assert (job["state"], job["code"]) == ("refused", "input.changed")


# ---- afterwards


def test_a_withdrawn_output_is_451(client: APIClient, body: dict[str, Any], quick: Studio, work: Any) -> None:
    answer = ask(client, body)
    work()
    job = client.get(answer["Location"]).data
    consents.revoke(job["consent"], reason="changed her mind", by=quick.by["legal"])
    for rel in ("output", "manifest", "poster", "before"):
        assert client.get(job["links"][rel]).status_code == 451
    assert client.get(answer["Location"]).data["state"] == "withdrawn"


def test_a_job_without_output_has_none(client: APIClient, body: dict[str, Any]) -> None:
    job = ask(client, body).json()
    for name in ("output", "poster", "before"):
        assert client.get(f"/api/v1/jobs/{job['id']}/{name}").status_code == 409


def test_a_job_is_cancelled_once(client: APIClient, body: dict[str, Any]) -> None:
    job = ask(client, body).json()
    assert client.post(job["links"]["cancel"]).data["state"] == "cancelled"
    again = client.post(job["links"]["cancel"])
    assert (again.status_code, again.data["code"]) == (409, "job_finished")


def test_jobs_are_listed_in_pages(client: APIClient, body: dict[str, Any]) -> None:
    ids = [ask(client, body, key=f"k-{n}").json()["id"] for n in range(3)]
    first = client.get("/api/v1/jobs/?limit=2").data
    assert [job["id"] for job in first["results"]] == [ids[2], ids[1]]
    second = client.get(first["next"]).data
    assert [job["id"] for job in second["results"]] == [ids[0]]
    assert second["next"] is None
    assert client.get("/api/v1/jobs/?state=done").data["results"] == []
    assert client.get("/api/v1/jobs/?state=nonsense").status_code == 400


def test_a_longer_list_asks_no_more_questions(client: APIClient, body: dict[str, Any]) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/api/v1/jobs/")
        return len(asked)

    ask(client, body, key="k-1")
    few = questions()
    for number in range(2, 6):
        ask(client, body, key=f"k-{number}")
    assert questions() == few


def test_another_tenants_jobs_do_not_exist(
    client: APIClient, body: dict[str, Any], person: Any, work: Any
) -> None:
    job = ask(client, body).json()
    work()
    stranger = client_of(person("requester", "operator", tenant="other"))
    missing = stranger.get(f"/api/v1/jobs/{uuid.uuid4()}/")
    assert missing.status_code == 404
    for path in ("", "output", "manifest", "poster", "before"):
        answer = stranger.get(f"/api/v1/jobs/{job['id']}/{path}")
        assert (answer.status_code, answer.data) == (404, missing.data)
    assert stranger.post(f"/api/v1/jobs/{job['id']}/cancel").status_code == 404
    assert stranger.get(f"/api/v1/media/{body['media']}/").status_code == 404
    assert stranger.get("/api/v1/jobs/").data["results"] == []


def test_nobody_gets_in_without_signing_in(live_database: str) -> None:
    anonymous = APIClient(raise_request_exception=False)
    some = str(uuid.uuid4())
    for path in ("jobs/", f"jobs/{some}/", f"jobs/{some}/output", f"jobs/{some}/manifest", f"media/{some}/"):
        assert anonymous.get(f"/api/v1/{path}").status_code == 401
    assert anonymous.post("/api/v1/media/").status_code == 401
    assert get_resolver().resolve("/api/v1/jobs/").url_name == "api-job-list"
