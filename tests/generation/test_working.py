"""Leases, attempts, stops in mid-job, faults of disk and database, and what the reaper picks up."""

from __future__ import annotations

import errno
import io
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, connection, connections
from django.utils import timezone

from audit.errors import ReceiptTimeoutError
from consent import services as consents
from generation import admitting, blobs, delivery, leases, running, sealing, services, transitions
from generation.engine.errors import EncodeError
from generation.errors import LeaseLostError
from generation.models import Chunk, Job
from tests.generation import fakes
from tests.generation.conftest import Studio, colour_clip


@pytest.fixture
def ready(quick: Studio, sent: Any, green_clip: bytes) -> Job:
    """An admitted job whose chunk waits in the queue."""
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    services.admit(uuid.UUID(str(sent.pop(0)[1])))
    job.refresh_from_db()
    assert job.state == "queued", job.message
    return job


def chunk_of(job: Job) -> Chunk:
    return Chunk.objects.get(job=job)


def elsewhere(action: Any) -> None:
    """Do it in another session of the database."""

    def body() -> None:
        try:
            action()
        finally:
            connections.close_all()

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


def interrupting(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Do something in the middle of the chunk, just before its heartbeat."""
    plain = running.Heartbeat.__call__

    def beat(self: Any, done: int, total: int) -> None:
        action()
        plain(self, done, total)

    monkeypatch.setattr(running.Heartbeat, "__call__", beat)


# ---- leases


def test_a_lease_is_held_by_one_session(live_database: str) -> None:
    held: list[bool] = []

    def other() -> None:
        with leases.hold(leases.CHUNKS, 5) as lease:
            held.append(lease is not None)

    with leases.hold(leases.CHUNKS, 5) as mine:
        assert mine is not None
        elsewhere(other)
    elsewhere(other)
    assert held == [False, True]


def test_a_lease_is_lost_with_its_connection(live_database: str) -> None:
    with leases.hold(leases.CHUNKS, 5) as lease:
        assert lease is not None
        connection.close()
        with pytest.raises(LeaseLostError):
            lease.check()


@pytest.mark.parametrize("key", [1, 2**31 - 1, 2**31, 2**40 + 3])
def test_a_chunk_of_any_number_has_an_int4_key(live_database: str, key: int) -> None:
    with leases.hold(leases.CHUNKS, leases.chunk_key(key)) as lease:
        assert lease is not None


def test_a_chunk_that_somebody_works_on_is_left_alone(ready: Job) -> None:
    chunk = chunk_of(ready)
    with leases.hold(leases.CHUNKS, leases.chunk_key(chunk.pk)):
        elsewhere(lambda: services.run_chunk(chunk.pk))
    chunk.refresh_from_db()
    assert (chunk.state, chunk.attempts) == ("queued", 0)


# ---- stopped in the middle


def test_a_cancelled_job_stops_in_the_middle(ready: Job, quick: Studio, monkeypatch: Any) -> None:
    interrupting(
        monkeypatch,
        lambda: services.cancel(ready.pk, by=quick.by["requester"]) if _is(ready, "running") else None,
    )
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "cancelled")
    assert (chunk_of(ready).state, chunk_of(ready).frames_done) == ("cancelled", 12)  # of 16
    assert not list(transitions.scratch(ready.pk).glob("*.mp4*"))


def _is(job: Job, state: str) -> bool:
    job.refresh_from_db()
    return bool(job.state == state)


def test_a_revocation_stops_a_running_job(ready: Job, quick: Studio, monkeypatch: Any) -> None:
    revoke = lambda: consents.revoke(ready.consent_id, reason="changed", by=quick.by["legal"])  # noqa: E731
    interrupting(monkeypatch, revoke)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "cancelled")
    assert ready.code == "licence.revoked"
    assert not list(transitions.scratch(ready.pk).glob("*.mp4*"))


def test_a_changed_epoch_alone_stops_a_running_job(
    ready: Job, quick: Studio, monkeypatch: Any, settings: Any
) -> None:
    settings.LIKENESS_REVOCATION_HANDLERS = []
    revoke = lambda: consents.revoke(ready.consent_id, reason="changed", by=quick.by["legal"])  # noqa: E731
    interrupting(monkeypatch, revoke)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "refused")
    assert ready.code == "licence.revoked"


def test_a_face_blocked_while_the_job_runs_stops_it(ready: Job, quick: Studio, monkeypatch: Any) -> None:
    def block() -> None:
        consents.block(
            image=fakes.portrait(fakes.GREEN), identity_id=None, reason="order", by=quick.by["legal"]
        )

    interrupting(monkeypatch, block)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "refused")
    assert ready.code == "face.blocked"
    assert chunk_of(ready).state == "cancelled"


def test_a_face_that_the_first_look_missed_stops_the_job(quick: Studio, sent: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("generation.gate.footage.sample_times", lambda *_: (0.0,))
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(colour_clip(fakes.GREEN, fakes.BLUE)))
    services.admit(uuid.UUID(str(sent.pop(0)[1])))
    services.run_chunk(chunk_of(job).pk)
    assert _is(job, "refused")
    assert job.code == "performer.no_release"


# ---- the permit is asked again


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "marketing"}, "permit.refused"),
        ({"admission_index": 10**6}, "permit.refused"),
        ({"permit": "x.y"}, "permit.refused"),
        ({"tenant": "other"}, "not_found"),
    ],
)
def test_a_job_edited_after_its_admission_does_not_run(ready: Job, change: dict[str, Any], code: str) -> None:
    Job.objects.filter(pk=ready.pk).update(**change)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "refused")
    assert ready.code == code


def test_an_expired_permit_does_not_run(ready: Job, monkeypatch: Any) -> None:
    later = timezone.now() + timedelta(hours=25)
    monkeypatch.setattr("generation.running.timezone.now", lambda: later)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "refused")
    assert ready.code == "permit.expired"


def test_a_worker_with_other_models_does_not_run(ready: Job, monkeypatch: Any) -> None:
    monkeypatch.setattr("generation.loaded.face_models", _other_models)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "refused")
    assert ready.code == "models.changed"


def _other_models() -> fakes.FakeModels:
    models = fakes.FakeModels()
    models.used[0].sha256 = "e" * 64
    return models


def test_footage_exchanged_while_it_is_read_is_not_used(ready: Job, monkeypatch: Any) -> None:
    path = blobs.store().path(ready.media.sha256)

    def exchange() -> None:
        path.chmod(0o600)
        path.write_bytes(b"something else")

    interrupting(monkeypatch, exchange)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "refused")
    assert ready.code == "input.changed"


def test_a_job_edited_before_its_seal_is_not_delivered(ready: Job, work: Any, sent: Any) -> None:
    services.run_chunk(chunk_of(ready).pk)
    Job.objects.filter(pk=ready.pk).update(purpose="marketing")
    work()
    assert _is(ready, "refused")
    assert (ready.code, ready.output_sha256) == ("permit.refused", "")


def _revoking(consent_id: str, by: Any, plain: Any) -> Any:
    def wrapped(*args: Any, **named: Any) -> Any:
        answer = plain(*args, **named)
        consents.revoke(consent_id, reason="changed", by=by)
        return answer

    return wrapped


def test_a_licence_revoked_during_the_seal_stops_the_delivery(
    ready: Job, work: Any, quick: Studio, monkeypatch: Any, settings: Any
) -> None:
    settings.LIKENESS_REVOCATION_HANDLERS = []
    services.run_chunk(chunk_of(ready).pk)
    monkeypatch.setattr(sealing, "seal", _revoking(ready.consent_id, quick.by["legal"], sealing.seal))
    work()
    assert _is(ready, "refused")
    assert (ready.code, ready.output_sha256) == ("licence.revoked", "")


def test_a_licence_revoked_while_the_log_is_asked_gives_no_permit(
    quick: Studio, work: Any, green_clip: bytes, monkeypatch: Any, settings: Any
) -> None:
    settings.LIKENESS_REVOCATION_HANDLERS = []
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    monkeypatch.setattr(admitting, "_receipt", _revoking(licence.id, quick.by["legal"], admitting._receipt))
    work()
    assert _is(job, "refused")
    assert (job.code, job.permit) == ("licence.revoked", "")


def test_two_jobs_do_not_share_the_last_output(
    quick: Studio, work: Any, sent: Any, green_clip: bytes, monkeypatch: Any
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED), max_outputs=1)
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    media = quick.upload(green_clip)
    jobs = [quick.submit(licence, media) for _ in range(2)]
    with monkeypatch.context() as patched:
        patched.setattr(admitting.log_entries, "receipt", _silent)
        work()
    assert all(_is(job, "admitting") and job.decision_event for job in jobs)
    sent.extend(("admit", str(job.pk)) for job in jobs)
    work()
    states = sorted((Job.objects.get(pk=job.pk).state, Job.objects.get(pk=job.pk).code) for job in jobs)
    assert states == [("done", ""), ("refused", "scope.outputs")]


def _silent(*_: Any, **__: Any) -> Any:
    raise ReceiptTimeoutError("no answer")


# ---- faults


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk.full"),
        (EncodeError("The output cannot be written: No space left on device."), "media.encode"),
        (SoftTimeLimitExceeded(), "job.timeout"),
        (ZeroDivisionError(), "internal"),
        (MemoryError(), "internal"),
    ],
)
def test_a_fault_ends_the_job_and_leaves_nothing(
    ready: Job, monkeypatch: Any, error: Exception, code: str
) -> None:
    monkeypatch.setattr(running, "process", _raising(error))
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "failed")
    assert ready.code == code
    services.reap()
    assert not transitions.scratch(ready.pk).exists()


def _raising(error: BaseException) -> Any:
    def process(plan: Any, **_: Any) -> None:
        plan.out.write_bytes(b"half")
        raise error

    return process


def test_a_database_that_goes_away_in_the_middle_lets_the_chunk_run_again(
    ready: Job, work: Any, sent: Any, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(running, "process", _raising(OperationalError("server closed the connection")))
        with pytest.raises(OperationalError):
            services.run_chunk(chunk_of(ready).pk)
    assert chunk_of(ready).state == "running"
    sent.clear()
    assert services.reap() == 1
    assert sent == [("run_chunk", chunk_of(ready).pk)]
    work()
    assert _is(ready, "done")
    assert chunk_of(ready).attempts == 2


def test_a_lost_connection_in_the_middle_stops_the_chunk_which_runs_again(
    ready: Job, work: Any, sent: Any, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patched:
        interrupting(patched, connection.close)
        services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "running")
    assert (chunk_of(ready).state, chunk_of(ready).frames_done) == ("running", 0)
    assert not list(transitions.scratch(ready.pk).glob("*.mp4*"))
    sent.clear()
    assert services.reap() == 1
    work()
    assert _is(ready, "done")


def test_an_output_without_the_likeness_is_not_delivered(ready: Job, work: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(fakes.FakeSwapper, "strength", 0.0)
    work()
    assert _is(ready, "failed")
    assert (ready.code, ready.output_sha256) == ("face.none", "")


def test_a_chunk_is_tried_three_times(ready: Job, sent: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(running, "process", _raising(OperationalError("gone")))
    for _ in range(3):
        with pytest.raises(OperationalError):
            services.run_chunk(chunk_of(ready).pk)
    services.run_chunk(chunk_of(ready).pk)
    assert _is(ready, "failed")
    assert ready.code == "attempts_exhausted"


def test_sealing_that_fails_delivers_nothing(ready: Job, work: Any, monkeypatch: Any, quick: Studio) -> None:
    monkeypatch.setattr(delivery, "write", _no_space)
    before = {path for path in (quick.home / "blobs").rglob("*") if path.is_file()}
    services.run_chunk(chunk_of(ready).pk)
    work()
    assert _is(ready, "failed")
    assert ready.code == "disk.full"
    left = {path for path in (quick.home / "blobs").rglob("*") if path.is_file()} - before
    assert len(left) <= 1  # the picture of the footage, which another job may share
    assert not transitions.scratch(ready.pk).exists()


def _no_space(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_chunk_that_was_exchanged_does_not_pass_the_seal(ready: Job, work: Any) -> None:
    services.run_chunk(chunk_of(ready).pk)
    part = transitions.scratch(ready.pk) / chunk_of(ready).path
    part.write_bytes(colour_clip(fakes.GREEN, sound=False))
    work()
    assert _is(ready, "failed")
    assert not ready.output_sha256


def test_a_missing_chunk_does_not_pass_the_seal(ready: Job, work: Any) -> None:
    services.run_chunk(chunk_of(ready).pk)
    (transitions.scratch(ready.pk) / chunk_of(ready).path).unlink()
    work()
    assert _is(ready, "failed")
    assert ready.code == "seal.error"


# ---- the reaper


def test_a_dead_workers_chunk_is_sent_again(ready: Job, sent: Any) -> None:
    sent.clear()
    Chunk.objects.filter(job=ready).update(state="running", attempts=1, worker="gone:1")
    Job.objects.filter(pk=ready.pk).update(state="running")
    assert services.reap() == 1
    assert sent == [("run_chunk", chunk_of(ready).pk)]
    assert services.reap() == 0


def test_a_chunk_at_work_is_not_sent_again(ready: Job, sent: Any) -> None:
    sent.clear()
    chunk = chunk_of(ready)
    Chunk.objects.filter(pk=chunk.pk).update(state="running")
    with leases.hold(leases.CHUNKS, leases.chunk_key(chunk.pk)):
        elsewhere(services.reap)
    assert sent == []


@pytest.mark.parametrize(("age_s", "count"), [(10, 0), (61, 1)])
def test_a_lost_message_is_sent_again(ready: Job, sent: Any, age_s: int, count: int) -> None:
    sent.clear()
    Chunk.objects.filter(job=ready).update(touched=timezone.now() - timedelta(seconds=age_s))
    assert services.reap() == count
    assert len(sent) == count


@pytest.mark.parametrize(
    ("state", "worker", "age_s", "task"),
    [
        ("admitting", "", 10, None),
        ("admitting", "", 61, "admit"),
        ("admitting", "gone:1", 3, "admit"),
        ("sealing", "", 10, None),
        ("sealing", "", 61, "seal"),
        ("sealing", "gone:1", 3, "seal"),
    ],
)
def test_a_whole_jobs_step_is_sent_again(
    ready: Job, sent: Any, state: str, worker: str, age_s: int, task: str | None
) -> None:
    sent.clear()
    Chunk.objects.filter(job=ready).update(state="done")
    moment = timezone.now() - timedelta(seconds=age_s)
    Job.objects.filter(pk=ready.pk).update(state=state, worker=worker, touched=moment, decision_event=None)
    services.reap()
    assert sent == ([(task, str(ready.pk))] if task else [])


def test_a_step_whose_worker_dies_again_and_again_ends_the_job(ready: Job) -> None:
    Job.objects.filter(pk=ready.pk).update(state="sealing", worker="gone:1", attempts=2)
    services.seal(ready.pk)
    assert _is(ready, "failed")
    assert ready.code == "attempts_exhausted"


def test_a_job_that_waits_for_the_log_goes_on_when_it_answers(
    quick: Studio, work: Any, sent: Any, green_clip: bytes, monkeypatch: Any
) -> None:
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    with monkeypatch.context() as patched:
        patched.setattr(admitting.log_entries, "receipt", _silent)
        work()
    assert _is(job, "admitting")
    Job.objects.filter(pk=job.pk).update(touched=timezone.now() - timedelta(seconds=3))
    services.reap()
    work()
    assert _is(job, "done")


def test_scratch_of_nobody_is_removed_and_other_folders_stay(quick: Studio) -> None:
    work = transitions.scratch(uuid.uuid4())
    work.mkdir(parents=True)
    (work / "00000-1.mp4").write_bytes(b"left behind")
    (work.parent / "uploads").mkdir(exist_ok=True)
    services.reap()
    assert not work.exists()
    assert (work.parent / "uploads").exists()


def test_uploads_leave_no_copy_behind(quick: Studio, green_clip: bytes) -> None:
    services.upload(io.BytesIO(green_clip), by=quick.by["requester"])
    assert not list((quick.home / "work" / "uploads").iterdir())
