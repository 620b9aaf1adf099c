"""One script in several languages and by several people: the form, and what became of every cell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from generation import queueing
from generation.models import Presentation, VariantSet
from tests.consent import fakes

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "send", lambda _task, _key: None)


@pytest.fixture
def form(world) -> dict[str, Any]:
    """A form for two languages and two tellers; only Chinese is licensed for the second one."""
    tellers = [
        world.enrol(name, portraits=[fakes.picture(face)])
        for name, face in (("张三", "zhang"), ("王五", "wang"))
    ]
    for teller, languages in zip(tellers, (["zh", "en"], ["zh"]), strict=True):
        world.activate(teller, operations=["lip_sync"], languages=languages)
    performer = world.enrol("李四", kind="performer", portraits=[fakes.picture("li")])
    world.activate(performer, operations=["performance"], languages=["zh", "en"])
    return {
        "client_id": "made-by-the-page",
        "identities": [each.id for each in tellers],
        "script_zh": "您好。",
        "script_en": "Good morning.",
        "kind": "text",
        "performer": performer.id,
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "territory": "CN",
        "format": "preview",
        "colour": "#3c6e96",
        "subtitles": "on",
    }


def test_each_cell_is_asked_for_and_one_refused_leaves_the_others_alone(sign_in, form):
    client = sign_in("requester")
    answer = client.post(reverse("variants-create"), form)
    assert answer.status_code == 302
    assert client.post(reverse("variants-create"), form).status_code == 302  # two clicks are one request
    assert Presentation.objects.count() == 4
    html = client.get(answer["Location"]).content.decode()
    assert html.count('class="version"') == 4
    assert html.count("Rejected") == 1
    assert "The licence does not allow this language." in html
    assert "0 of 4 ready" in html
    assert VariantSet.objects.get().client_id == "made-by-the-page"


def test_the_studio_hands_on_what_was_typed(sign_in, form):
    typed = {
        "script": "您好，世界。",
        "language": "zh",
        "identity": form["identities"][0],
        "format": "square",
    }
    html = sign_in("requester").post(reverse("variants-start"), typed).content.decode()
    assert "您好，世界。</textarea>" in html
    for checked in (form["identities"][0], "square"):
        assert re.search(rf'<input[^>]*value="{checked}"[^>]*checked', html)
    assert form["identities"][1] in html
    assert not VariantSet.objects.exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"identities": []}, "Choose at least one teller."),
        ({"script_zh": " ", "script_en": ""}, "Write what is to be said in at least one language."),
        ({"performer": "idn_" + "0" * 16}, "Select a valid choice"),
    ],
)
def test_an_incomplete_form_comes_back(sign_in, form, changes, said):
    answer = sign_in("requester").post(reverse("variants-create"), {**form, **changes})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not VariantSet.objects.exists()


def test_a_language_left_empty_is_left_out(sign_in, form):
    sign_in("requester").post(reverse("variants-create"), {**form, "script_en": ""})
    assert {cell["language"] for cell in VariantSet.objects.get().cells} == {"zh"}


def test_finished_cells_have_a_player_and_a_download_and_the_page_stops_asking(sign_in, world):
    done = world.presentation("generating", job=world.job("done"))
    moving = world.presentation("generating", job=world.job("running"))
    row = world.variants(("zh", "a", done), ("en", "a", moving))
    where = reverse("variants-detail", args=[row.client_id])
    live = sign_in("requester").get(where, headers=HTMX)
    assert live.status_code == 200
    assert live.content.decode().count("<video") == 1
    assert "Cancel the rest" in live.content.decode()
    assert "/download/" not in sign_in("operator").get(where).content.decode()
    moving.job.state = "cancelled"
    moving.job.save()
    live = sign_in("requester").get(where, headers=HTMX)
    assert live.status_code == 286
    assert "Partly ready" in live.content.decode()
    html = sign_in("requester").get(reverse("presentation-detail", args=[done.client_id])).content.decode()
    assert where in html


def test_the_rest_is_cancelled(sign_in, world):
    made = world.presentation()
    row = world.variants(("zh", "a", made))
    sign_in("operator").post(reverse("variants-cancel", args=[row.client_id]))
    made.refresh_from_db()
    assert made.state == "cancelled"
