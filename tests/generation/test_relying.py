"""A job stands on every voice and every person around it: each is asked again until the file leaves."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from consent import services as consents
from generation import admitting, backdrops, performing, presenting, running, sealing, services, speaking
from generation.gate import authority
from generation.models import Chunk, Job, JobConsent
from generation.presenting import PresentRequest
from tests.generation import fakes
from tests.generation.conftest import Studio
from tests.generation.presenter.tones import ToneEngine
from tests.generation.test_speaking import driven


@pytest.fixture
def extra(quick: Studio) -> Any:
    """The release of somebody around the performer, which ends in an hour."""
    ends = timezone.now().replace(microsecond=0) + timedelta(hours=1)
    return quick.enrol(fakes.portrait(fakes.GREY), kind="performer", not_after=ends)


@pytest.fixture
def waiting(quick: Studio, extra: Any, green_clip: bytes) -> Job:
    """A submitted job that stands on the release too, though no row of the job says so."""
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    authority.rely(job, [extra.id], now=timezone.now())
    job.save(update_fields=["decision"])
    return job


def ended(job: Job) -> tuple[str, str, str]:
    job.refresh_from_db()
    return job.state, job.code, job.output_sha256


def test_what_nobody_revoked_is_delivered(waiting: Job, extra: Any, work: Callable[[], None]) -> None:
    work()
    assert ended(waiting)[:2] == ("done", "")
    assert waiting.decision["relied"] == {extra.id: 0}


@pytest.mark.parametrize("moment", ["permit", "run", "seal"])
def test_a_revocation_that_found_no_row_stops_the_job(
    moment: str, waiting: Job, extra: Any, quick: Studio, work: Callable[[], None], monkeypatch: Any
) -> None:
    module, name = {
        "permit": (admitting, "_receipt"),
        "run": (running, "swapper_of"),
        "seal": (sealing, "seal"),
    }[moment]
    plain = getattr(module, name)

    def interrupted(*args: Any, **named: Any) -> Any:
        consents.revoke(extra.id, reason="changed", by=quick.by["legal"])
        return plain(*args, **named)

    monkeypatch.setattr(module, name, interrupted)
    work()
    assert ended(waiting) == ("refused", "licence.revoked", "")


@pytest.mark.parametrize("moment", ["run", "seal"])
@pytest.mark.parametrize("noted", ["epoch", "row"])
def test_a_term_that_ends_stops_the_job(
    moment: str, noted: str, waiting: Job, extra: Any, sent: Any, work: Callable[[], None], monkeypatch: Any
) -> None:
    if noted == "row":
        Job.objects.filter(pk=waiting.pk).update(decision={})
        JobConsent.objects.create(job=waiting, consent_id=extra.id, role=JobConsent.Role.PERFORMER)
    services.admit(uuid.UUID(str(sent.pop(0)[1])))
    if moment == "seal":
        services.run_chunk(Chunk.objects.get(job=waiting).pk)
    later = timezone.now() + timedelta(hours=2)
    monkeypatch.setattr("generation.running.timezone.now", lambda: later)
    work()
    assert ended(waiting) == ("refused", "licence.revoked", "")
    assert "licence.expired" in waiting.message


@pytest.fixture
def request_for(quick: Studio) -> Any:
    """What asks for a script, by the performer whom a consent names."""

    def made(performer: Any) -> PresentRequest:
        teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
        return PresentRequest(
            identity_id=teller.identity_id, performer_id=performer.identity_id, script="您好。",
            purpose="product_explainer", channel="branch_screen", format="preview",
        )  # fmt: skip

    return made


def test_a_release_revoked_while_the_words_are_said_gives_no_job(
    quick: Studio, extra: Any, request_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven(monkeypatch)
    monkeypatch.setattr(backdrops, "require", lambda _: (extra.id,))

    def speaks(*_: Any) -> ToneEngine:
        consents.revoke(extra.id, reason="withdrawn", by=quick.by["legal"])
        return ToneEngine()

    monkeypatch.setattr(speaking, "engine_for", speaks)
    request = request_for(quick.enrol(fakes.portrait(fakes.GREEN), kind="performer"))
    row = presenting.present(request, client_id="one", by=quick.by["requester"])

    performing.perform(row.pk)

    row.refresh_from_db()
    assert (row.state, row.code, row.job) == ("rejected", "licence.revoked", None)
    assert not Job.objects.exists()


@pytest.mark.parametrize(("named", "state"), [(fakes.GREEN, "queued"), (fakes.GREY, "refused")])
def test_nobody_but_the_named_performer_is_on_the_footage(
    named: Any, state: str, quick: Studio, request_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven(monkeypatch)  # as if a clip of the green performer had been chosen
    monkeypatch.setattr(speaking, "engine_for", lambda *_: ToneEngine())
    people = {each: quick.enrol(fakes.portrait(each), kind="performer") for each in (fakes.GREEN, fakes.GREY)}
    row = presenting.present(request_for(people[named]), client_id="one", by=quick.by["requester"])
    performing.perform(row.pk)
    job = Job.objects.get()

    services.admit(job.pk)

    job.refresh_from_db()
    assert (job.state, job.code) == (state, "" if state == "queued" else "performer.no_release")
