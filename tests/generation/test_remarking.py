"""An output whose mark could not be read back: made again once, stronger, or not delivered."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest

from generation import remarking, sealing, services, transitions
from generation.errors import AlreadyOverError
from generation.marking import MarkPlan
from generation.models import Chunk, Job
from tests.generation import fakes
from tests.generation.conftest import Studio
from watermark.errors import MarkUnreadableError


@pytest.fixture
def ready(quick: Studio, sent: Any, green_clip: bytes) -> Job:
    """An admitted job whose chunk waits, with the marks of a larger picture."""
    licence = quick.enrol(fakes.portrait(fakes.RED))
    quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    job = quick.submit(licence, quick.upload(green_clip))
    services.admit(uuid.UUID(str(sent.pop(0)[1])))
    job.refresh_from_db()
    job.marking = {**job.marking, "profile": "standard"}
    job.save()
    return job


class Unreadable:
    """A seal that cannot read the mark for the first times."""

    def __init__(self, times: int) -> None:
        self.left, self.profiles = times, list[str]()
        self.plain = sealing.seal

    def __call__(self, order: Any, **named: Any) -> Any:
        self.profiles.append(order.marks.profile)
        self.left -= 1
        if self.left >= 0:
            raise MarkUnreadableError("The mark of output.mp4 is absent after 24 frames.")
        return self.plain(order, **named)


def test_a_mark_that_stays_unreadable_ends_the_job(ready: Job, work: Any, monkeypatch: Any) -> None:
    seal = Unreadable(5)
    monkeypatch.setattr(sealing, "seal", seal)
    work()
    ready.refresh_from_db()
    assert (ready.state, ready.code, ready.output_sha256) == ("failed", "watermark.mark_unreadable", "")
    assert seal.profiles == ["standard", "robust"]
    assert (ready.report["mark_retries"], ready.report["mark_readable"]) == (1, False)
    assert not transitions.scratch(ready.pk).exists()


def test_a_mark_that_is_strong_already_is_not_tried_again(ready: Job, work: Any, monkeypatch: Any) -> None:
    seal = Unreadable(5)
    monkeypatch.setattr(sealing, "seal", seal)
    Job.objects.filter(pk=ready.pk).update(marking={**ready.marking, "profile": "robust"})
    work()
    ready.refresh_from_db()
    assert (ready.state, seal.profiles) == ("failed", ["robust"])
    assert ready.report["mark_readable"] is False


def test_a_job_that_ended_meanwhile_is_left_alone(ready: Job, work: Any, quick: Studio, sent: Any) -> None:
    services.cancel(ready.pk, by=quick.by["requester"])
    with pytest.raises(AlreadyOverError):
        remarking.mark_again(ready.pk)
    assert Chunk.objects.get(job=ready).state == "cancelled"


def test_a_job_that_is_cancelled_while_it_is_made_again_stops(
    ready: Job, sent: Any, quick: Studio, monkeypatch: Any
) -> None:
    monkeypatch.setattr(sealing, "seal", Unreadable(1))
    services.run_chunk(Chunk.objects.get(job=ready).pk)
    sent.clear()
    services.seal(ready.pk)
    assert [task for task, _ in sent] == ["run_chunk"]
    services.cancel(ready.pk, by=quick.by["requester"])
    services.run_chunk(int(sent[0][1]))
    ready.refresh_from_db()
    assert (ready.state, ready.output_sha256) == ("cancelled", "")


def test_an_output_is_made_again_with_the_stronger_mark(ready: Job, work: Any, monkeypatch: Any) -> None:
    seal = Unreadable(1)
    monkeypatch.setattr(sealing, "seal", seal)
    mark, strength = ready.mark_id, ready.marking["strength"]
    work()
    ready.refresh_from_db()
    assert (ready.state, ready.mark_id) == ("done", mark)
    assert seal.profiles == ["standard", "robust"]
    assert ready.marking["strength"] == pytest.approx(strength * 10 ** (3 / 20))
    assert (ready.report["mark_retries"], ready.report["mark_readable"]) == (1, True)
    assert ready.report["attempts"] == 2


def test_the_stronger_plan_is_within_what_the_profile_allows(ready: Job) -> None:
    plan = MarkPlan.from_record(ready.marking, mark_hex=ready.mark_id or "")
    found = remarking.stronger(plan)
    assert found is not None
    assert found == replace(plan, profile="robust", strength=found.strength)
    assert found.strength > plan.strength
    assert remarking.stronger(found) is None
