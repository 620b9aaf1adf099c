from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from django.core.files.storage import storages
from django.db import transaction
from django.urls import reverse
from rest_framework.test import APIClient

from audit import selectors, services, verify
from audit.events import GenerationFinished, LabelApplied
from audit.leaf import KeyKind
from consent import erasure
from generation.errors import NotFoundError
from generation.models import Job, JobConsent, JobState
from likeness import provenance_evidence
from likeness.accounts import services as accounts
from likeness.cli.main import main
from likeness.errors import ReportError, RoleError
from likeness.portal import report as content
from likeness.report import drawn, pdf
from likeness.report.pdf import Document, Fact, Section
from tests.likeness.conftest import JOB, MARK
from tests.likeness.portal.conftest import make_job

CREDENTIAL = b"a content credential"
MANIFEST = hashlib.sha256(CREDENTIAL).hexdigest()


def jpeg(shade):
    return cv2.imencode(".jpg", np.full((36, 64, 3), shade, np.uint8))[1].tobytes()


def put(data):
    return storages["blobs"].put(io.BytesIO(data))


@pytest.fixture
def case(story, people, tmp_path):
    """A delivered job with its pictures and its credential, all logged."""
    output = put(b"the film")
    job = make_job(story.by)(
        "done",
        identity=story.person,
        consent=story.licence,
        id=uuid.UUID(JOB),
        output_sha256=output,
        output_bytes=8,
        poster_sha256=put(jpeg(90)),
        before_sha256=put(jpeg(160)),
        manifest_sha256=put(CREDENTIAL),
    )
    JobConsent.objects.create(job=job, consent_id=story.licence.id, role="source")
    with transaction.atomic():
        services.append(
            GenerationFinished(job=JOB, output=output, bytes=8, mime="video/mp4"), actor=job_by(story)
        )
        label = LabelApplied(job=JOB, label="1", mark=MARK, manifest=MANIFEST)
        last = services.append(label, actor=job_by(story))
    selectors.receipt(last, timeout_s=10)
    auditor = story.by["auditor"]

    def make(**changes):
        out = tmp_path / "bundle.zip"
        asked = {"job_id": JOB, "by": auditor, "reports": content.reports, **changes}
        entries = provenance_evidence.write_evidence(out, **asked)
        return out, entries

    return SimpleNamespace(make=make, job=job, story=story, auditor=auditor)


def job_by(story):
    return story.by["requester"]


def test_the_bundle_holds_entries_credential_and_reports_and_verifies(case):
    out, entries = case.make()
    names = set(zipfile.ZipFile(out).namelist())
    assert {
        f"manifests/{JOB}.c2pa",
        "report.en.pdf",
        "report.zh-Hans.pdf",
        "checkpoint",
        "verify.py",
    } <= names
    assert [entry.type for entry in entries][:3] == ["identity.enrolled", "consent.submitted", "gate.decided"]
    report = verify.verify(str(out), vkey=str(selectors.log_key()))
    assert (report["result"], len(report["entries"])) == ("verified", len(entries))
    assert [item["code"] for item in report["proven"]] == ["entries", "manifests", "disclosures"]


def disclosed(out):
    return [name for name in zipfile.ZipFile(out).namelist() if name.endswith(".disclosure.json")]


def test_details_are_told_until_the_person_is_erased_and_the_proofs_stay(case, settings):
    out, entries = case.make()
    submitted = next(entry for entry in entries if entry.type == "consent.submitted")
    assert disclosed(out) == [f"entries/{submitted.index:09d}.disclosure.json"]
    report = verify.verify(str(out), vkey=str(selectors.log_key()))
    (told,) = [json.loads(finding["disclosed"]) for finding in report["entries"] if "disclosed" in finding]
    assert told["name"] == "王五"
    pinned = selectors.checkpoint().note

    settings.LIKENESS_ERASURE_HANDLERS = []
    erasure.erase(case.story.person.id, by=case.story.by["legal"])
    with transaction.atomic():
        last = services.append(LabelApplied(job="0" * 32, label="1"), actor=case.auditor)
    selectors.receipt(last, timeout_s=10)

    out, again = case.make(pinned=pinned)
    assert disclosed(out) == []
    assert [entry.body for entry in again][: len(entries)] == [entry.body for entry in entries]
    assert "subject.erased" in [entry.type for entry in again]
    assert b"\xe7\x8e\x8b\xe4\xba\x94" not in b"".join(entry.body for entry in again)
    report = verify.verify(str(out), vkey=str(selectors.log_key()), pinned=pinned)
    assert (report["result"], len(report["entries"])) == ("verified", len(again))


def test_how_many_details_were_told_is_logged(case):
    case.make()
    with transaction.atomic():
        marker = services.append(LabelApplied(job="0" * 32, label="1"), actor=case.auditor)
    event = selectors.entry(selectors.receipt(marker, timeout_s=10).index - 1).event
    assert (event["type"], event["disclosures"]) == ("audit.disclosed", 1)


def test_growth_from_the_receivers_checkpoint_is_in_it(case):
    pinned = selectors.checkpoint().note
    with transaction.atomic():
        last = services.append(LabelApplied(job="0" * 32, label="1"), actor=case.auditor)
    selectors.receipt(last, timeout_s=10)
    out, _entries = case.make(pinned=pinned)
    assert verify.verify(str(out), vkey=str(selectors.log_key()), pinned=pinned)["pinned"]


def test_that_it_was_taken_is_logged(case):
    out, entries = case.make()
    with transaction.atomic():
        marker = services.append(LabelApplied(job="0" * 32, label="1"), actor=case.auditor)
    event = selectors.entry(selectors.receipt(marker, timeout_s=10).index - 1).event
    assert event["type"] == "audit.disclosed"
    assert event["bundle"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert (event["entries"], event["job"]) == (len(entries), JOB)


def test_another_job_of_the_same_licence_is_not_in_it(case):
    with transaction.atomic():
        other = LabelApplied(job="0" * 32, label="1")
        services.append(other, actor=case.auditor)
    _out, entries = case.make()
    assert {entry.event.get("job", JOB) for entry in entries} == {JOB}


def test_only_an_auditor_of_the_tenant_takes_it(case, person):
    with pytest.raises(RoleError):
        case.make(by=case.story.by["legal"])
    with pytest.raises(NotFoundError):
        case.make(by=person("auditor", tenant="other").actor)


def test_a_withdrawn_job_shows_no_pictures_and_keeps_its_proofs(case):
    Job.objects.filter(pk=case.job.pk).update(state=JobState.WITHDRAWN)
    case.job.refresh_from_db()
    out, entries = case.make()
    assert content._pictures(case.job) == []
    assert verify.verify(str(out))["result"] == "verified"
    assert len(selectors.entries(KeyKind.JOB, JOB)) <= len(entries)


def test_rest_gives_it_as_a_file(case, people):
    client = APIClient()
    key = accounts.create_api_key(user=people["auditor"], label="test")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    where = reverse("api-job-evidence", args=[case.job.pk])
    plain, grown = client.get(where), client.post(where, {"pinned": selectors.checkpoint().note})
    for answer in (plain, grown):
        assert answer["Content-Type"] == "application/zip"
        assert zipfile.ZipFile(io.BytesIO(answer.content)).testzip() is None
    assert client.post(where, {"pinned": "nonsense"}).status_code == 422


@pytest.fixture
def command(case, monkeypatch, capsys):
    monkeypatch.setattr("likeness.cli.provenance.open_platform", lambda: None)
    monkeypatch.setattr("likeness.stack.is_running", bool)

    def run(*words):
        code = main([*map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_the_command_takes_evidence_and_verifies_it(command, tmp_path):
    pinned, key, out = tmp_path / "pinned", tmp_path / "vkey", tmp_path / "b.zip"
    pinned.write_text(selectors.checkpoint().note)
    key.write_text(f"{selectors.log_key()}\n")
    assert command("evidence", JOB, out, "--pinned", pinned)[0] == 0
    code, report = command("verify", out, "--vkey", key, "--pinned", pinned)
    assert (code, report["result"], report["key"]) == (0, "verified", "given")
    policy = tmp_path / "policy"
    policy.write_text(f"log {selectors.log_key()}\nquorum none\n")
    media = tmp_path / "media"
    media.mkdir()
    (media / "film.mp4").write_bytes(b"the film")
    code, report = command("verify", out, "--policy", policy, "--media", media)
    assert {"code": "media", "names": "film.mp4"} in report["proven"]


def test_the_command_refuses_what_it_cannot_read(command, tmp_path):
    empty, out = tmp_path / "empty", tmp_path / "b.zip"
    empty.write_text(" ")
    for option in ("--vkey", "--policy", "--pinned"):
        for file in (empty, tmp_path / "missing"):
            assert command("verify", out, option, file) == (1, ANY_REFUSAL)
    code, report = command("verify", out)
    assert (code, report["result"]) == (1, "refused")


class _Refusal:
    def __eq__(self, other):
        return other["code"] == "request.invalid"


ANY_REFUSAL = _Refusal()


# ---- the report


@pytest.fixture(params=["", "a font of this machine"])
def font(request, monkeypatch):
    """Chinese from drawn pictures, and from the machine's font where it has one."""
    if not request.param:
        monkeypatch.setattr(pdf, "chinese_font", str)
    elif not pdf.chinese_font():
        pytest.skip("no Chinese font is installed here")
    return request.param


def document(**changes):
    facts = [Fact("Person", "王五"), Fact("SHA-256", "ab" * 32, exact=True)]
    plain = {"language": "en", "title": "Evidence", "subtitle": "x", "sections": [Section("The job", facts)]}
    return Document(**plain | changes)


def test_a_report_is_set_in_chinese_and_english(font):
    made = pdf.write(document(title="证据报告", language="zh-hans"))
    assert made.startswith(b"%PDF-1.7")
    assert made == pdf.write(document(title="证据报告", language="zh-hans"))


@pytest.mark.parametrize(
    "text", ["*王* #五", "#panic()", "$x$", "= Title", "\\", "@ref", "<label>", "`code`", "ﬁ"]
)
def test_no_text_is_markup(font, text):
    assert pdf.write(document(sections=[Section(text, [Fact(text, text)], sentences=[text])]))


def test_a_rare_glyph_is_drawn_when_the_font_lacks_it(font):
    assert pdf.write(document(title="\U0003134a"))


def test_a_picture_that_cannot_be_read_is_left_out(font):
    broken = pdf.write(document(pictures=[("broken", b"\xff\xd8 no picture")]))
    assert broken.startswith(b"%PDF")


def test_what_typst_refuses_is_told(monkeypatch, tmp_path):
    bad = tmp_path / "report.typ"
    bad.write_text("#panic()")
    monkeypatch.setattr(pdf, "TEMPLATE", bad)
    with pytest.raises(ReportError):
        pdf.write(document())


def test_drawn_lines_keep_every_letter_and_break_in_time():
    text = "日志只证明何人何时如此记录，且此后未被更改。See verify.py for more. " * 3
    lines = drawn.lines_of(text, ems=20)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(sum(drawn._ems(glyph) for glyph in line) <= 21 for line in lines)
    assert not [line for line in lines if line[0] in "，。"]
    assert drawn.lines_of("", ems=10) == drawn.lines_of("  ", ems=10) == []


def test_a_drawn_line_has_ink():
    picture = cv2.imdecode(np.frombuffer(drawn.picture("证据"), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture.shape[0] == drawn.LINE_PX
    assert picture[:, :, 3].max() > 200
    assert picture[:, :, :3].max() == 0
