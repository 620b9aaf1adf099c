"""The studio with a template, a recording, and a video that is changed."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np
import pytest
from django.urls import reverse
from django.utils import timezone

from consent.terms import SeparateConsent
from generation import previewing, queueing, services
from generation.models import Chunk, Media, Presentation
from likeness.portal import presentations, studio_forms
from tests.consent import fakes
from tests.consent.samples import make_terms
from tests.likeness.portal.conftest import upload

pytestmark = pytest.mark.django_db
LOOK = {
    "format": "square",
    "title": "{{name}}",
    "background": "{{photo}}",
    "variables": {"name": "text", "sum": "amount", "day": "date", "photo": "image"},
}
PICTURE = cv2.imencode(".png", np.full((240, 320, 3), 90, np.uint8))[1].tobytes()


@pytest.fixture(autouse=True)
def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "send", lambda _task, _key: None)


@pytest.fixture
def form(world) -> dict[str, Any]:
    """A form in a template, admitted but for its picture."""
    teller = world.enrol("张三")
    world.activate(teller, operations=["face_swap", "lip_sync"])
    performer = world.enrol("李四", kind="performer", portraits=[fakes.picture("li")])
    world.activate(performer, operations=["performance"])
    world.template(document=LOOK)
    return {
        "client_id": "made-by-the-page",
        "script": "您好，{{name}}。您的余额为{{sum}}。",
        "kind": "text",
        "language": "zh",
        "identity": teller.id,
        "performer": performer.id,
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "territory": "CN",
        "template": "balance",
        "value_name": "王女士",
        "value_sum": "1234.56",
        "value_day": "2026-01-31",
        "file_photo": upload(PICTURE, "photo.png"),
    }


def post(client: Any, name: str, data: dict[str, Any], *, language: str = "en") -> Any:
    client.cookies["django_language"] = language
    return client.post(reverse(name), data)


def test_a_chosen_template_asks_for_its_values_and_keeps_what_was_typed(sign_in, form):
    html = post(sign_in("requester"), "studio-look", {**form, "file_photo": ""}).content.decode()
    assert "<html" not in html
    for field in ('type="date" name="value_day" value="2026-01-31"', 'name="value_sum" value="1234.56"'):
        assert field in html
    assert 'type="file" name="file_photo"' in html
    assert 'data-format="square"' in html
    assert 'name="format"' not in html
    plain = post(sign_in("requester"), "studio-look", {**form, "template": ""}).content.decode()
    assert 'name="format"' in plain
    assert "value_name" not in plain


def test_a_video_in_a_template_is_asked_for_with_its_values_and_pictures(sign_in, form):
    assert post(sign_in("requester"), "presentation-create", form).status_code == 302
    row = Presentation.objects.get()
    photo = Media.objects.get().sha256
    pinned = row.scene["template"]
    assert (pinned["name"], pinned["version"]) == ("balance", 1)
    assert pinned["variables"] == {"name": "王女士", "sum": "1234.56", "day": "2026-01-31", "photo": photo}
    assert row.script == "您好，王女士。您的余额为¥1,234.56。"
    again = studio_forms.scene_of(row)
    assert (again["template"], again["value_photo"]) == ("balance", photo)


@pytest.mark.parametrize(
    ("changes", "language", "said"),
    [
        ({"value_sum": "viel"}, "en", "Write digits, with at most two after the point"),
        ({"value_sum": "viel"}, "zh-hans", "小数点后最多两位"),
        ({"value_day": "31.1.2026"}, "en", "Choose a day."),
        ({"value_name": "x" * 41}, "en", "Write one line of at most 40 characters."),
        ({"file_photo": ""}, "en", "Choose a picture."),
        ({"file_photo": upload(b"nothing", "x.png")}, "en", "The file cannot be read."),
        ({"value_photo": "f" * 64, "file_photo": ""}, "en", "Choose a picture."),
        ({"script": "{{other}}"}, "en", "The script names {{other}}; choose a template that has it"),
        ({"template": ""}, "en", "The script names {{name}}"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field(sign_in, form, changes, language, said):
    if changes.get("template") == "":
        changes = changes | {"format": "square", "colour": "#3c6e96"}
    answer = post(sign_in("requester"), "presentation-create", {**form, **changes}, language=language)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not Presentation.objects.exists()


def test_the_reading_shows_the_filled_words_and_what_is_missing(sign_in, form, world):
    photo = services.upload_picture(upload(PICTURE).file, by=world.by["requester"]).sha256
    typed = {**form, "file_photo": "", "value_photo": photo}
    html = post(sign_in("requester"), "studio-review", typed).content.decode()
    assert "data-clean" in html
    assert "王女士" in html
    assert "一千二百三十四元五角六分" in html
    html = post(sign_in("requester"), "studio-review", {**typed, "value_sum": ""}).content.decode()
    assert "data-clean" not in html
    assert "Fill in the template&#x27;s values." in html
    html = post(sign_in("requester"), "studio-review", {**typed, "value_name": "保本保息"}).content.decode()
    assert "in the lines at the lower left" in html


def test_a_preview_is_asked_for_in_the_template(sign_in, form, monkeypatch):
    asked: list[Any] = []
    monkeypatch.setattr(previewing, "see", lambda request, **_by: asked.append(request) or b"png")
    post(sign_in("requester"), "studio-see", {**form, "file_photo": "", "value_photo": "f" * 64})
    use = asked[0].template
    assert use.name == "balance"
    assert dict(use.variables)["photo"] == "f" * 64


def test_a_file_is_taken_in_while_the_form_is_filled(sign_in):
    client = sign_in("requester")
    answer = client.post(reverse("studio-upload"), {"kind": "picture", "file": upload(PICTURE)})
    assert json.loads(answer.content) == {"value": Media.objects.get().sha256}
    answer = client.post(reverse("studio-upload"), {"kind": "picture", "file": upload(b"nothing")})
    assert answer.status_code >= 400
    assert "cannot be read" in json.loads(answer.content)["sentence"]
    assert (
        client.post(reverse("studio-upload"), {"kind": "other", "file": upload(PICTURE)}).status_code == 400
    )


def test_a_recording_takes_the_place_of_the_voice():
    asked = studio_forms.request_of(
        {"recording": "some-id", "voice_identity": "idn_1", "voice": "sample-zh", "script": "您好。"}
    )
    assert (asked.recording, asked.voice_identity, asked.voice) == ("some-id", "idn_1", "")
    plain = studio_forms.request_of({"voice_identity": "idn_1", "voice": "sample-zh", "script": "您好。"})
    assert (plain.recording, plain.voice_identity, plain.voice) == ("", "", "sample-zh")


def test_only_licensed_voices_may_be_recorded(sign_in, form, world):
    assert (
        "Nobody has licensed their voice yet" in sign_in("requester").get(reverse("studio")).content.decode()
    )


def test_a_finished_video_is_changed_and_the_earlier_one_is_named(sign_in, world):
    row = world.presentation("generating", job=world.job("done"))
    client = sign_in("requester")
    where = reverse("studio") + f"?from={row.client_id}&change=1"
    assert (
        where.replace("&", "&amp;")
        in client.get(reverse("presentation-detail", args=[row.client_id])).content.decode()
    )
    html = client.get(where).content.decode()
    assert "You are changing “您好。您的余额为¥1,234.56。”" in html
    assert f'name="revises" value="{row.client_id}"' in html
    assert '<option value="sample-zh" selected>' in html  # another voice would take nothing over
    assert studio_forms.request_of({"revises": row.client_id}).revises == row.client_id
    scenes = {**row.scene, "scenes": [{"chars": 3}]}
    several = world.presentation("generating", job=world.job("done"), scene=scenes)
    html = client.get(reverse("presentation-detail", args=[several.client_id])).content.decode()
    assert "Change and make again" not in html
    failed = world.presentation("failed")
    html = client.get(reverse("presentation-detail", args=[failed.client_id])).content.decode()
    assert "Change and make again" not in html


def test_the_sentences_that_were_taken_over_are_counted(sign_in, world):
    first = world.presentation("generating", job=world.job("done"))
    assert presentations.taken_over(first) is None
    job = world.job("running")
    Chunk.objects.create(job=job, index=0, frames=9, plan={"taken_from": 0, "keys": [0]}, state="done")
    row = world.presentation("generating", job=job, revises=first)
    assert presentations.taken_over(row) == (1, 2)
    job.report = {"reused": {"sentences": 2, "frames": 80}}
    html = sign_in("requester").get(reverse("presentation-detail", args=[row.client_id])).content.decode()
    assert "1 of 2 sentences are taken over" in html
    assert "Each picture is drawn, labelled and marked invisibly." in html
    assert presentations.taken_over(row) == (2, 2)


def test_a_video_that_was_held_back_names_the_measures_that_it_missed(sign_in, world):
    message = "Mouth and sound of the finished file do not agree: sound.r, closures, sound.shift."
    job = world.job("failed", code="sync_out_of_bounds", reasons=[], message=message)
    row = world.presentation("generating", job=job)
    html = sign_in("requester").get(reverse("presentation-detail", args=[row.client_id])).content.decode()
    assert "Missed: Lips follow the loudness, Lips meet at b, p and m, Sound against the plan." in html


def test_a_script_with_a_recording_is_read_for_the_voice_of_its_person(sign_in, form, world):
    speaker = world.enrol("李四", portraits=[fakes.picture("zhao")])
    given = [
        *make_terms().separate_consents,
        SeparateConsent("VOICE_CLONE", "a" * 64, "zh-CN", timezone.now()),
    ]
    world.activate(speaker, operations=["lip_sync", "voice"], separate_consents=given)
    client = sign_in("requester")
    typed = {**form, "template": "", "script": "您好。", "format": "square", "colour": "#3c6e96"}
    typed |= {"file_photo": "", "recording": "0" * 8, "voice": "sample-zh"}
    html = post(client, "studio-review", typed).content.decode()
    assert "Say whose voice the recording is." in html
    html = post(client, "studio-review", {**typed, "voice_identity": speaker.id}).content.decode()
    assert "data-clean" in html, html
