from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from generation import hooks
from generation.models import Delivery, Hook
from likeness.cli import hooks as cli
from likeness.cli.output import Printer
from tests.generation import fakes
from tests.generation.receiver import Receiver, receiving
from tests.generation.test_api import client_of

URL = "/api/v1/hooks/"
SPRING = "/api/v1/presentations/spring/variants"


@pytest.fixture
def receiver(tmp_path: Path, settings: Any) -> Iterator[Receiver]:
    with receiving(tmp_path) as server:
        settings.LIKENESS_HOOK_HOSTS = [f"127.0.0.1:{server.port}", "bank.example"]
        settings.LIKENESS_HOOK_ROOTS = str(server.roots)
        yield server


@pytest.fixture
def clients(home: Path, db: None, people: dict[str, Any]) -> dict[str, APIClient]:
    return {role: client_of(user) for role, user in people.items()}


def test_a_hook_is_registered_shown_tested_and_removed(
    clients: dict[str, APIClient], receiver: Receiver
) -> None:
    operator = clients["operator"]
    answer = operator.post(URL, {"url": receiver.url()}, format="json")

    made = answer.json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert made["secret"].startswith("lkh_")
    assert "secret" not in clients["auditor"].get(URL).json()[0]
    pinged = operator.post(f"{URL}{made['id']}/test")
    assert (pinged.status_code, pinged.json()["state"]) == (202, "waiting")
    hooks.deliver(Delivery.objects.get().pk)
    page = operator.get(f"{URL}deliveries?state=delivered").json()
    assert [(row["event"], row["status"]) for row in page["results"]] == [("ping", 204)]
    assert operator.delete(f"{URL}{made['id']}/").json()["active"] is False
    assert operator.post(f"{URL}{made['id']}/test").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://bank.example/"}, 400, "callback_refused"),
        ({"url": "https://10.0.0.1/"}, 400, "callback_refused"),
        ({"url": ""}, 400, "invalid"),
        ({}, 400, "invalid"),
        ({"url": "https://bank.example/", "secret": "mine"}, 400, "unknown_field"),
    ],
)
def test_a_bad_hook_is_named(
    body: dict[str, Any], status: int, code: str, clients: dict[str, APIClient], receiver: Receiver
) -> None:
    answer = clients["operator"].post(URL, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_who_may_not(clients: dict[str, APIClient], receiver: Receiver) -> None:
    assert clients["requester"].post(URL, {"url": "https://bank.example/"}).status_code == 403
    assert clients["requester"].get(URL).status_code == 403
    assert clients["legal"].get(f"{URL}deliveries").status_code == 403
    assert clients["operator"].get(f"{URL}deliveries?state=lost").status_code == 404
    assert APIClient().get(URL).status_code in (401, 403)


def test_another_tenants_hook_does_not_exist(
    clients: dict[str, APIClient], receiver: Receiver, person: Any
) -> None:
    made = clients["operator"].post(URL, {"url": receiver.url()}, format="json").json()
    stranger = client_of(person("operator", tenant="other"))

    assert stranger.delete(f"{URL}{made['id']}/").status_code == 404
    assert stranger.post(f"{URL}{made['id']}/test").status_code == 404
    assert stranger.get(URL).json() == []


# ---- the command line


def run(verb: Any, **given: Any) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    with redirect_stdout(out):
        result = verb(argparse.Namespace(account="", **given), Printer(as_json=True))
        Printer(as_json=True).result(result)
    return int(result.exit), json.loads(out.getvalue())


def test_the_command_line_does_the_same(
    clients: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "open_platform", lambda: None)
    _, added = run(cli.add, url=receiver.url())

    assert added["secret"] == hooks.secret_of(Hook.objects.get().pk)
    assert run(cli.ping, hook=added["hook"])[0] == 0
    receiver.answers = [410]
    assert run(cli.ping, hook=added["hook"])[0] == 1
    shown = run(cli.show)[1]
    assert [row["status"] for row in shown["dead"]] == [410]
    assert run(cli.remove, hook=added["hook"])[1]["active"] is False


# ---- variants and callbacks over REST


@pytest.fixture
def asking(quick: Any, receiver: Receiver) -> tuple[APIClient, dict[str, Any]]:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    body = {
        "identities": [teller.identity_id],
        "scripts": [{"language": "zh", "script": "您好。"}, {"language": "en", "script": "Hello."}],
        "performer": performer.identity_id,
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "format": "preview",
    }
    return client_of(quick.people["requester"]), body


def test_variants_are_asked_for_seen_and_stopped(asking: Any) -> None:
    client, body = asking
    answer = client.put(SPRING, body, format="json")

    found = client.get(SPRING).json()
    assert (answer.status_code, answer.headers["Location"]) == (202, SPRING)
    assert answer.json() == found
    assert (found["state"], found["counts"]) == ("running", {"queued": 1, "rejected": 1})
    assert [cell["reasons"] for cell in found["cells"]] == [
        [],
        ["scope.language", "performer.no_release"],
    ]
    assert client.get(f"/api/v1/presentations/{found['cells'][0]['presentation']}/").status_code == 200
    assert client.delete(SPRING).json()["state"] == "failed"
    assert client.delete(SPRING).status_code == 409


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"identities": []}, 400, "invalid"),
        ({"identities": ["a", "a"]}, 400, "presentation_invalid"),
        ({"scripts": []}, 400, "invalid"),
        ({"scripts": "您好。"}, 400, "invalid"),
        ({"scripts": [{"language": "zh", "script": "您好。", "speed": 2}]}, 400, "unknown_field"),
        ({"scripts": [{"language": "../x", "script": "您好。"}]}, 400, "invalid"),
        ({"language": "zh"}, 400, "unknown_field"),
        ({"callback": {"url": "https://bank.example/"}}, 400, "invalid"),
        ({"callback": {"url": "https://bank.example/", "secret_ref": "x"}}, 400, "callback_refused"),
        (
            {"callback": {"url": "https://b.example/", "secret_ref": "x", "method": "GET"}},
            400,
            "unknown_field",
        ),
    ],
)
def test_bad_variants_are_named(changes: dict[str, Any], status: int, code: str, asking: Any) -> None:
    client, body = asking
    answer = client.put(SPRING, {**body, **changes}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()
    assert client.get(SPRING).status_code == 404


def test_too_many_in_flight_are_told_when_to_come_again(asking: Any, settings: Any) -> None:
    settings.LIKENESS_PRESENTATIONS_OPEN = 1
    client, body = asking
    answer = client.put(SPRING, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (429, "quota.presentations")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_presentation_names_its_callback(asking: Any, receiver: Receiver, quick: Any) -> None:
    client, body = asking
    hook = hooks.add(receiver.url(), by=quick.by["operator"]).hook
    said = {"script": "您好。", "identity": body["identities"][0]}
    plain = {name: value for name, value in body.items() if name not in ("identities", "scripts")} | said
    wanted = plain | {"callback": {"url": receiver.url("/mine"), "secret_ref": str(hook.pk)}}

    address = "/api/v1/presentations/one/"
    assert client.put(address, wanted, format="json").status_code == 202
    assert client.put(address, wanted, format="json").status_code == 202
    client.delete(address)

    told = [json.loads(row.body) for row in Delivery.objects.filter(event="presentation.cancelled")]
    assert [each["presentation"] for each in told] == ["one", "one"]
    assert {row.url for row in Delivery.objects.all()} == {receiver.url(), receiver.url("/mine")}
    bad = plain | {"callback": {"url": "https://elsewhere.example/", "secret_ref": str(hook.pk)}}
    answer = client.put("/api/v1/presentations/two/", bad, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "callback_refused")
