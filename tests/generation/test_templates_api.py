from __future__ import annotations

import argparse
import io
import json
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from generation.models import TemplateVersion
from likeness.cli import templates as cli
from likeness.cli.output import Printer
from tests.generation import fakes
from tests.generation.test_api import client_of

URL = "/api/v1/templates/balance/"
SCENE = {"format": "preview", "title": "{{name}}", "variables": {"name": "text"}}


@pytest.fixture
def clients(home: Path, db: None, people: dict[str, Any]) -> dict[str, APIClient]:
    return {role: client_of(user) for role, user in people.items()}


def test_a_template_is_written_approved_and_put_back(clients: dict[str, APIClient]) -> None:
    operator, legal = clients["operator"], clients["legal"]
    made = operator.post(URL, {"scene": SCENE}, format="json")
    assert (made.status_code, made.json()["state"]) == (202, "trying")
    assert legal.post(f"{URL}1/approve").json()["code"] == "template_state"
    TemplateVersion.objects.update(state="ready")
    assert legal.post(f"{URL}1/approve").json()["state"] == "approved"
    operator.post(URL, {"scene": {**SCENE, "line": "x"}}, format="json")
    TemplateVersion.objects.filter(number=2).update(state="ready")
    assert legal.post(f"{URL}2/approve").status_code == 200

    found = operator.get(URL).json()
    assert (found["active"], [each["number"] for each in found["versions"]]) == (2, [1, 2])
    assert operator.post(f"{URL}rollback", {"version": 1}, format="json").json()["number"] == 1
    assert operator.get("/api/v1/templates/").json()[0]["active"] == 1
    assert operator.post(f"{URL}rollback", {"version": 1}, format="json").status_code == 409


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid"),
        ({"scene": "landscape"}, "invalid"),
        ({"scene": {"format": "cinema"}}, "template_invalid"),
        ({"scene": {"surprise": 1}}, "template_invalid"),
        ({"scene": {}, "approve": True}, "unknown_field"),
    ],
)
def test_a_bad_template_is_named(body: dict[str, Any], code: str, clients: dict[str, APIClient]) -> None:
    answer = clients["operator"].post(URL, body, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert answer.json()["fields"]


def test_a_presentation_names_its_template(quick: Any) -> None:
    teller = quick.enrol(fakes.portrait(fakes.RED), operations=["face_swap", "lip_sync"])
    performer = quick.enrol(fakes.portrait(fakes.GREEN), kind="performer")
    client_of(quick.people["operator"]).post(URL, {"scene": SCENE}, format="json")
    TemplateVersion.objects.update(state="ready")
    client_of(quick.people["legal"]).post(f"{URL}1/approve")
    client = client_of(quick.people["requester"])
    body = {
        "identity": teller.identity_id,
        "performer": performer.identity_id,
        "script": "您好，{{name}}。",
        "purpose": "product_explainer",
        "channel": "branch_screen",
        "template": {"name": "balance", "variables": {"name": "王女士"}},
    }

    assert client.put("/api/v1/presentations/one/", body, format="json").status_code == 202
    found = client.get("/api/v1/presentations/one/").json()["template"]
    assert (found["name"], found["version"], len(found["sha256"])) == ("balance", 1, 64)
    for changes, code in (
        ({"variables": {}}, "template_invalid"),
        ({"variables": {"name": ["x"]}}, "invalid"),
        ({"look": "x"}, "unknown_field"),
        ({"name": "nothing"}, "not_found"),
    ):
        wanted = {**body, "template": {**body["template"], **changes}}
        answer = client.put("/api/v1/presentations/two/", wanted, format="json")
        assert answer.json()["code"] == code, answer.json()


def run(verb: Any, **given: Any) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    with redirect_stdout(out):
        printer = Printer(as_json=True)
        result = verb(argparse.Namespace(account="", **given), printer)
        printer.result(result)
    return int(result.exit), json.loads(out.getvalue())


def test_the_command_line_does_the_same(
    clients: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(_: float) -> None:
        TemplateVersion.objects.filter(state="trying").update(state="ready")

    monkeypatch.setattr(cli, "open_platform", lambda: None)
    monkeypatch.setattr(cli, "working", lambda _: nullcontext())
    monkeypatch.setattr(cli.time, "sleep", tried)
    file = tmp_path / "scene.json"
    file.write_text(json.dumps(SCENE))

    assert run(cli.add, name="balance", scene=file)[1]["state"] == "ready"
    assert run(cli.approve, name="balance", version=1)[1]["state"] == "approved"
    assert run(cli.show)[1]["templates"][0]["active"] == 1
    for text in ("{", "[]"):
        file.write_text(text)
        with pytest.raises(cli.SceneFileError):
            run(cli.add, name="balance", scene=file)
