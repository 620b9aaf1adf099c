"""Unlabelled copies over REST and from the command line."""

from __future__ import annotations

import json
import uuid
from contextlib import nullcontext
from typing import Any

import pytest
from rest_framework.test import APIClient

from generation.models import Export
from likeness.accounts.services import create_api_key
from likeness.cli import exports as command
from likeness.cli import generate
from likeness.cli.main import main
from tests.generation.conftest import Studio
from tests.generation.finished import finished

BODY = {"recipient": "示范证券", "agreement": "AGR-2026-1", "purpose": "行业评审", "declared": True}


@pytest.fixture
def clients(silent: Studio, settings: Any) -> dict[str, APIClient]:
    settings.LIKENESS_STATUTORY_EXPORT = "on"
    made = {}
    for role, user in silent.people.items():
        made[role] = APIClient(raise_request_exception=False)
        made[role].credentials(HTTP_AUTHORIZATION="Bearer " + create_api_key(user=user, label="test"))
    return made


def test_a_copy_is_asked_for_and_decided_over_rest(
    clients: dict[str, APIClient], silent: Studio, green_clip: bytes, settings: Any
) -> None:
    job = finished(silent, green_clip)
    where = f"/api/v1/jobs/{job.pk}/exports"
    for changes, status in (
        ({"agreement": ""}, 400),
        ({"agreement": "协议"}, 400),
        ({"declared": False}, 400),
    ):
        assert clients["legal"].post(where, {**BODY, **changes}).status_code == status
    assert clients["legal"].post(where, {**BODY, "extra": 1}).json()["code"] == "unknown_field"
    assert clients["business"].post(where, BODY).status_code == 403
    missing = clients["legal"].post(f"/api/v1/jobs/{uuid.uuid4()}/exports", BODY)
    assert missing.status_code == 404

    asked = clients["legal"].post(where, BODY)
    assert (asked.status_code, asked.json()["recipient"]) == (201, "示范证券")
    assert clients["legal"].post(where, BODY).status_code == 409
    one = f"/api/v1/exports/{asked.json()['id']}/"
    assert clients["requester"].get(one).status_code == 403
    assert clients["auditor"].get(one).json()["purpose"] == "行业评审"
    (listed,) = clients["business"].get("/api/v1/exports/").json()["results"]
    assert (listed["state"], "recipient" in listed) == ("requested", False)

    assert clients["legal"].post(f"{one}approve").status_code == 403
    agreed = clients["business"].post(f"{one}approve")
    assert (agreed.json()["state"], agreed.json()["outcome"]) == ("approved", "admitting")
    assert clients["business"].post(f"{one}reject").status_code == 409
    assert clients["legal"].post(f"{one}erase").status_code == 409
    shown = clients["requester"].get(f"/api/v1/jobs/{agreed.json()['copy']}/").json()
    assert shown["derived_from"] == str(job.pk)

    settings.LIKENESS_STATUTORY_EXPORT = "off"
    off = clients["legal"].post(where, BODY)
    assert (off.status_code, off.json()["code"]) == (422, "export.off")


def test_a_job_over_rest_says_how_it_is_labelled(
    clients: dict[str, APIClient], silent: Studio, green_clip: bytes
) -> None:
    job = finished(silent, green_clip)
    shown = clients["requester"].get(f"/api/v1/jobs/{job.pk}/").json()
    assert (shown["labelling"]["profile"], shown["labelling"]["marks"]) == (
        "cn/1",
        ["visible", "invisible", "aigc", "c2pa"],
    )


def test_the_command_asks_lists_and_decides(
    silent: Studio,
    green_clip: bytes,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "open_platform", lambda: None)
    monkeypatch.setattr(command, "working", lambda _printer: nullcontext())
    monkeypatch.setattr(generate, "wait", lambda key, **_: Export.objects.get(copy_id=key).copy)

    def say(*words: str) -> tuple[int, dict[str, Any]]:
        status = main([*words, "--json"])
        return status, json.loads(capsys.readouterr().out)

    job = finished(silent, green_clip)
    order = [
        "export-unlabelled",
        str(job.pk),
        "--recipient",
        "示范证券",
        "--agreement",
        "AGR-1",
        "--purpose",
        "x",
    ]
    assert say(*order, "--declared")[1]["code"] == "export.off"
    settings.LIKENESS_STATUTORY_EXPORT = "on"
    assert say(*order)[1]["code"] == "export.invalid"
    status, asked = say(*order, "--declared")
    assert (status, asked["state"]) == (0, "requested")
    assert say("exports")[1]["exports"] == [asked]
    assert say("exports", asked["export"])[1]["agreement"] == "AGR-1"
    status, agreed = say("exports", asked["export"], "--approve")
    assert (status, agreed["state"], agreed["copy_state"]) == (0, "approved", "admitting")
    assert say("exports", asked["export"], "--decline")[1]["code"] == "export.state"
    assert say("exports", asked["export"], "--erase")[1]["code"] == "export.state"
    assert say("exports", asked["export"], "--out", "/tmp/none.mp4")[1]["code"] == "job_finished"
