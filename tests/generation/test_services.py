from __future__ import annotations

import io
import uuid
from typing import Any

import av
import pytest

from audit import selectors as log
from audit.leaf import KeyKind
from consent import services as consents
from generation import blobs, delivery, queueing, selectors, services, transitions
from generation.engine.errors import UnreadableMediaError
from generation.errors import JobStateError, NotFoundError, RefusedError, RoleError, WithdrawnError
from generation.models import Chunk, Job, JobState, Media
from tests.generation import fakes
from tests.generation.conftest import colour_clip


def again(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def entries(job: Job, *, wait_for: str, count: int = 1) -> list[str]:
    """Types of the job's log entries, once the named one is there so many times."""
    import time

    deadline = time.monotonic() + 10
    while True:
        found = [entry.type for entry in log.entries(KeyKind.JOB, job.id.hex)]
        if found.count(wait_for) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


# ---- uploads


@pytest.mark.parametrize(
    "data", [b"", b"not media", b"\x00\x00\x00\x18ftypisom" + bytes(200)], ids=["empty", "text", "cut"]
)
def test_an_unreadable_upload_leaves_nothing(home: Any, people: Any, data: bytes) -> None:
    with pytest.raises(UnreadableMediaError):
        services.upload(io.BytesIO(data), by=people["requester"].actor)
    assert not Media.objects.exists()
    assert not [path for path in home.rglob("*") if path.is_file() and "weights" not in path.parts]


def test_the_same_bytes_are_one_media(home: Any, people: Any, green_clip: bytes) -> None:
    first, second = (services.upload(io.BytesIO(green_clip), by=people["requester"].actor) for _ in range(2))
    assert first == second
    assert blobs.store().exists(first.sha256)


def test_only_a_requester_uploads(home: Any, people: Any, green_clip: bytes) -> None:
    with pytest.raises(RoleError):
        services.upload(io.BytesIO(green_clip), by=people["auditor"].actor)


# ---- what is refused at once


def test_without_a_licence_the_job_is_refused_and_logged(quick: Any, green_clip: bytes) -> None:
    pending = quick.submit_consent(fakes.portrait(fakes.RED))
    with pytest.raises(RefusedError) as refused:
        quick.submit(pending, quick.upload(green_clip))
    assert refused.value.code == "licence.not_active"
    job = Job.objects.get(pk=refused.value.job)
    assert (job.state, job.code, job.permit) == ("refused", "licence.not_active", "")
    assert entries(job, wait_for="gate.decided") == ["gate.decided"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "marketing"}, "scope.purpose"),
        ({"purpose": "nonsense"}, "scope.purpose"),
        ({"channel": "website"}, "scope.channel"),
        ({"territory": "US"}, "scope.territory"),
        ({"language": "en"}, "scope.language"),
        ({"operation": "lip_sync"}, "scope.operation"),
        ({"source_sha256": "0" * 64}, "source.not_licensed"),
    ],
)
def test_a_use_beyond_the_licence_is_refused(
    quick: Any, green_clip: bytes, change: dict[str, str], code: str
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    with pytest.raises(RefusedError) as refused:
        quick.submit(licence, quick.upload(green_clip), **change)
    assert refused.value.reasons == (code,)
    assert refused.value.hint


def test_a_revoked_licence_is_refused(quick: Any, green_clip: bytes) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    consents.revoke(licence.id, reason="changed her mind", by=quick.by["legal"])
    with pytest.raises(RefusedError) as refused:
        quick.submit(licence, quick.upload(green_clip))
    assert "licence.revoked" in refused.value.reasons


def test_another_tenants_things_do_not_exist(quick: Any, person: Any, green_clip: bytes) -> None:
    licence, media = quick.enrol(fakes.portrait(fakes.RED)), quick.upload(green_clip)
    stranger = person("requester", tenant="other").actor
    with pytest.raises(NotFoundError):
        services.submit(quick.request(licence, media), by=stranger)
    with pytest.raises(NotFoundError):
        selectors.media(media.pk, tenant="other")


def test_only_a_requester_submits(quick: Any, green_clip: bytes) -> None:
    licence, media = quick.enrol(fakes.portrait(fakes.RED)), quick.upload(green_clip)
    with pytest.raises(RoleError):
        services.submit(quick.request(licence, media), by=quick.by["legal"])
    assert not Job.objects.exists()


# ---- what the worker refuses


def _admitted(quick: Any, clip: bytes, work: Any, *, performer: Any = fakes.GREEN) -> Job:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    if performer:
        quick.enrol(fakes.portrait(performer), kind="performer")
    job = quick.submit(licence, quick.upload(clip))
    work()
    return again(job)


@pytest.mark.parametrize(
    ("clip", "performer", "code"),
    [
        ((fakes.GREEN,), None, "performer.no_release"),
        ((fakes.BLUE,), fakes.GREEN, "performer.no_release"),
        ((fakes.GREEN, fakes.BLUE), fakes.GREEN, "performer.no_release"),
        ((fakes.NOBODY,), fakes.GREEN, "target.no_face"),
    ],
)
def test_footage_of_the_wrong_people_is_refused(
    quick: Any, work: Any, clip: Any, performer: Any, code: str
) -> None:
    job = _admitted(quick, colour_clip(*clip), work, performer=performer)
    assert (job.state, job.code, job.permit, job.chunks.count()) == ("refused", code, "", 0)
    assert entries(job, wait_for="gate.decided") == ["gate.decided"]


def test_a_blocked_face_is_refused_without_saying_who(quick: Any, work: Any, green_clip: bytes) -> None:
    entry = consents.block(
        image=fakes.portrait(fakes.GREEN, seed=5),
        identity_id=None,
        reason="court order",
        by=quick.by["legal"],
    )
    job = _admitted(quick, green_clip, work)
    assert (job.state, job.code) == ("refused", "face.blocked")
    assert entry.id not in job.message + job.hint + str(job.reasons)


def test_footage_exchanged_after_the_upload_is_refused(quick: Any, work: Any, green_clip: bytes) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(green_clip)
    job = quick.submit(licence, media)
    path = blobs.store().path(media.sha256)
    path.chmod(0o600)
    path.write_bytes(colour_clip(fakes.GREEN, count=8))
    work()
    assert (again(job).state, again(job).code) == ("refused", "input.changed")


def test_footage_exchanged_after_the_admission_is_refused(
    quick: Any, work: Any, sent: Any, green_clip: bytes
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(green_clip)
    job = quick.submit(licence, media)
    services.admit(uuid.UUID(str(sent.pop(0)[1])))
    assert again(job).state == "queued"
    path = blobs.store().path(media.sha256)
    path.chmod(0o600)
    path.write_bytes(colour_clip(fakes.GREEN, count=8))
    work()
    assert (again(job).state, again(job).code) == ("refused", "input.changed")
    services.reap()
    assert not transitions.scratch(job.pk).exists()
    assert entries(job, wait_for="gate.decided", count=2).count("gate.decided") == 2


def test_a_licence_gives_only_so_many_outputs(quick: Any, work: Any, green_clip: bytes) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED), max_outputs=1)
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(green_clip)
    jobs = [quick.submit(licence, media), quick.submit(licence, media)]
    work()
    assert sorted(again(job).state for job in jobs) == ["done", "refused"]
    with pytest.raises(RefusedError) as refused:
        quick.submit(licence, media)
    assert refused.value.code == "scope.outputs"


# ---- the whole way


def test_two_jobs_on_the_same_footage_at_once_do_not_disturb_each_other(
    quick: Any, work: Any, green_clip: bytes
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(green_clip)
    jobs = [again(quick.submit(licence, media)) for _ in range(2)]
    work()
    first, second = (again(job) for job in jobs)
    assert (first.state, second.state) == ("done", "done")
    assert first.output_sha256 != second.output_sha256
    assert first.mark_id != second.mark_id


def test_a_long_clip_is_made_in_parts_and_joined(quick: Any, work: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("generation.planner.TARGET_S", 0.4)
    job = _admitted(quick, colour_clip(fakes.GREEN, count=40, gop=10), work)
    assert job.state == "done", job.message
    assert list(job.chunks.order_by("index").values_list("frames", "state")) == [(10, "done")] * 4
    assert job.report["frames"] == 40
    with av.open(str(services.download(job.pk, by=quick.by["requester"]))) as opened:
        times = [frame.time for frame in opened.decode(video=0)]
    assert times == pytest.approx([at / 25 for at in range(40)], abs=1e-3)


def test_a_picture_becomes_a_picture(quick: Any, work: Any) -> None:
    job = _admitted(quick, fakes.portrait(fakes.GREEN, seed=3), work)
    assert job.state == "done", job.message
    assert job.output_mime == "image/png"
    assert services.download(job.pk, by=quick.by["requester"]).read_bytes()[:4] == b"\x89PNG"


def test_a_message_delivered_twice_makes_one_output(
    quick: Any, work: Any, sent: Any, green_clip: bytes
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    for _ in range(3):
        sent.extend(list(sent))
        task, key = sent.pop(0)
        {"admit": lambda k: services.admit(uuid.UUID(str(k))), "run_chunk": services.run_chunk,
         "seal": lambda k: services.seal(uuid.UUID(str(k)))}[task](key)  # fmt: skip
    work()
    assert again(job).state == "done"
    assert list(Chunk.objects.values_list("attempts", flat=True)) == [1]
    assert entries(job, wait_for="generation.finished").count("generation.finished") == 1


def test_taking_the_output_is_logged(quick: Any, work: Any, green_clip: bytes) -> None:
    job = _admitted(quick, green_clip, work)
    assert job.state == "done", job.message
    assert services.download(job.pk, by=quick.by["auditor"]).is_file()
    assert "output.downloaded" in entries(job, wait_for="output.downloaded")


# ---- the end of a licence, and of a job


def test_revoking_a_licence_withdraws_its_outputs(quick: Any, work: Any, green_clip: bytes) -> None:
    job = _admitted(quick, green_clip, work)
    consents.revoke(job.consent_id, reason="changed her mind", by=quick.by["legal"])
    job = again(job)
    assert job.state == "withdrawn"
    with pytest.raises(WithdrawnError):
        services.download(job.pk, by=quick.by["requester"])
    with pytest.raises(WithdrawnError):
        delivery.poster_path(job)
    assert "output.withdrawn" in entries(job, wait_for="output.withdrawn")


def test_revoking_a_performers_release_withdraws_the_output_too(
    quick: Any, work: Any, green_clip: bytes
) -> None:
    job = _admitted(quick, green_clip, work)
    release = job.consents.get(role="performer").consent_id
    consents.revoke(release, reason="changed his mind", by=quick.by["legal"])
    assert again(job).state == "withdrawn"


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_revoking_a_licence_stops_its_jobs(
    quick: Any, work: Any, sent: Any, green_clip: bytes, steps: int
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    for _ in range(steps):
        task, key = sent.pop(0)
        {"admit": lambda k: services.admit(uuid.UUID(str(k))), "run_chunk": services.run_chunk}[task](key)
    consents.revoke(licence.id, reason="changed her mind", by=quick.by["legal"])
    job = again(job)
    assert (job.state, job.code) == ("cancelled", "licence.revoked")
    work()
    services.reap()
    assert again(job).state == "cancelled"
    assert not transitions.scratch(job.pk).exists()


def test_a_job_is_cancelled_once(quick: Any, work: Any, green_clip: bytes) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    job = quick.submit(licence, quick.upload(green_clip))
    assert services.cancel(job.pk, by=quick.by["requester"]).state == "cancelled"
    with pytest.raises(JobStateError):
        services.cancel(job.pk, by=quick.by["requester"])
    work()
    assert again(job).state == "cancelled"


def test_a_finished_job_is_not_cancelled(quick: Any, work: Any, green_clip: bytes) -> None:
    job = _admitted(quick, green_clip, work)
    with pytest.raises(JobStateError):
        services.cancel(job.pk, by=quick.by["requester"])


def test_an_auditor_does_not_cancel(quick: Any, green_clip: bytes) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    job = quick.submit(licence, quick.upload(green_clip))
    with pytest.raises(RoleError):
        services.cancel(job.pk, by=quick.by["auditor"])


# ---- when something is away


def test_a_broker_that_is_down_does_not_hold_up_a_request(
    quick: Any, green_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(queueing.current_app, "send_task", _broken)
    licence = quick.enrol(fakes.portrait(fakes.RED))
    assert quick.submit(licence, quick.upload(green_clip)).state == JobState.ADMITTING


def _broken(*_: Any, **__: Any) -> None:
    raise ConnectionRefusedError("no broker")


def test_without_the_log_nothing_runs(silent: Any, work: Any, green_clip: bytes, monkeypatch: Any) -> None:
    monkeypatch.setattr("generation.admitting.RECEIPT_S", 0.05)
    job = _admitted(silent, green_clip, work)
    assert (job.state, job.permit, job.admission_index) == ("admitting", "", None)
    assert job.decision_event is not None
    assert job.chunks.count() == 0
