"""Previews: what is refused before anything is spoken or drawn, and what those that are made carry."""

from __future__ import annotations

import io
import json
import time
import wave
from dataclasses import replace
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from audit import selectors as log
from audit.leaf import KeyKind
from consent import selectors as consent_rows
from consent import services as consents
from generation import counting, loaded, presenting, previewing, services, speaking, templating
from generation.engine.media.colour import to_planes
from generation.engine.media.image import decode_image
from generation.engine.types import Image
from generation.errors import (
    NotFoundError,
    PresentInvalidError,
    PreviewLimitError,
    RefusedError,
    RoleError,
)
from generation.models import Presentation, PreviewCount, TemplateVersion, VersionState
from generation.presenter.errors import PresenterError, TemplateInvalidError
from generation.presenter.scene import Layout, Plate
from generation.presenter.storyboard import parse
from generation.presenting import PresentRequest
from generation.templating import TemplateUse
from tests.generation import fakes
from tests.generation.presenter.tones import ToneEngine
from watermark.metadata import read_label
from watermark.visible import DEFAULT_TEXT, Label, Look, Place

ENGINE = speaking.speech_engine
needs_espeak = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)
BOTH = pytest.mark.parametrize("preview", [previewing.hear, previewing.see])


@pytest.fixture(autouse=True)
def _fresh() -> None:
    previewing._plates.clear()


@pytest.fixture(autouse=True)
def silence(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whoever speaks in these tests, unless a test brings an engine, has done wrong."""
    said: list[str] = []

    def speaks(*_: Any) -> Any:
        said.append("spoken")
        raise AssertionError("something was spoken")

    monkeypatch.setattr(speaking, "speech_engine", speaks)
    return said


@pytest.fixture
def cast(quick: Any) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好。您的余额为¥1,234.56。",
        purpose="product_explainer",
        channel="branch_screen",
        format="preview",
    )


def decisions(identity: str, count: int = 1) -> list[dict[str, Any]]:
    """What the log says of previews with this person, once it has as many entries."""
    deadline = time.monotonic() + 5
    found: list[dict[str, Any]] = []
    while time.monotonic() < deadline and len(found) < count:
        entries = log.entries(KeyKind.IDENTITY, identity)
        found = [each.event for each in entries if each.event.get("stage") == "preview"]
        time.sleep(0.02)
    return found


UNUSABLE = [
    ({"script": ""}, PresenterError),
    ({"script": "还款¥12,34.5"}, PresenterError),
    ({"format": "cinema"}, PresentInvalidError),
    ({"voice": "nobody"}, PresenterError),
    ({"identity_id": "idn_0000000000000000"}, NotFoundError),
    ({"performer_id": "a b"}, NotFoundError),
]
REFUSED = [
    ({"script": "本产品保本保息。"}, "text.promise"),
    ({"script": "本产品宝本宝息。"}, "text.review"),
    ({"purpose": "marketing"}, "scope.purpose"),
    ({"language": "en", "script": "Hello."}, "scope.language"),
]


@BOTH
def test_what_cannot_be_presented_has_no_preview(preview: Any, cast: PresentRequest, quick: Any) -> None:
    for changes, error in UNUSABLE:
        with pytest.raises(error):
            preview(replace(cast, **changes), by=quick.by["requester"])
    for role in ("legal", "business", "expert", "auditor", "operator"):
        with pytest.raises(RoleError):
            preview(cast, by=quick.by[role])


@BOTH
def test_a_refused_preview_is_logged_and_nothing_is_spoken(
    preview: Any, cast: PresentRequest, quick: Any, silence: list[str]
) -> None:
    for changes, reason in REFUSED:
        with pytest.raises(RefusedError) as raised:
            preview(replace(cast, **changes), by=quick.by["requester"])
        assert raised.value.reasons[0] == reason

    assert silence == []
    events = decisions(cast.identity_id, count=len(REFUSED))
    assert {event["decision"] for event in events} == {"refuse"}
    assert [event["reasons"][0] for event in events] == [reason for _changes, reason in REFUSED]
    assert "本" not in json.dumps(events, ensure_ascii=False)


def test_a_revoked_licence_or_release_ends_previews(cast: PresentRequest, quick: Any) -> None:
    by = quick.by
    for person, reason in (
        (cast.performer_id, "performer.no_release"),
        (cast.identity_id, "licence.revoked"),
    ):
        row = next(each for each in consent_rows.consents(tenant="demo") if each.identity_id == person)
        consents.revoke(row.id, reason="withdrawn", by=by["legal"])
        for preview in (previewing.hear, previewing.see):
            with pytest.raises(RefusedError) as raised:
                preview(cast, by=by["requester"])
            assert reason in raised.value.reasons


def test_previews_are_counted_in_the_database(
    cast: PresentRequest, quick: Any, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, minute = quick.by["requester"], [28_000_000]
    monkeypatch.setattr(counting.time, "time", lambda: minute[0] * 60.0)
    second = person("requester", tenant=by.tenant).actor
    PreviewCount.objects.create(tenant=by.tenant, person=by.id, minute=minute[0], count=39)
    PreviewCount.objects.create(tenant=by.tenant, person=by.id, minute=minute[0] - 5, count=9)
    PreviewCount.objects.create(tenant="other", person="usr_x", minute=minute[0], count=500)

    counting.count_preview(by)
    with pytest.raises(PreviewLimitError, match="40"):
        previewing.see(cast, by=by)
    counting.count_preview(second)  # another person of the tenant still may
    PreviewCount.objects.filter(person=second.id).update(count=120)
    with pytest.raises(PreviewLimitError, match="organisation"):
        previewing.hear(cast, by=person("requester", tenant=by.tenant).actor)
    assert not PreviewCount.objects.filter(minute=minute[0] - 5).exists()
    minute[0] += 1
    counting.count_preview(by)


def test_a_preview_is_small_and_shows_both_labels() -> None:
    grey = np.full((720, 1280, 3), 128, np.uint8)

    shown = previewing.labelled(grey)

    assert shown.shape == (360, 640, 3)
    for place, text in ((Place.TOP_LEFT, "PREVIEW 预览"), (Place.TOP_RIGHT, DEFAULT_TEXT)):
        assert Label(640, 360, text, Look(place=place)).check(to_planes(shown).y) > 0.9


@pytest.mark.parametrize(("width", "height"), [(720, 1280), (720, 720), (320, 240)])
def test_labels_fit_every_format(width: int, height: int) -> None:
    shown = previewing.labelled(np.full((height, width, 3), 128, np.uint8))

    assert shown.shape[1] <= 640
    half = shown.shape[1] // 2
    assert shown[: shown.shape[0] // 4, :half].std() > 5
    assert shown[: shown.shape[0] // 4, half:].std() > 5


@needs_espeak
@pytest.mark.weights
def test_a_script_is_heard_and_seen_and_nothing_is_kept(
    studio: Any, astronaut: bytes, hopper: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "speech_engine", ENGINE)
    by = studio.by["requester"]
    teller = studio.enrol(astronaut, operations=["face_swap", "lip_sync"])
    performer = studio.enrol(hopper, kind="performer", status="deceased")
    request = PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好，请不要把密码告诉别人。" * 8,
        purpose="product_explainer",
        channel="branch_screen",
        format="portrait",
    )
    stored = sorted((studio.home / "blobs").rglob("*"))

    heard, seen = previewing.hear(request, by=by), previewing.see(request, by=by)
    again = previewing.see(replace(request, colour="#ffffff"), by=by)

    with wave.open(io.BytesIO(heard)) as file:
        assert 3 < file.getnframes() / file.getframerate() <= 15
    for data in (heard, seen):
        path = studio.home / "preview"
        path.write_bytes(data)
        label = read_label(path).label
        assert label is not None
        assert label.produce_id.startswith("preview-")
        path.unlink()
    picture = decode_image(seen)
    assert picture.shape == (1138, 640, 3)
    assert nearer(picture, decode_image(astronaut), than=decode_image(hopper)), "the licensed face is shown"
    assert np.abs(picture.astype(int) - decode_image(again)).max() > 50
    assert not Presentation.objects.exists()
    assert sorted((studio.home / "blobs").rglob("*")) == stored
    for consent in (performer, teller):
        opened = [each for each in decisions(consent.identity_id) if each["decision"] == "admit"]
        assert [each["consents"] for each in opened] == [[consent.id]]  # the second picture was from memory
    consents.block(image=hopper, identity_id=None, reason="blocked", by=studio.by["legal"])
    with pytest.raises(RefusedError) as refused:
        previewing.see(request, by=by)
    assert refused.value.code == "face.blocked"
    consents.revoke(performer.id, reason="withdrawn", by=studio.by["legal"])
    with pytest.raises(RefusedError):
        previewing.see(request, by=by)
    assert not previewing._plates


def nearer(picture: Image, one: Image, *, than: Image) -> bool:
    """Whether the face of a picture is nearer to one person's than to another's."""
    models = loaded.face_models()

    def face(shown: Image) -> Any:
        found = max(models.detector.detect(shown), key=lambda each: each.width_px)
        return models.embedder.embed(shown, models.landmarks.settle(shown, found).mesh)

    seen = face(picture)
    return bool(seen.distance(face(one)) < seen.distance(face(than)))


# ---- with a template

LOOK = {
    "format": "preview",
    "title": "{{name}}",
    "line": "余额{{sum}}",
    "variables": {"name": "text", "sum": "amount"},
}
FILLED = (("name", "王女士"), ("sum", "1234.56"))


def look(quick: Any, changes: dict[str, Any] | None = None) -> int:
    """A version that passed its trial."""
    made = templating.draft("balance", {**LOOK, **(changes or {})}, by=quick.by["operator"])
    TemplateVersion.objects.filter(pk=made.pk).update(state=VersionState.READY)
    return made.number


@pytest.fixture
def templated(cast: PresentRequest, quick: Any) -> PresentRequest:
    look(quick)
    templating.approve("balance", 1, by=quick.by["business"])
    return replace(
        cast, script="您好，{{name}}，余额{{sum}}。", template=TemplateUse("balance", variables=FILLED)
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A performer without a portrait, who hums."""

    def ready(request: Any, layout: Layout, release: Any, *, by: Any) -> Any:
        small = previewing._small(layout)
        picture = np.full((small.height_px, small.width_px // 2, 3), 90, np.uint8)
        plate = Plate(picture, np.full(picture.shape[:2], 0.5, np.float32), np.zeros((468, 3), np.float32))
        puppet = SimpleNamespace(frame=lambda _shape: picture)
        return previewing._Ready(plate, puppet, picture, small, 0.0)  # type: ignore[arg-type]  a puppet of a test

    monkeypatch.setattr(previewing, "_ready", ready)
    monkeypatch.setattr(speaking, "speech_engine", lambda *_: ToneEngine())


@BOTH
def test_a_template_that_does_not_fit_has_no_preview(
    preview: Any, templated: PresentRequest, quick: Any
) -> None:
    for use, error in (
        (TemplateUse("nothing"), NotFoundError),
        (TemplateUse("balance", version=7, variables=FILLED), NotFoundError),
        (TemplateUse("balance"), TemplateInvalidError),
        (TemplateUse("balance", variables=(*FILLED, ("more", "x"))), TemplateInvalidError),
        (TemplateUse("balance", variables=(("name", "王"), ("sum", "1,5"))), TemplateInvalidError),
        (None, TemplateInvalidError),
    ):
        with pytest.raises(error):
            preview(replace(templated, template=use), by=quick.by["requester"])
    promise = TemplateUse("balance", variables=(("name", "保本保息"), ("sum", "1")))
    with pytest.raises(RefusedError) as raised:
        preview(replace(templated, script="您好。", template=promise), by=quick.by["requester"])
    assert raised.value.reasons == ("text.promise",)


def test_a_preview_shows_the_look_of_its_template(
    templated: PresentRequest, drawn: None, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = quick.by["requester"]
    with_third = decode_image(previewing.see(templated, by=by))
    bare = decode_image(previewing.see(replace(templated, script="您好。", template=None), by=by))
    number = look(quick, {"title": "", "line": "", "format": "portrait", "colour": "#ffffff"})
    use = TemplateUse("balance", version=number, variables=FILLED)
    tall = decode_image(previewing.see(replace(templated, template=use), by=by))

    third = (slice(200, 280), slice(20, 200))  # left, above the subtitles
    assert np.abs(with_third[third].astype(int) - bare[third]).max() > 100
    assert tall.shape[0] > tall.shape[1]
    assert tall[300:320, :20].mean() > 200  # white behind the person
    with pytest.raises(NotFoundError):  # it may be looked at, but not used: nobody has approved it
        presenting.present(replace(templated, template=use), client_id="one", by=by)
    assert [
        (each.name, each.kind.value) for each in templating.form_of("balance", number, tenant="demo")
    ] == [
        ("name", "text"),
        ("sum", "amount"),
    ]


def test_a_stranger_on_a_templates_picture_has_no_preview(
    templated: PresentRequest, drawn: None, quick: Any
) -> None:
    by = quick.by["requester"]
    for colour, reason in ((fakes.GREY, "performer.no_release"), (fakes.NOBODY, ""), (fakes.GREEN, "")):
        data = fakes.portrait(colour)
        media = services.upload(io.BytesIO(data), by=by)
        use = TemplateUse("balance", version=look(quick, {"background": media.sha256}), variables=FILLED)
        asked = replace(templated, template=use)
        if not reason:  # nobody, or somebody who released it
            assert previewing.see(asked, by=by)
            continue
        with pytest.raises(RefusedError) as raised:
            previewing.see(asked, by=by)
        assert raised.value.reasons == (reason,)
        assert decisions(templated.identity_id)[-1]["reasons"] == [reason]


def test_a_preview_of_scenes_shows_the_first(cast: PresentRequest, drawn: None, quick: Any) -> None:
    by = quick.by["requester"]

    def shown(**first: Any) -> Any:
        scenes = parse([{"script": "您好。", **first}, {"script": "再见。", "colour": "#ff0000"}])
        return decode_image(previewing.see(replace(cast, script="", scenes=scenes), by=by))

    def behind(colour: Any) -> dict[str, str]:
        return {"background": str(services.upload(io.BytesIO(fakes.portrait(colour)), by=by).pk)}

    plain, white = shown(), shown(colour="#ffffff", layout={"position": "left"})
    assert plain[180, 600].tolist() != white[180, 600].tolist()
    assert white[180, 600].min() > 200
    assert shown(**behind(fakes.NOBODY))[180, 600].max() < 30
    with pytest.raises(RefusedError) as raised:
        shown(**behind(fakes.GREY))
    assert raised.value.reasons == ("performer.no_release",)
