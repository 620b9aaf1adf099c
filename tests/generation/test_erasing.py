"""What presentations leave when somebody is erased: while they are made, shared, or without a job."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from consent import selectors as licences
from consent import services as consents
from generation import backdrops, blobs, erasing, performances, performing, presenting, services, speaking
from generation.models import Job, Media, Presentation
from generation.presenter.errors import PackageError
from generation.presenter.storyboard import SceneSpec
from generation.presenting import PresentRequest
from tests.generation import fakes
from tests.generation.engine.media.test_sounds import encoded, speech
from tests.generation.test_speaking import driven, lend, tones

__all__ = ["tones"]  # a fixture


@pytest.fixture
def cast(quick: Any, tones: Any, monkeypatch: pytest.MonkeyPatch) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    driven(monkeypatch)
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好。欢迎。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


def asked(request: PresentRequest, quick: Any, client_id: str = "one") -> Presentation:
    return presenting.present(request, client_id=client_id, by=quick.by["requester"])


def performed(row: Presentation) -> Presentation:
    performing.perform(row.pk)
    row.refresh_from_db()
    return row


def stored(quick: Any) -> set[str]:
    """Every file in the blob store."""
    return {path.name for path in (Path(quick.home) / "blobs").rglob("*") if path.is_file()}


def erase(identity_id: str, quick: Any) -> None:
    with transaction.atomic():
        erasing.erase(identity_id, by=quick.by["legal"])


def test_a_process_forgets_a_performance_whose_file_is_gone(cast: PresentRequest, quick: Any) -> None:
    row = performed(asked(cast, quick))
    assert row.job is not None, row.message
    assert performances.package_of(row.job.media).frames
    blobs.store().delete(row.job.media.sha256)

    with pytest.raises(PackageError):
        performances.package_of(row.job.media)

    assert performances._read.cache_info().currsize == 0


def test_a_presentation_whose_job_is_refused_keeps_no_file(cast: PresentRequest, quick: Any) -> None:
    before, row = stored(quick), asked(cast, quick)
    for each in licences.consents(tenant=row.tenant).filter(identity_id=cast.identity_id):
        consents.revoke(each.id, reason="withdrawn", by=quick.by["legal"])

    performed(row)

    assert (row.state, row.performance, row.srt_sha256) == ("rejected", None, "")
    assert Job.objects.get().state == "refused"
    assert stored(quick) <= before  # the portraits went with the licence


def test_a_presentation_that_is_stopped_before_its_job_keeps_no_file(
    cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, submit = stored(quick), services.submit

    def late(*args: Any, **more: Any) -> Any:
        presenting.cancel("one", by=quick.by["requester"])
        return submit(*args, **more)

    monkeypatch.setattr(services, "submit", late)
    row = performed(asked(cast, quick))

    assert (row.state, row.performance) == ("cancelled", None)
    assert not Job.objects.exists()
    assert stored(quick) == before


def killed(*_: Any, **__: Any) -> Any:
    """A worker dies here."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("who", ["identity_id", "performer_id"])
def test_what_a_dead_worker_stored_goes_with_the_person(
    who: str, cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(quick)
    monkeypatch.setattr(services, "submit", killed)
    row = asked(cast, quick)
    with pytest.raises(KeyboardInterrupt):
        performing.perform(row.pk)
    assert len(stored(quick) - before) == 4

    erase(getattr(cast, who), quick)

    assert stored(quick) == before


def test_a_second_try_replaces_what_the_first_stored(
    cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = asked(cast, quick)
    with monkeypatch.context() as patched:
        patched.setattr(services, "submit", killed)
        with pytest.raises(KeyboardInterrupt):
            performing.perform(row.pk)
    first = stored(quick)
    speaking.cache.cache_clear()
    monkeypatch.setattr("tests.generation.presenter.tones.PHONE_S", 0.2)  # it speaks otherwise now
    performed(row)

    assert row.job is not None, row.message
    assert row.performance == row.job.media
    assert row.job.media.sha256 in stored(quick) - first
    assert len(stored(quick)) == len(first)


@pytest.mark.parametrize("who", ["identity_id", "performer_id"])
@pytest.mark.parametrize(("where", "what"), [(performing, "speak"), (services, "submit")])
def test_somebody_erased_while_it_is_said_leaves_nothing(
    where: Any, what: str, who: str, cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = stored(quick), getattr(where, what)

    def meanwhile(*args: Any, **more: Any) -> Any:
        erase(getattr(cast, who), quick)
        return real(*args, **more)

    monkeypatch.setattr(where, what, meanwhile)
    row = performed(asked(cast, quick))

    assert (row.state, row.script, row.report, row.srt_sha256) == ("cancelled", "", {}, "")
    assert not Job.objects.exists()
    assert stored(quick) == before


def test_a_performance_that_others_say_too_stays_for_them(cast: PresentRequest, quick: Any) -> None:
    teller = quick.enrol(fakes.portrait(fakes.BLUE), operations=["face_swap", "lip_sync"])
    mine = performed(asked(cast, quick))
    theirs = performed(asked(replace(cast, identity_id=teller.identity_id), quick, "two"))
    assert mine.job is not None
    assert theirs.job is not None
    assert mine.job.media == theirs.job.media

    erase(cast.identity_id, quick)

    assert performances.package_of(theirs.job.media).frames
    theirs.refresh_from_db()
    assert (theirs.script, blobs.store().exists(theirs.srt_sha256)) == (cast.script, True)
    erase(teller.identity_id, quick)
    assert not blobs.store().exists(theirs.job.media.sha256)


@pytest.mark.parametrize("erased", [False, True])
def test_a_recording_that_another_tenant_has_too_stays_for_that(
    erased: bool, cast: PresentRequest, quick: Any, person: Any
) -> None:
    owner, sound = lend(quick), encoded(speech(6), "wav")
    other = services.upload(io.BytesIO(sound), by=person("requester", tenant="other").actor)
    media = quick.upload(sound)
    asked(replace(cast, recording=str(media.pk), voice_identity=owner.identity_id), quick)
    if erased:
        Media.objects.filter(pk=other.pk).update(erased=timezone.now())

    erase(owner.identity_id, quick)

    assert blobs.store().exists(media.sha256) is not erased
    media.refresh_from_db()
    assert media.erased is not None
    assert quick.upload(sound).erased is None  # somebody else's, as far as anybody can tell


def test_a_performer_s_clip_goes_with_the_performer(
    cast: PresentRequest, quick: Any, green_clip: bytes
) -> None:
    clip = quick.upload(green_clip)
    row = asked(replace(cast, idle=str(clip.pk)), quick)

    erase(cast.identity_id, quick)
    assert blobs.store().exists(clip.sha256)
    erase(cast.performer_id, quick)

    assert not blobs.store().exists(clip.sha256)
    row.refresh_from_db()
    assert "idle" not in row.scene


@pytest.mark.parametrize("first", [False, True])
def test_pictures_that_show_a_released_person_go_with_them(
    first: bool, cast: PresentRequest, quick: Any
) -> None:
    extra = quick.enrol(fakes.portrait(fakes.GREY), kind="performer")
    hall, crowd = (quick.upload(fakes.portrait(each, seed=7)) for each in (fakes.NOBODY, fakes.GREY))
    scenes = tuple(SceneSpec("您好。", background=str(each.pk)) for each in (hall, crowd))
    row = asked(replace(cast, script="", scenes=scenes), quick)
    assert backdrops.require(row) == (extra.id,)
    if first:
        erase(cast.identity_id, quick)

    erase(extra.identity_id, quick)

    assert not blobs.store().exists(crowd.sha256)
    assert blobs.store().exists(hall.sha256)
