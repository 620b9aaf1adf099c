"""Who is around the person: looked at before a word is said, whatever the person themself agreed to."""

from __future__ import annotations

import io
import time
import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from audit import selectors as log
from audit.leaf import KeyKind
from consent import services as consents
from generation import backdrops, blobs, judging, loaded, performing, presenting, rendering, services
from generation.engine.errors import GuardAbortError
from generation.errors import PermitError, RefusedError
from generation.models import Media, Presentation
from generation.presenter.errors import ScenesInvalidError
from generation.presenter.storyboard import SceneSpec
from generation.presenting import PresentRequest
from tests.generation import fakes
from tests.generation.conftest import colour_clip, encode_clip
from tests.generation.engine.media.test_sounds import encoded, speech
from tests.generation.finished import finished


@pytest.fixture
def cast(quick: Any) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


def uploaded(quick: Any, data: bytes) -> str:
    return str(services.upload(io.BytesIO(data), by=quick.by["requester"]).pk)


def before(cast: PresentRequest, quick: Any, *backgrounds: str) -> Presentation:
    """A presentation whose scenes stand before these."""
    scenes = tuple(SceneSpec("您好。", background=each) for each in ("", *backgrounds))
    request = replace(cast, scenes=scenes)
    return presenting.present(request, client_id=uuid.uuid4().hex, by=quick.by["requester"])


def decisions(row: Presentation) -> list[dict[str, Any]]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        found = [each.event for each in log.entries(KeyKind.JOB, row.id.hex)]
        if found := [each for each in found if each.get("stage") == "background"]:
            return found
        time.sleep(0.05)
    return []


def test_a_background_that_cannot_be_one_is_refused_at_once(
    cast: PresentRequest, quick: Any, person: Any
) -> None:
    picture = fakes.portrait(fakes.NOBODY)
    gone = uploaded(quick, picture)
    blobs.store().delete(Media.objects.get(pk=gone).sha256)
    long = uploaded(quick, colour_clip(fakes.NOBODY, sound=False))
    row = Media.objects.get(pk=long)
    row.info["duration_s"] = 121.0
    row.save()
    other = person("requester", tenant="other").actor
    theirs = str(services.upload(io.BytesIO(fakes.portrait(fakes.GREY)), by=other).pk)
    for bad in (str(uuid.uuid4()), gone, long, theirs, uploaded(quick, encoded(speech(), "wav"))):
        with pytest.raises(ScenesInvalidError) as raised:
            before(cast, quick, bad)
        assert list(raised.value.fields) == ["scenes.1.background"]
    assert not Presentation.objects.exists()


def test_strangers_and_the_blocked_are_found_on_pictures_and_in_videos(
    cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    consents.block(image=fakes.portrait(fakes.BLUE), identity_id=None, reason="fraud", by=quick.by["legal"])
    late = colour_clip(fakes.NOBODY, fakes.NOBODY, fakes.NOBODY, fakes.GREY, count=40, sound=False)
    cases = [
        (fakes.portrait(fakes.GREY), "performer.no_release"),
        (fakes.portrait(fakes.BLUE), "face.blocked"),
        (late, "performer.no_release"),
    ]
    for data, reason in cases:
        row = before(
            cast, quick, uploaded(quick, fakes.portrait(fakes.NOBODY, seed=1)), uploaded(quick, data)
        )
        with pytest.raises(RefusedError) as raised:
            backdrops.require(row)
        assert reason in raised.value.reasons
        event = decisions(row)[0]
        assert (event["decision"], event["policy"]) == ("refuse", "likeness.background")
        assert reason in event["reasons"]
    # all the way: the presentation ends, and nobody has spoken
    monkeypatch.setattr(performing.staging, "portrait_of", lambda *_, **__: (None, None))
    monkeypatch.setattr(performing.speaking, "engine_for", lambda *_: pytest.fail("somebody spoke"))
    performing.perform(row.pk)
    row.refresh_from_db()
    assert (row.state, row.code) == ("rejected", "performer.no_release")


def test_a_released_performer_on_a_picture_is_relied_on(cast: PresentRequest, quick: Any) -> None:
    extra = quick.enrol(fakes.portrait(fakes.GREY), kind="performer")
    nobody = before(cast, quick, uploaded(quick, fakes.portrait(fakes.NOBODY)))
    shown = before(cast, quick, uploaded(quick, fakes.portrait(fakes.GREY)))

    assert backdrops.require(before(cast, quick)) == ()
    assert backdrops.require(nobody) == ()
    assert backdrops.require(shown) == (extra.id,)
    assert decisions(shown)[0]["consents"] == [extra.id]
    consents.revoke(extra.id, reason="withdrawn", by=quick.by["legal"])
    with pytest.raises(RefusedError):
        backdrops.require(shown)


def test_what_cannot_be_looked_at_is_refused(
    cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = before(cast, quick, uploaded(quick, fakes.portrait(fakes.NOBODY)))
    other = fakes.FakeModels()
    other.model_sha256 = "e" * 64  # the templates are of another model
    monkeypatch.setattr(loaded, "face_models", lambda: other)

    with pytest.raises(RefusedError) as raised:
        backdrops.require(row)

    assert raised.value.reasons == ("gate.missing_fact",)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_bytes_that_are_not_what_was_uploaded_are_not_shown(
    cast: PresentRequest, quick: Any, kind: str
) -> None:
    data = fakes.portrait(fakes.NOBODY) if kind == "image" else colour_clip(fakes.NOBODY, sound=False)
    media_id = uploaded(quick, data)
    row = before(cast, quick, media_id)
    assert backdrops.behind(media_id, tenant=row.tenant) is not None
    path = blobs.store().path(Media.objects.get(pk=media_id).sha256)
    path.chmod(0o600)
    path.write_bytes(data + b"\0")

    with pytest.raises(PermitError, match="background"):
        backdrops.behind(media_id, tenant=row.tenant)
    with pytest.raises(RefusedError) as refused:
        backdrops.require(row)
    assert refused.value.reasons == ("gate.missing_fact",)


FLASH = 6
"""A frame between two of the half-second looks."""


def flashing(colour: tuple[int, int, int]) -> bytes:
    """A video of nobody, with somebody on a single frame."""
    shown = [fakes.NOBODY] * 20
    shown[FLASH] = colour
    return encode_clip([fakes.texture(each, seed=at) for at, each in enumerate(shown)], sound=False)


def test_somebody_on_a_single_frame_of_a_video_is_found(cast: PresentRequest, quick: Any) -> None:
    extra = quick.enrol(fakes.portrait(fakes.GREY), kind="performer")
    assert backdrops.require(before(cast, quick, uploaded(quick, flashing(fakes.GREY)))) == (extra.id,)
    consents.block(image=fakes.portrait(fakes.BLUE), identity_id=None, reason="fraud", by=quick.by["legal"])
    row = before(cast, quick, uploaded(quick, flashing(fakes.BLUE)))

    with pytest.raises(RefusedError) as refused:
        backdrops.require(row)

    assert refused.value.reasons == ("face.blocked",)
    assert decisions(row)[0]["reasons"] == ["face.blocked"]


def test_who_is_blocked_later_is_found_before_a_chunk_is_drawn_and_before_the_seal(
    cast: PresentRequest, quick: Any, green_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.enrol(fakes.portrait(fakes.GREY), kind="performer")
    row = before(cast, quick, uploaded(quick, flashing(fakes.GREY)))
    backdrops.require(row)
    job = finished(quick, green_clip)
    Presentation.objects.filter(pk=row.pk).update(job=job)
    row.refresh_from_db()
    with monkeypatch.context() as patch:
        patch.setattr(judging, "judge", lambda *_, **__: pytest.fail("the block list is the same"))
        assert backdrops.is_current(job)
        backdrops.require_current(job)

    consents.block(image=fakes.portrait(fakes.BLUE), identity_id=None, reason="fraud", by=quick.by["legal"])
    assert not backdrops.is_current(job)
    backdrops.require_current(job)
    assert backdrops.is_current(job)

    consents.block(image=fakes.portrait(fakes.GREY), identity_id=None, reason="fraud", by=quick.by["legal"])
    assert not backdrops.is_current(job)
    package, span, parts = (SimpleNamespace(scene=row.scene) for _ in range(3))
    for again in (
        lambda: backdrops.require_current(job),
        lambda: rendering._set(job, package, span, None, parts, None),  # type: ignore[arg-type]  # asked first
    ):
        with pytest.raises(GuardAbortError, match=r"face\.blocked"):
            again()
    assert not backdrops.is_current(job)
    assert [each["decision"] for each in decisions(row)][:3] == ["admit", "admit", "refuse"]


def test_a_job_without_surroundings_has_nothing_to_look_at(
    cast: PresentRequest, quick: Any, green_clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished(quick, green_clip)
    monkeypatch.setattr(judging, "judge", lambda *_, **__: pytest.fail("there is nothing"))
    backdrops.require_current(job)
    row = before(cast, quick)
    assert backdrops.require(row) == ()
    Presentation.objects.filter(pk=row.pk).update(job=job)
    backdrops.require_current(job)
