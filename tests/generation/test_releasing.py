"""Frames that were taken over, or surround the performer, while the block list moves on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from consent import services as consents
from generation import backdrops, delivery, lipsync, performances, rendering, sealing, services
from generation.engine.errors import GuardAbortError
from generation.engine.types import ChunkReport
from generation.gate import people
from generation.models import Chunk, Job
from generation.presenter.errors import SpliceError
from generation.presenter.spans import Span
from tests.generation import fakes
from tests.generation.conftest import Studio


@pytest.fixture
def ready(quick: Studio, sent: list[Any], green_clip: bytes) -> Job:
    """An admitted job whose chunk waits."""
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    services.admit(job.pk)
    sent.clear()
    job.refresh_from_db()
    return job


def block(quick: Studio) -> None:
    """Somebody else; the list is newer from then on."""
    consents.block(image=fakes.portrait(fakes.BLUE), identity_id=None, reason="fraud", by=quick.by["legal"])


def test_frames_that_cannot_be_taken_over_are_drawn(ready: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = Chunk.objects.get(job=ready)
    chunk.plan = Span(index=0, first_frame=0, frames=chunk.frames, keys=(0,), taken_from=0).as_record()
    chunk.save()
    drawn: list[Span] = []

    def take_over(*_: Any) -> None:
        raise SpliceError("The block list changed.")

    def render(_job: Job, span: Span, *_: Any) -> ChunkReport:
        drawn.append(span)
        return ChunkReport(frames=span.frames, swapped=span.frames)

    monkeypatch.setattr(performances, "is_performance", lambda _: True)
    monkeypatch.setattr(performances, "package_of", lambda _: None)
    monkeypatch.setattr(lipsync, "mouth_for", lambda *_, **__: None)
    monkeypatch.setattr(rendering, "take_over", take_over)
    monkeypatch.setattr(rendering, "render", render)

    services.run_chunk(chunk.pk)

    chunk.refresh_from_db()
    assert (chunk.state, chunk.plan["taken_from"]) == ("done", None)
    assert [span.taken_from for span in drawn] == [None]


@pytest.mark.parametrize("moment", ["never", "before", "seal", "store"])
def test_frames_taken_over_under_an_older_block_list_are_drawn_again(
    moment: str, ready: Job, quick: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunk = Chunk.objects.get(job=ready)
    services.run_chunk(chunk.pk)
    chunk.refresh_from_db()
    chunk.plan = {**chunk.plan, "keys": [0], "taken_from": 0}
    chunk.save()
    if moment == "before":
        block(quick)
    elif moment != "never":
        during(monkeypatch, *{"seal": (sealing, "seal"), "store": (delivery, "store")}[moment], quick)

    services.seal(ready.pk)

    ready.refresh_from_db()
    chunk.refresh_from_db()
    if moment == "never":
        assert (ready.state, ready.code) == ("done", "")
        return
    assert (ready.state, ready.output_sha256) == ("running", "")
    assert (chunk.state, chunk.plan["taken_from"]) == ("queued", None)


@pytest.mark.parametrize("moment", ["before", "seal", "store"])
def test_somebody_around_the_performer_who_is_blocked_stops_the_delivery(
    moment: str, ready: Job, quick: Studio, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = people.blocked_version(tenant=ready.tenant)

    def is_current(job: Job) -> bool:
        return people.blocked_version(tenant=job.tenant) == version

    def require_current(job: Job) -> None:
        if not is_current(job):
            raise GuardAbortError("face.blocked", frame=0)

    monkeypatch.setattr(backdrops, "is_current", is_current)
    monkeypatch.setattr(backdrops, "require_current", require_current)
    services.run_chunk(Chunk.objects.get(job=ready).pk)
    if moment == "before":
        block(quick)
    else:
        during(monkeypatch, *{"seal": (sealing, "seal"), "store": (delivery, "store")}[moment], quick)

    work()

    ready.refresh_from_db()
    code = "permit.refused" if moment == "store" else "face.blocked"
    assert (ready.state, ready.code, ready.output_sha256) == ("refused", code, "")


def during(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, quick: Studio) -> None:
    """The block list changes while this is done."""
    plain = getattr(module, name)

    def interrupted(*args: Any, **named: Any) -> Any:
        block(quick)
        return plain(*args, **named)

    monkeypatch.setattr(module, name, interrupted)
