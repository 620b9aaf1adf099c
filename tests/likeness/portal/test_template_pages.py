"""Templates in the portal: what is shown of a version, a new one by form or file, a yes and a step back."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from django.urls import reverse

from generation import queueing, services, templating
from generation.models import SceneTemplate, TemplateVersion
from generation.presenter.templates import FIELDS, LINE_CHARS, VARIABLES_MAX
from likeness.portal import scene_templates, template_picture
from likeness.portal.wording import templates as words
from tests.likeness.portal.conftest import SCENE, upload

pytestmark = pytest.mark.django_db
SYNC = {
    "landmarks": {"r": 0.4, "lag": 0},
    "pixels": {"r": 0.8, "lag": 0},
    "sound": {"r": 0.6, "lag": 0},
    "shift_ms": 0.4,
    "rest": 0.02,
    "closures": 9,
    "closures_held": 9,
    "silences": 2,
    "silences_held": 2,
    "frames": 90,
    "failed": ["landmarks"],
}
FORM = {
    "name": "balance",
    "format": "square",
    "colour": "#1F4E5F",
    "subtitles": "on",
    "height_share": "0.9",
    "centre": "0.5",
    "title": "{{customer}}",
    "line": "",
    "logo_place": "right",
    "variable_name_0": "customer",
    "variable_kind_0": "text",
    "variable_name_2": "sum",
    "variable_kind_2": "amount",
}


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    messages: list[Any] = []
    monkeypatch.setattr(queueing, "send", lambda task, key: messages.append((task, key)))
    return messages


def page(client: Any, name: str, *args: Any, language: str = "en") -> str:
    client.cookies["django_language"] = language
    return str(client.get(reverse(name, args=args)).content.decode())


def draft(client: Any, changes: dict[str, Any], *, name: str = "") -> Any:
    where = reverse("template-draft", args=[name]) if name else reverse("template-create")
    return client.post(where, {**FORM, **changes})


def picture() -> bytes:
    return cv2.imencode(".png", np.full((240, 320, 3), 90, np.uint8))[1].tobytes()


# ---- what is shown


def test_a_version_shows_who_wrote_it_what_was_measured_and_why_it_failed(sign_in, world, people):
    trial = {"code": "sync_out_of_bounds", "message": "Failed: landmarks.", "sync": SYNC}
    world.template()
    world.template("failed", trial=trial, document={**SCENE, "title": "x"})
    html = page(sign_in("requester"), "template-detail", "balance")
    assert "Version 1 is in use" in html
    assert f"Approved by {people['business'].name}" in html
    assert "The trial failed:" in html
    assert "Mouth and sound of the finished file do not agree" in html
    assert "0.40 of 1, at least 0.85" in html  # the bound of a trial, not of a swapped video
    assert "试制未通过" in page(sign_in("requester"), "template-detail", "balance", language="zh-hans")


def test_while_a_version_is_tried_the_page_asks_again(sign_in, world):
    world.template("trying")
    client = sign_in("business")
    answer = client.get(reverse("template-detail", args=["balance"]), headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert 'hx-trigger="every 5s"' in answer.content.decode()
    TemplateVersion.objects.update(state="ready")
    answer = client.get(reverse("template-detail", args=["balance"]), headers={"HX-Request": "true"})
    assert answer.status_code == 286


def test_a_version_whose_picture_is_gone_is_told_and_not_drawn(sign_in, world):
    world.template(document={"background": "f" * 64})
    html = page(sign_in("operator"), "template-list")
    assert "Fails its checks" in html
    assert "/1/picture/" not in html
    html = page(sign_in("operator"), "template-detail", "balance")
    assert "a picture of it is gone" in html
    assert sign_in("operator").get(reverse("template-picture", args=["balance", 1])).status_code == 404


def test_videos_that_fell_back_are_listed(sign_in, world):
    world.template()
    pinned = {"name": "balance", "version": 1, "wanted": 2, "problem": "altered", "variables": {}}
    world.presentation(scene={"format": "preview", "template": pinned})
    world.presentation(scene={"format": "preview", "template": {**pinned, "problem": ""}})
    found = scene_templates.template_view("balance", by=world.by["operator"]).fell_back
    assert [each.row.client_id for each in found] == ["video-1"]
    html = page(sign_in("requester"), "presentation-detail", "video-1")
    assert "Version 2 of the template “balance” failed its checks; version 1 was used." in html


def test_a_picture_shows_the_scene_at_most_640_px_long(sign_in, world):
    world.template(document={**SCENE, "format": "portrait"})
    answer = sign_in("auditor").get(reverse("template-picture", args=["balance", 1]))
    assert answer.headers["Content-Type"] == "image/png"
    drawn = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (640, 360, 3)
    plain = template_picture.picture({"format": "portrait", "subtitles": False}, tenant="demo")
    assert plain != answer.body


# ---- a new version


def test_a_form_is_a_version_that_is_tried(sign_in, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        answer = draft(sign_in("operator"), {"logo_file": upload(picture(), "logo.png")})
    assert answer.status_code == 302
    made = TemplateVersion.objects.get()
    logo = made.document["logo"]
    assert made.document == {
        "format": "square",
        "colour": "#1f4e5f",
        "subtitles": True,
        "height_share": 0.9,
        "centre": 0.5,
        "title": "{{customer}}",
        "logo": logo,
        "logo_place": "right",
        "variables": {"customer": "text", "sum": "amount"},
    }
    assert sent == [("try_template", str(made.pk))]
    assert templating.problem_of(made) == ""


def test_the_next_version_starts_from_the_last_one_and_keeps_its_pictures(sign_in, world):
    kept = services.upload_picture(io.BytesIO(picture()), by=world.by["operator"]).sha256
    world.template(document={**SCENE, "logo": kept})
    html = page(sign_in("business"), "template-draft", "balance")
    assert 'value="{{name}}"' in html
    assert kept in html
    answer = draft(sign_in("business"), {"logo_keep": kept}, name="balance")
    assert answer.status_code == 302
    assert TemplateVersion.objects.get(number=2).document["logo"] == kept
    draft(sign_in("business"), {"logo_keep": kept, "logo_none": "on"}, name="balance")
    assert "logo" not in TemplateVersion.objects.get(number=3).document


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "A"}, "3 to 48 small letters, digits and hyphens."),
        ({"title": "{{nobody}}"}, "One line; a variable stands as {{name}} and is listed below."),
        ({"height_share": "9"}, "A number from 0.3 to 1.5."),
        ({"background_place": "{{customer}}"}, "name a variable that is a picture"),
        ({"variable_name_2": "Big"}, "Big: Each variable has a name of small letters"),
        ({"variable_name_2": "customer"}, "Each variable has a name of small letters"),
        ({"logo_file": upload(b"no picture", "x.png")}, "The file cannot be read"),
        ({"background_keep": "f" * 64}, "The picture is not here"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field(sign_in, changes, said):
    answer = draft(sign_in("operator"), changes)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not TemplateVersion.objects.exists()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"{", "The file is not JSON: line 1."),
        (b"\xff\xfe{}", "The file is not JSON in UTF-8."),
        (b"[]", "one JSON object"),
        (b'{"scene": 3}', "scene: There is no field “scene” in a template."),
        (json.dumps({"centre": 7, "glow": True}).encode(), "centre: A number from 0 to 1."),
        (json.dumps({"glow": True}).encode(), "There is no field “glow” in a template."),
        (b"[" * 70_000, "larger than a template can be"),
        (b"[" * 60_000, "The file is not JSON in UTF-8."),
    ],
)
def test_a_file_that_is_no_template_says_what_is_wrong(sign_in, document, said):
    answer = draft(sign_in("operator"), {"document": upload(document, "look.json")})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not SceneTemplate.objects.exists()


@pytest.mark.parametrize("wrapped", [SCENE, {"scene": SCENE}])
def test_a_file_is_taken_as_rest_takes_it_and_the_fields_are_left_aside(sign_in, wrapped):
    answer = draft(sign_in("operator"), {"document": upload(json.dumps(wrapped).encode(), "look.json")})
    assert answer.status_code == 302
    assert TemplateVersion.objects.get().document == SCENE


# ---- yes, and a step back


def test_a_second_person_approves_and_an_earlier_version_is_put_back(sign_in, world):
    world.template()
    world.template("ready", document={**SCENE, "title": "x"})
    client = sign_in("business")
    assert "Approve version 2" in page(client, "template-detail", "balance")
    client.post(reverse("template-approve", args=["balance", 2]))
    assert templating.find("balance", tenant="demo").active.number == 2
    assert "Use version 1 again" in page(client, "template-detail", "balance")
    client.post(reverse("template-rollback", args=["balance", 1]))
    assert templating.find("balance", tenant="demo").active.number == 1


def test_nobody_approves_what_they_wrote(sign_in, world, people):
    world.template("ready", author=people["business"].actor.id)
    client = sign_in("business")
    html = page(client, "template-detail", "balance")
    assert "Approve version" not in html
    assert "another person from business or legal" in html
    answer = client.post(reverse("template-approve", args=["balance", 1]), follow=True)
    assert "Your role does not include this" in answer.content.decode()
    assert templating.find("balance", tenant="demo").active is None


def test_every_field_of_a_template_has_words_and_its_numbers_are_the_engines():
    assert set(words.FIELDS) - {"name"} == FIELDS
    assert str(LINE_CHARS) in str(words.VALUES["text"])
    assert str(VARIABLES_MAX) in str(words.FIELDS["variables"])


def test_what_is_in_use_is_offered_and_nothing_else(world: SimpleNamespace):
    world.template("ready", name="waiting")
    world.template(name="unreadable", document={"glow": True})
    made = world.template()
    assert scene_templates.in_use(tenant="demo") == (made,)
    assert scene_templates.in_use(tenant="other") == ()
