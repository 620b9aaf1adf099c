"""Looks as versioned data: who may, what is tried, what is pinned, and what happens when a version breaks."""

from __future__ import annotations

import io
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import pytest
from django.db import DatabaseError, connections, transaction
from django.utils import timezone

from audit import selectors as log
from audit.leaf import KeyKind
from generation import (
    blobs,
    performing,
    presenting,
    selectors,
    services,
    speaking,
    staging,
    templating,
    trying,
)
from generation.errors import (
    NotFoundError,
    RefusedError,
    RoleError,
    TemplateStateError,
    TemplateUnusableError,
)
from generation.models import Presentation, TemplateVersion, VersionState
from generation.presenter.errors import PresenterError, TemplateInvalidError
from generation.presenting import PresentRequest
from generation.templating import TemplateUse
from tests.generation import fakes
from tests.generation.presenter.tones import ToneEngine

OPERATIONS = ["face_swap", "lip_sync"]
needs_espeak = pytest.mark.skipif(
    find_spec("espeakng_loader") is None, reason="the extra likeness[espeak] is not installed"
)


@pytest.fixture
def picture(quick: Any) -> str:
    """An uploaded background."""
    noise = np.random.default_rng(7).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    data = cv2.imencode(".png", noise)[1].tobytes()
    return str(services.upload(io.BytesIO(data), by=quick.by["requester"]).sha256)


@pytest.fixture
def document(picture: str) -> dict[str, Any]:
    return {
        "format": "preview",
        "background": picture,
        "title": "{{name}}",
        "line": "余额{{sum}}",
        "variables": {"name": "text", "sum": "amount"},
    }


@pytest.fixture
def request_(quick: Any) -> PresentRequest:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=OPERATIONS)
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    return PresentRequest(
        identity_id=teller.identity_id,
        performer_id=performer.identity_id,
        script="您好，{{name}}，余额{{sum}}。",
        purpose="product_explainer",
        channel="branch_screen",
        template=TemplateUse("balance", variables=(("name", "王女士"), ("sum", "1234.56"))),
    )


def tried(version: TemplateVersion, state: VersionState = VersionState.READY) -> TemplateVersion:
    """As after a trial."""
    TemplateVersion.objects.filter(pk=version.pk).update(state=state, touched=timezone.now())
    return version


def used(document: dict[str, Any], quick: Any, name: str = "balance") -> TemplateVersion:
    """A version in use."""
    made = tried(templating.draft(name, document, by=quick.by["operator"]))
    return templating.approve(name, made.number, by=quick.by["business"])


def ask(request: PresentRequest, quick: Any, client_id: str = "one") -> Presentation:
    return presenting.present(request, client_id=client_id, by=quick.by["requester"])


def logged(kind: str) -> list[dict[str, Any]]:
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if found := log.entries(KeyKind.TYPE, kind):
            return [entry.event for entry in found]
        time.sleep(0.05)
    return []


# ---- versions


def test_a_new_version_is_tried_before_anybody_may_agree(
    document: dict[str, Any], quick: Any, sent: list[Any]
) -> None:
    made = templating.draft("balance", document, by=quick.by["operator"])

    assert sent[-1] == ("try_template", str(made.pk))
    assert (made.number, made.state) == (1, "trying")
    for state in (VersionState.TRYING, VersionState.FAILED):
        tried(made, state)
        with pytest.raises(TemplateStateError):
            templating.approve("balance", 1, by=quick.by["business"])
    tried(made)
    assert templating.approve("balance", 1, by=quick.by["business"]).state == "approved"
    assert templating.find("balance", tenant="demo").active == made
    event = logged("template.activated")[0]
    assert (event["template"], event["version"], event["sha256"]) == ("balance", 1, made.sha256)


def test_nobody_approves_what_they_wrote(document: dict[str, Any], quick: Any) -> None:
    made = tried(templating.draft("balance", document, by=quick.by["business"]))

    with pytest.raises(RoleError):
        templating.approve("balance", 1, by=quick.by["business"])
    with pytest.raises(DatabaseError), transaction.atomic():
        TemplateVersion.objects.filter(pk=made.pk).update(approver=made.author)
    assert templating.approve("balance", 1, by=quick.by["legal"])


@pytest.mark.parametrize("role", ["requester", "expert", "auditor"])
def test_who_may_not(role: str, document: dict[str, Any], quick: Any) -> None:
    used(document, quick)

    for change in (
        lambda: templating.draft("other", document, by=quick.by[role]),
        lambda: templating.approve("balance", 1, by=quick.by[role]),
        lambda: templating.roll_back("balance", 1, by=quick.by[role]),
    ):
        with pytest.raises(RoleError):
            change()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("Balance", {}),
        ("../x", {}),
        ("balance", {"surprise": 1}),
        ("balance", {"background": "f" * 64}),
        ("balance", {"logo": "f" * 64}),
    ],
)
def test_a_template_that_is_none_is_refused(
    name: str, changes: dict[str, Any], document: dict[str, Any], quick: Any
) -> None:
    with pytest.raises(TemplateInvalidError):
        templating.draft(name, {**document, **changes}, by=quick.by["operator"])

    assert not TemplateVersion.objects.exists()


def test_a_version_never_changes(document: dict[str, Any], quick: Any) -> None:
    made = used(document, quick)

    for change in ({"document": {}}, {"sha256": "0" * 64}, {"number": 9}, {"author": "usr_x"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            TemplateVersion.objects.filter(pk=made.pk).update(**change)
    assert templating.draft("balance", document, by=quick.by["operator"]).number == 1
    assert templating.draft("balance", {**document, "title": "x"}, by=quick.by["operator"]).number == 2


def test_a_step_back_moves_the_pointer_and_is_logged(document: dict[str, Any], quick: Any) -> None:
    used(document, quick)
    used({**document, "title": "第二版 {{name}}"}, quick)

    assert templating.roll_back("balance", 1, by=quick.by["operator"]).number == 1

    event = logged("template.rolled_back")[0]
    assert (event["version"], event["previous"]) == (1, 2)
    with pytest.raises(TemplateStateError):
        templating.roll_back("balance", 1, by=quick.by["operator"])
    with pytest.raises(NotFoundError):
        templating.roll_back("balance", 3, by=quick.by["operator"])


def test_another_tenants_template_does_not_exist(document: dict[str, Any], quick: Any, person: Any) -> None:
    used(document, quick)
    other = person("operator", "business", tenant="other").actor

    with pytest.raises(NotFoundError):
        templating.roll_back("balance", 1, by=other)
    with pytest.raises(NotFoundError):
        templating.pin(TemplateUse("balance"), tenant="other")
    with pytest.raises(TemplateInvalidError):  # nor does its picture
        templating.draft("theirs", document, by=other)


# ---- use


def test_a_presentation_pins_version_and_hash(
    document: dict[str, Any], quick: Any, request_: PresentRequest
) -> None:
    made = used(document, quick)
    row = ask(request_, quick)
    used({**document, "title": "新 {{name}}"}, quick)

    pinned = Presentation.objects.get(pk=row.pk).scene["template"]
    assert (pinned["version"], pinned["sha256"], pinned["problem"]) == (1, made.sha256, "")
    assert row.script == "您好，王女士，余额¥1,234.56。"
    assert row.scene["format"] == "preview"
    scene = templating.scene_for(row)
    assert (scene.layout.width_px, len(scene.overlays), scene.subtitles) == (1280, 1, True)
    assert scene.background is not None
    assert ask(request_, quick).pk == row.pk  # the same request is the same video, whatever is in use now


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": "nothing"}, NotFoundError),
        ({"version": 7}, NotFoundError),
        ({"variables": (("name", "王女士"),)}, TemplateInvalidError),
        ({"variables": (("name", "王"), ("sum", "1"), ("more", "x"))}, TemplateInvalidError),
        ({"variables": (("name", "王"), ("sum", "1,5"))}, TemplateInvalidError),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    changes: dict[str, Any],
    error: type[Exception],
    document: dict[str, Any],
    quick: Any,
    request_: PresentRequest,
) -> None:
    used(document, quick)
    assert request_.template is not None

    with pytest.raises(error):
        ask(replace(request_, template=replace(request_.template, **changes)), quick)
    assert not Presentation.objects.exists()


def test_a_version_that_was_not_approved_is_not_used(
    document: dict[str, Any], quick: Any, request_: PresentRequest
) -> None:
    tried(templating.draft("balance", document, by=quick.by["operator"]))

    with pytest.raises(NotFoundError):
        ask(request_, quick)


def test_a_place_without_a_template_is_not_spoken(quick: Any, request_: PresentRequest) -> None:
    with pytest.raises(TemplateInvalidError):
        ask(replace(request_, template=None), quick)


@pytest.mark.parametrize("where", ["name", "script"])
def test_the_gate_reads_what_the_values_say(
    where: str, document: dict[str, Any], quick: Any, request_: PresentRequest
) -> None:
    if where == "name":  # in the lower third alone
        request_ = replace(request_, script="您好。")
    used(document if where == "name" else {**document, "title": ""}, quick)
    use = TemplateUse("balance", variables=(("name", "保本保息"), ("sum", "1")))

    with pytest.raises(RefusedError) as raised:
        ask(replace(request_, template=use), quick)

    assert raised.value.reasons == ("text.promise",)


# ---- a version that breaks


@pytest.fixture
def broken(quick: Any, document: dict[str, Any], picture: str) -> dict[str, Any]:
    """Version 1 is good; version 2 is in use, and its picture is lost."""
    used({**document, "background": ""}, quick)
    used(document, quick)
    blobs.store().delete(picture)
    return document


def test_the_last_good_version_is_used_and_operators_are_told(
    broken: Any, quick: Any, request_: PresentRequest, caplog: pytest.LogCaptureFixture
) -> None:
    row = ask(request_, quick)

    note = Presentation.objects.get(pk=row.pk).report["template"]
    assert (note["version"], note["wanted"], note["problem"]) == (1, 2, "picture_missing")
    event = logged("template.fell_back")[0]
    assert (event["version"], event["previous"], event["presentation"]) == (1, 2, row.id.hex)
    assert "fails its checks" in caplog.text
    assert templating.scene_for(row).background is None


def test_a_version_that_was_asked_for_by_number_is_not_replaced(
    broken: Any, quick: Any, request_: PresentRequest
) -> None:
    assert request_.template is not None

    with pytest.raises(TemplateUnusableError):
        ask(replace(request_, template=replace(request_.template, version=2)), quick)
    with pytest.raises(TemplateStateError):
        templating.roll_back("balance", 2, by=quick.by["operator"])


def test_a_picture_lost_between_request_and_work_falls_back_too(
    quick: Any, document: dict[str, Any], picture: str, request_: PresentRequest
) -> None:
    used({**document, "background": ""}, quick)
    used(document, quick)
    row = ask(request_, quick)
    blobs.store().delete(picture)

    assert templating.scene_for(row).background is None
    row.refresh_from_db()
    assert (row.scene["template"]["version"], row.report["template"]["problem"]) == (1, "picture_missing")


def test_a_version_asked_for_by_number_is_not_replaced_by_the_worker_either(
    quick: Any, document: dict[str, Any], picture: str, request_: PresentRequest
) -> None:
    used({**document, "background": ""}, quick)
    used(document, quick)
    assert request_.template is not None
    row = ask(replace(request_, template=replace(request_.template, version=2)), quick)
    blobs.store().delete(picture)

    with pytest.raises(TemplateUnusableError):
        templating.scene_for(row)


def test_without_a_good_version_nothing_is_made(
    quick: Any, document: dict[str, Any], picture: str, request_: PresentRequest
) -> None:
    used(document, quick)
    blobs.store().delete(picture)

    with pytest.raises(TemplateUnusableError):
        ask(request_, quick)


def test_an_altered_version_is_not_used(
    document: dict[str, Any], quick: Any, request_: PresentRequest
) -> None:
    made = used(document, quick)
    with connections["owner"].cursor() as cursor:  # who may switch the trigger off can alter the row
        cursor.execute("ALTER TABLE generation_templateversion DISABLE TRIGGER USER")
        cursor.execute(
            'UPDATE generation_templateversion SET document = document || \'{"title": "x"}\' WHERE id = %s',
            [made.pk],
        )
        cursor.execute("ALTER TABLE generation_templateversion ENABLE TRIGGER USER")

    with pytest.raises(TemplateUnusableError):
        ask(request_, quick)


# ---- trials


def test_a_trial_that_was_lost_is_sent_again(document: dict[str, Any], quick: Any, sent: list[Any]) -> None:
    made = templating.draft("balance", document, by=quick.by["operator"])
    sent.clear()

    assert templating.send_overdue() == 0
    TemplateVersion.objects.update(touched=timezone.now() - timedelta(seconds=700))
    assert templating.send_overdue() == 1
    assert sent == [("try_template", str(made.pk))]


def test_a_trial_that_cannot_be_made_fails(
    document: dict[str, Any], quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise PresenterError("No engine.")

    monkeypatch.setattr(trying, "make_plate", broken)
    made = templating.draft("balance", document, by=quick.by["operator"])
    trying.try_version(made.pk)

    made.refresh_from_db()
    assert (made.state, made.trial["code"]) == ("failed", "presenter.error")


@needs_espeak
@pytest.mark.weights
@pytest.mark.slow
def test_two_seconds_of_a_look_are_made_and_measured(studio: Any, hopper: bytes) -> None:
    assert hopper
    document = {
        "format": "preview",
        "title": "{{name}}",
        "line": "手机银行",
        "logo": "{{mark}}",
        "variables": {"name": "text", "mark": "image"},
    }
    made = templating.draft("plain", document, by=studio.by["operator"])

    trying.try_version(made.pk)

    made.refresh_from_db()
    assert (made.state, made.trial["code"]) == ("ready", ""), made.trial
    assert 1.5 <= made.trial["sync"]["frames"] / 25 <= 4
    assert made.trial["sync"]["closures"] == made.trial["sync"]["closures_held"] >= 3
    assert templating.approve("plain", 1, by=studio.by["legal"]).state == "approved"


def test_a_worker_draws_what_the_template_says(
    document: dict[str, Any], quick: Any, request_: PresentRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    class EnoughError(Exception):
        code, hint = "enough", ""

    def parts_of(scene: Any, *_: Any, **__: Any) -> None:
        seen["scene"] = scene
        raise EnoughError

    used({**document, "background": ""}, quick)
    monkeypatch.setattr(performing, "_person", lambda *_: nullcontext((None, None)))
    monkeypatch.setattr(speaking, "engine_for", lambda *_: ToneEngine())
    monkeypatch.setattr(staging, "parts_of", parts_of)
    row = ask(request_, quick)
    performing.perform(row.pk)

    scene = seen["scene"]
    assert (scene.layout.width_px, scene.subtitles, len(scene.overlays)) == (1280, True, 1)
    assert selectors.presentation("one", tenant="demo").code == "enough"


def test_a_stranger_on_a_template_s_picture_stops_the_work(
    document: dict[str, Any], quick: Any, request_: PresentRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(document, quick)  # noise is somebody, where people are colours
    monkeypatch.setattr(speaking, "engine_for", lambda *_: pytest.fail("somebody spoke"))
    row = ask(request_, quick)

    performing.perform(row.pk)

    row.refresh_from_db()
    assert (row.state, row.code) == ("rejected", "performer.no_release")
