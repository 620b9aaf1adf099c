"""A recording in place of a voice: whose it is, what it must be and say, and that it goes with them."""

from __future__ import annotations

import io
import uuid
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.utils import timezone

from consent import services as consents
from consent.terms import SeparateConsent
from generation import (
    blobs,
    erasing,
    performances,
    performing,
    presenting,
    previewing,
    selectors,
    services,
    speaking,
)
from generation.engine.errors import UnreadableMediaError, UnsupportedMediaError
from generation.engine.media.decode import frames_at
from generation.engine.media.probe import probe
from generation.errors import NotFoundError, PresentInvalidError, RefusedError
from generation.models import JobConsent, Media, Presentation
from generation.presenter.cast import at_rate
from generation.presenter.espeak import EspeakEngine
from generation.presenter.normalise import Language
from generation.presenter.recorded import RATE
from generation.presenter.script import Run, read
from generation.presenter.speech import Voice, joined
from generation.presenter.storyboard import parse
from generation.presenting import PresentRequest
from generation.services import JobRequest
from tests.generation import fakes
from tests.generation.engine.media.test_sounds import encoded, speech
from tests.generation.test_speaking import CODES, HASH, driven, lend

SCRIPT = "您好，欢迎来到我们银行。请不要把密码告诉别人。"
OTHER = "今天天气很好，我们去公园散步。晚上一起吃饭看电影。"
needs_espeak = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)


@pytest.fixture
def owner(quick: Any) -> Any:
    """Somebody who lends their voice."""
    return lend(quick)


@pytest.fixture
def cast(quick: Any, owner: Any) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script=SCRIPT,
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
        recording=uploaded(quick, encoded(speech(6), "wav")),
        voice_identity=owner.identity_id,
    )


def uploaded(quick: Any, data: bytes) -> str:
    return str(services.upload(io.BytesIO(data), by=quick.by["requester"]).pk)


def said(text: str) -> bytes:
    """A recording of somebody who speaks faster and higher than the reference."""
    engine = EspeakEngine()
    parts = []
    for segment in read(text, language=Language.ZH).segments:
        runs = tuple(
            replace(part, prosody=replace(part.prosody, rate=1.2, pitch_st=4))
            for part in segment.parts
            if isinstance(part, Run)
        )
        parts.append(engine.synthesize(replace(segment, parts=runs), voice=Voice("x")))
    engine.close()
    return encoded(at_rate(joined(parts), RATE).pcm[:, None], "flac")


def ask(cast: PresentRequest, quick: Any, **changes: Any) -> Presentation:
    return presenting.present(replace(cast, **changes), client_id="one", by=quick.by["requester"])


def test_a_request_that_contradicts_itself_is_refused(cast: PresentRequest, quick: Any) -> None:
    picture = uploaded(quick, fakes.portrait(fakes.GREY))
    gone = uploaded(quick, encoded(speech(3), "wav"))
    blobs.store().delete(Media.objects.get(pk=gone).sha256)
    other = "<speak>您好<voice name='sample-en'>hello</voice></speak>"
    for changes, field in (
        ({"recording": "no-uuid"}, "recording"),
        ({"recording": str(uuid.uuid4())}, "recording"),
        ({"recording": picture}, "recording"),
        ({"recording": gone}, "recording"),
        ({"recording": ""}, "recording"),
        ({"voice_identity": ""}, "voice_identity"),
        ({"voice": "sample-zh"}, "voice"),
        ({"script": other, "kind": "ssml"}, "voice"),
    ):
        for refused in (ask, see):
            with pytest.raises(PresentInvalidError) as raised:
                refused(cast, quick, **changes)
            assert list(raised.value.fields) == [field], changes
    with pytest.raises(NotFoundError):
        ask(cast, quick, voice_identity="idn_0000000000000000")
    with pytest.raises(PresentInvalidError):  # the file is there to be played
        previewing.hear(cast, by=quick.by["requester"])
    assert not Presentation.objects.exists()


def see(cast: PresentRequest, quick: Any, **changes: Any) -> bytes:
    return previewing.see(replace(cast, **changes), by=quick.by["requester"])


def test_a_recording_needs_its_owner_s_licence_before_anybody_listens(
    cast: PresentRequest, quick: Any, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listened(*_: Any) -> Any:
        raise AssertionError("somebody listened")

    monkeypatch.setattr(speaking, "decoded", listened)
    driven(monkeypatch)
    by = quick.by["requester"]
    with pytest.raises(RefusedError) as raised:  # a face that was licensed is no voice
        ask(cast, quick, voice_identity=cast.identity_id)
    assert raised.value.reasons == ("voice.no_licence", "scope.operation")
    row = presenting.present(cast, client_id="two", by=by)
    consent = next(each for each in consent_rows(quick) if each.identity_id == cast.voice_identity)
    consents.revoke(consent.id, reason="withdrawn", by=quick.by["legal"])

    work()

    row.refresh_from_db()
    assert (row.state, row.reasons) == ("rejected", ["voice.no_licence", "licence.revoked"])
    with pytest.raises(RefusedError):
        presenting.present(cast, client_id="three", by=by)


def consent_rows(quick: Any) -> Any:
    from consent import selectors

    return selectors.consents(tenant=quick.by["requester"].tenant)


def test_a_recording_longer_than_the_licence_is_refused(cast: PresentRequest, quick: Any) -> None:
    short = lend(quick, max_seconds=5)

    with pytest.raises(RefusedError) as raised:
        ask(cast, quick, voice_identity=short.identity_id)

    assert raised.value.reasons == ("voice.no_licence", "scope.seconds")


def test_a_recording_is_no_footage(cast: PresentRequest, quick: Any) -> None:
    request = JobRequest(
        identity_id=cast.identity_id,
        media_id=cast.recording,
        purpose="product_explainer",
        channel="branch_screen",
    )

    with pytest.raises(UnsupportedMediaError):
        services.submit(request, by=quick.by["requester"])
    with pytest.raises(UnsupportedMediaError):
        services.upload_picture(io.BytesIO(encoded(speech(), "wav")), by=quick.by["operator"])
    with pytest.raises(UnreadableMediaError, match="silent"):
        uploaded(quick, encoded(np.zeros((RATE, 1), np.int16), "wav"))


@needs_espeak
def test_a_recording_that_says_something_else_fails_with_what_was_measured(
    cast: PresentRequest, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven(monkeypatch)
    row = ask(cast, quick, recording=uploaded(quick, said(OTHER)))

    performing.perform(row.pk)

    row.refresh_from_db()
    assert (row.state, row.code) == ("failed", "recording_refused")
    assert "does not say the script" in row.message
    assert "fit" in row.message


@needs_espeak
def test_a_person_says_the_script_and_it_goes_with_them(
    cast: PresentRequest, quick: Any, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven(monkeypatch)
    recording = uploaded(quick, said(SCRIPT))
    media = Media.objects.get(pk=recording)
    row = ask(cast, quick, recording=recording)
    other = presenting.present(cast, client_id="two", by=quick.by["requester"])

    performing.perform(row.pk)

    row = selectors.presentation("one", tenant="demo")
    assert row.job is not None, row.message
    spoken = row.report["speech"]
    assert spoken["voices"] == [{"id": "recording", "version": media.sha256, "licence": owner.identity_id}]
    assert (spoken["timing"], spoken["engine"], spoken["sent_to"]) == ("aligned", "recording", "")
    assert JobConsent.objects.filter(job=row.job, consent_id=owner.id).exists()
    package = performances.package_of(row.job.media)
    assert package.rate == RATE
    assert len(package.pcm) / RATE == pytest.approx(media.info["duration_s"], abs=0.05)

    with transaction.atomic():  # the teller goes; the voice is another's
        erasing.erase(row.identity_id, by=quick.by["legal"])
    row.refresh_from_db()
    assert blobs.store().exists(media.sha256)
    with transaction.atomic():
        erasing.erase(owner.identity_id, by=quick.by["legal"])

    assert not blobs.store().exists(media.sha256)
    assert not blobs.store().exists(Media.objects.get(pk=cast.recording).sha256)  # was never said
    for each in (row, other):
        each.refresh_from_db()
        assert (each.script, set(each.scene)) == ("", {"format", "colour", "subtitles"})


@needs_espeak
@pytest.mark.weights
@pytest.mark.slow
def test_a_recording_in_two_scenes_becomes_a_video_whose_mouth_fits(
    studio: Any, work: Any, astronaut: bytes, hopper: bytes
) -> None:
    now = timezone.now().replace(microsecond=0)
    agreed = [SeparateConsent(code, HASH, "zh-CN", now) for code in CODES]
    operations = ["face_swap", "lip_sync", "voice"]
    teller = studio.enrol(astronaut, operations=operations, separate_consents=agreed)
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    hall = uploaded(studio, fakes.portrait(fakes.NOBODY))
    first, second = "您好，请不要把密码告诉别人。", "请妈妈办好八百。"
    place = {"position": "right", "size": 0.9}
    last = {"script": second, "background": hall, "layout": place, "transition": "fade", "fade_frames": 6}
    request = PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="",
        scenes=parse([{"script": first, "layout": {"position": "left"}}, last]),
        recording=uploaded(studio, said(first + second)),
        voice_identity=teller.identity_id,
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )

    row = presenting.present(request, client_id="one", by=studio.by["requester"])
    work()

    row.refresh_from_db()
    assert row.job is not None, row.message
    assert (row.job.state, row.job.message) == ("done", "")
    sync = row.job.report["sync"]
    assert sync["failed"] == []
    assert sync["closures"] == sync["closures_held"] >= 5
    frames = performances.package_of(row.job.media).frames
    path = blobs.store().path(row.job.output_sha256)
    shown = [frame.picture for frame in frames_at(path, probe(path), [0.2, frames / 25 - 0.2])]
    corner = (slice(500, 600), slice(40, 100))  # left of both people
    assert shown[0][corner].mean() > 60  # the colour
    assert shown[1][corner].mean() < 30  # the hall
