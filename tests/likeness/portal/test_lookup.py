from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.urls import reverse

from likeness import provenance
from tests.likeness.portal.conftest import upload
from watermark.errors import UnreadableError

pytestmark = pytest.mark.django_db
WHERE = "provenance"


def answer(**changes):
    return {
        "match": "absent",
        "exact": False,
        "sha256": "a" * 64,
        "job": None,
        "consent": None,
        "leaf": None,
        "proof": "no record",
        "marks": {"invisible": {"state": "absent"}, "aigc": {"state": "absent"}, "c2pa": {"state": "absent"}},
        **changes,
    }


@pytest.fixture
def traced(monkeypatch):
    """Let the lookup give an answer; what it was asked is kept."""
    asked = SimpleNamespace(path=None, data=b"", answer=answer())

    def trace(path: Path, *, by):
        asked.path, asked.data = path, path.read_bytes()
        return SimpleNamespace(as_json=lambda: asked.answer)

    monkeypatch.setattr(provenance, "trace", trace)
    return asked


def look(client, data=b"a picture", name="clip.mp4"):
    return client.post(reverse(WHERE), {"file": upload(data, name)})


def test_a_file_without_marks_is_not_called_genuine(sign_in, traced):
    html = look(sign_in("legal")).content.decode()
    assert "No mark of ours was found" in html
    assert "not proof that the file is genuine" in html


@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_the_file_is_read_and_not_kept(sign_in, traced, size):
    look(sign_in("legal"), b"x" * size)
    assert traced.data == b"x" * size
    assert not traced.path.exists()


def test_a_file_of_ours_leads_to_job_licence_and_people(sign_in, world, traced):
    consent = world.activate()
    job = world.job("done", identity=consent.identity, consent=consent)
    marks = {
        "invisible": {"state": "present", "id": job.mark_id},
        "aigc": {"state": "present", "produce_id": job.id.hex},
        "c2pa": {"state": "Trusted", "mark": job.mark_id},
    }
    traced.answer = answer(
        match="present", job=str(job.id), consent=consent.id, proof="verified", leaf=7, marks=marks
    )
    html = look(sign_in("legal")).content.decode()
    for words in ("This file was generated here", "王五", job.mark_id, "Verified", "Product explainer"):
        assert words in html
    assert reverse("job-detail", args=[job.id]) in html
    assert reverse("consent-detail", args=[consent.id]) in html
    assert reverse("log-entry", args=[7]) in html


def test_a_proof_that_does_not_hold_is_said(sign_in, world, traced):
    job = world.job("done")
    traced.answer = answer(match="present", job=str(job.id), proof="audit.proof: broken")
    html = look(sign_in("legal")).content.decode()
    assert "Does not hold" in html
    assert "Verified" not in html


def test_contradicting_marks_are_a_warning(sign_in, traced):
    traced.answer = answer(match="conflict", reason="The marks name different jobs.")
    assert "The marks contradict each other" in look(sign_in("legal")).content.decode()


def test_the_job_of_another_tenant_is_not_named(sign_in, world, traced):
    job = world.job("done", tenant="other")
    traced.answer = answer(match="present", job=str(job.id), proof="verified")
    assert str(job.id) not in look(sign_in("legal")).content.decode()


def test_what_is_no_media_is_told_on_the_field(sign_in, traced, monkeypatch):
    def refuse(path, *, by):
        raise UnreadableError("not media")

    monkeypatch.setattr(provenance, "trace", refuse)
    response = look(sign_in("legal"))
    assert response.status_code == 422
    assert 'class="wrong"' in response.content.decode()


@pytest.mark.parametrize("data", [{}, {"file": upload(b"")}])
def test_nothing_to_look_up_is_told(sign_in, traced, data):
    assert sign_in("legal").post(reverse(WHERE), data).status_code == 422


def test_a_files_name_is_shown_escaped(sign_in, traced):
    html = look(sign_in("legal"), name="<script>x.mp4").content.decode()
    assert "<script>x" not in html
