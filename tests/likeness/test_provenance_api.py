from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from likeness import provenance, provenance_overlay
from likeness.accounts import services as accounts
from likeness.cli.main import main
from likeness.provenance import Match, Trace
from likeness.provenance_layers import Layer
from likeness.provenance_verdict import Verdict
from tests.consent import fakes
from tests.likeness.conftest import JOB
from watermark.errors import UnreadableError


@pytest.fixture
def call(story, people):
    """A client that speaks for somebody of a role."""

    def make(role="auditor"):
        client = APIClient()
        key = accounts.create_api_key(user=people[role], label="test")
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return client

    return make


@pytest.fixture
def where():
    return reverse("api-provenance-search")


def test_hits_come_with_their_proof_and_the_next_page(call, where):
    first = call().get(where, {"job": JOB, "limit": 3}).json()
    assert [hit["type"] for hit in first["hits"]] == [
        "output.downloaded",
        "label.applied",
        "generation.finished",
    ]
    assert {hit["proof"] for hit in first["hits"]} == {"verified"}
    rest = call().get(where, {"job": JOB, "limit": 3, "before": first["next"]}).json()
    assert [hit["type"] for hit in rest["hits"]] == ["gate.decided"]
    assert rest["next"] is None


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_an_export_is_a_file(call, where, kind):
    answer = call().get(where, {"job": JOB, "limit": 1, "export": kind})
    assert answer["Content-Disposition"] == f'attachment; filename="provenance.{kind}"'
    text = answer.content.decode()
    rows = json.loads(text)["hits"] if kind == "json" else list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4


def test_bad_questions_are_told_by_field(call, where):
    for asked in ({"job": "x"}, {"nonsense": "1"}, {"export": "pdf"}, {"limit": "0"}):
        answer = call().get(where, asked)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, list(asked))


def test_only_auditors_ask(call, where):
    for role in ("requester", "legal", "operator"):
        assert call(role).get(where).status_code == 403
    assert APIClient().get(where).status_code == 401


def test_a_photograph_is_asked_about(call, where, story):
    photo = SimpleUploadedFile("x.png", fakes.picture("wang", 4))
    answer = call().post(where, {"photo": photo, "event": "gate.decided"}, format="multipart").json()
    assert [person["identity"] for person in answer["people"]] == [story.person.id]
    assert [hit["job"] for hit in answer["hits"]] == [JOB]
    bad = call().post(where, {"photo": SimpleUploadedFile("x.png", b"dark")}, format="multipart")
    assert (bad.status_code, bad.json()["code"]) == (422, "portrait.refused")


@pytest.fixture
def traced(monkeypatch):
    def trace(path, *, by, budget_s=None):
        job = JOB if path.read_bytes() == b"ours" else ""
        match = Match.PRESENT if job else Match.ABSENT
        verdict = Verdict.OURS_ALTERED if job else Verdict.ABSENT
        layers = (Layer("invisible", "present", 31.9, 2.7e-12, 2.4),)
        return Trace(
            match, False, "0" * 64, job, "", "", "", "", (), None, "", "", None, {}, verdict, layers=layers
        )

    monkeypatch.setattr(provenance, "trace", trace)


@pytest.mark.parametrize(("data", "hits"), [(b"ours", 4), (b"theirs", 0)])
def test_a_file_leads_to_its_job(call, where, traced, data, hits):
    answer = call().post(where, {"file": SimpleUploadedFile("x.mp4", data)}, format="multipart").json()
    assert len(answer["hits"]) == hits
    assert answer["trace"]["match"] == ("present" if hits else "absent")


def test_a_trace_is_drawn_when_it_is_asked_for(call, traced, monkeypatch):
    monkeypatch.setattr(provenance_overlay, "draw", lambda *_args, **_more: b"a picture")
    for asked, overlay in (({}, None), ({"overlay": "true"}, "data:image/png;base64,YSBwaWN0dXJl")):
        body = {"file": SimpleUploadedFile("x.mp4", b"ours"), **asked}
        answer = call("legal").post(reverse("api-provenance"), body, format="multipart").json()
        assert (answer["verdict"], answer["match"]) == ("ours-altered", "present")
        assert answer["layers"][0]["bound"] == 2.7e-12
        assert answer.get("overlay") == overlay


@pytest.fixture
def tracing(story, people, traced, monkeypatch, capsys):
    """``likeness trace`` on the database of the test."""
    monkeypatch.setattr("likeness.cli.provenance.open_platform", lambda: None)
    monkeypatch.setattr(provenance_overlay, "draw", lambda *_args, **_more: b"a picture")

    def run(*words):
        code = main(["trace", *map(str, words)])
        return code, capsys.readouterr().out

    return run


def test_the_command_traces_and_draws(tracing, tmp_path):
    file, drawn = tmp_path / "f.mp4", tmp_path / "where.png"
    file.write_bytes(b"ours")
    code, told = tracing(file, "--overlay", drawn)
    assert code == 0
    assert "This file was generated here, and altered since." in told
    assert "invisible  present    31.90  by chance <= 2.7e-12" in told
    assert drawn.read_bytes() == b"a picture"
    assert json.loads(tracing(file, "--json")[1])["overlay"] is None


def test_the_command_exits_2_for_what_cannot_be_read(tracing, tmp_path, monkeypatch):
    def refuse(path, *, by, budget_s=None):
        raise UnreadableError("x.mp4 has no video or picture stream.")

    monkeypatch.setattr(provenance, "trace", refuse)
    code, told = tracing(tmp_path / "x.mp4", "--json")
    assert (code, json.loads(told)["code"]) == (2, "watermark.unreadable")


def test_a_file_is_asked_about_alone(call, where, traced):
    both = {"file": SimpleUploadedFile("x.mp4", b"ours"), "job": JOB}
    assert call().post(where, both, format="multipart").status_code == 400


@pytest.fixture
def command(story, people, monkeypatch, capsys):
    """The command line on the database of the test."""
    monkeypatch.setattr("likeness.cli.provenance.open_platform", lambda: None)
    monkeypatch.setattr("likeness.stack.is_running", bool)

    def run(*words):
        code = main(["find", *map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_the_command_finds_and_writes_a_table(command, tmp_path):
    code, told = command("--job", JOB, "--csv", tmp_path / "x.csv", "--limit", "1")
    assert (code, len(told["hits"])) == (0, 4)
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 5


def test_the_command_tells_a_bad_question(command):
    code, told = command("--job", "x")
    assert (code, told["code"]) == (1, "request.invalid")


def test_the_command_asks_about_photographs_and_files(command, tmp_path, traced):
    photo, file = tmp_path / "p.png", tmp_path / "f.mp4"
    photo.write_bytes(fakes.picture("wang", 4))
    file.write_bytes(b"ours")
    assert len(command("--photo", photo)[1]["hits"]) == 6
    assert len(command("--file", file)[1]["hits"]) == 4
    assert command("--file", file, "--job", JOB)[0] == 1


def test_the_command_speaks_to_people(story, command, capsys):
    assert main(["find", "--person", "王五"]) == 0
    lines = capsys.readouterr().out
    assert "王五" in lines
    assert "generation.finished    verified" in lines
    assert main(["find", "--job", "0" * 32]) == 0
    assert "Nothing was found." in capsys.readouterr().out
