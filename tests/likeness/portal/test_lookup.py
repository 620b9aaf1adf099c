from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.urls import reverse
from django.utils import translation
from django.utils.html import escape as html_text

from likeness import provenance, provenance_overlay
from likeness.portal.wording import provenance as words
from likeness.provenance_verdict import Verdict, Why
from tests.likeness.portal.conftest import upload
from watermark.errors import UnreadableError

pytestmark = pytest.mark.django_db
WHERE = "provenance"


def layer(name, state, **changes):
    return {
        "name": name,
        "state": state,
        "statistic": None,
        "bound": None,
        "seconds": 0.1,
        "detail": {},
        **changes,
    }


NAMES = ("sha256", "c2pa", "aigc", "invisible", "sound", "legacy", "perceptual")


def answer(**changes):
    return {
        "verdict": "absent",
        "reasons": [],
        "match": "absent",
        "exact": False,
        "sha256": "a" * 64,
        "job": None,
        "consent": None,
        "leaf": None,
        "proof": "no record",
        "content": {"state": "not-compared", "similarity": None, "threshold": 0.7, "offset_s": None},
        "marks": {"invisible": {"state": "absent"}, "aigc": {"state": "absent"}, "c2pa": {"state": "absent"}},
        "layers": [layer(name, "absent") for name in NAMES],
        **changes,
    }


@pytest.fixture
def traced(monkeypatch):
    """Let the lookup give an answer; what it was asked is kept."""
    asked = SimpleNamespace(path=None, data=b"", answer=answer(), overlay=None)

    def trace(path: Path, *, by, budget_s=None):
        asked.path, asked.data = path, path.read_bytes()
        return SimpleNamespace(as_json=lambda: asked.answer)

    monkeypatch.setattr(provenance, "trace", trace)
    monkeypatch.setattr(provenance_overlay, "draw", lambda *_args, **_more: asked.overlay)
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
    geometry = {"scale": 0.7, "degrees": 0, "mirror": True, "quarter_turns": 0, "dy": 90, "dx": 40}
    found = {"statistic": 31.9, "bound": 2.7e-12, "detail": {"id": job.mark_id}}
    traced.answer = answer(
        verdict="ours",
        match="present",
        job=str(job.id),
        consent=consent.id,
        proof="verified",
        leaf=7,
        marks={"invisible": {"state": "present", "geometry": geometry}},
        layers=[layer("c2pa", "Trusted"), layer("invisible", "present", **found)],
        content={"state": "agrees", "similarity": 0.97, "threshold": 0.7, "offset_s": 12.0},
    )
    traced.overlay = b"a picture"
    html = look(sign_in("legal")).content.decode()
    for text in (
        "This file was generated here",
        *("王五", job.mark_id, "Verified", "Product explainer"),
        *("z = 31.90", "at most once in 10¹¹ files", "0.97", "it begins at 0:12"),
        *("data:image/png;base64,YSBwaWN0dXJl", "cut out or scaled (70 %), mirrored"),
    ):
        assert text in html
    assert reverse("job-detail", args=[job.id]) in html
    assert reverse("consent-detail", args=[consent.id]) in html
    assert reverse("log-entry", args=[7]) in html


def test_a_proof_that_does_not_hold_is_said(sign_in, world, traced):
    job = world.job("done")
    traced.answer = answer(verdict="ours", match="present", job=str(job.id), proof="audit.proof: broken")
    html = look(sign_in("legal")).content.decode()
    assert "Does not hold" in html
    assert "Verified" not in html


def test_contradicting_marks_are_a_warning(sign_in, traced):
    traced.answer = answer(verdict="conflict", match="conflict", reasons=["marks.differ"])
    html = look(sign_in("legal")).content.decode()
    assert "The marks contradict each other" in html
    assert "The marks name different outputs." in html


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_verdict_reason_and_layer_has_words(sign_in, traced, verdict, language):
    client = sign_in("legal")
    client.cookies["django_language"] = language
    traced.answer = answer(verdict=verdict.value, reasons=[why.value for why in Why])
    html = look(client).content.decode()
    with translation.override(language):
        for text in (words.VERDICTS[verdict].title, *words.REASONS.values(), *words.LAYERS.values()):
            assert html_text(str(text)) in html
    assert set(words.REASONS) == set(Why)
    assert set(words.LAYERS) == set(NAMES)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("present", "Found and read"),
        ("suspected", "Traces of one"),
        ("absent", "Not found"),
        ("not-run", "Not looked for"),
    ],
)
def test_every_state_of_a_hidden_mark_is_told(sign_in, traced, state, told):
    traced.answer = answer(layers=[layer("invisible", state)])
    assert told in look(sign_in("legal")).content.decode()


def test_an_output_that_only_looks_alike_is_a_place_to_look(sign_in, world, traced):
    job = world.job("done")
    alike = {"job": str(job.id), "second": 65, "distance": 2, "similarity": 0.981}
    traced.answer = answer(
        reasons=["looks.alike"], layers=[layer("perceptual", "alike", detail={"outputs": [alike]})]
    )
    html = look(sign_in("legal")).content.decode()
    assert reverse("job-detail", args=[job.id]) in html
    assert "at 1:05 of the output, correlation 0.98" in html
    assert "no proof" in html


def test_the_job_of_another_tenant_is_not_named(sign_in, world, traced):
    job = world.job("done", tenant="other")
    traced.answer = answer(verdict="ours", match="present", job=str(job.id), proof="verified")
    assert str(job.id) not in look(sign_in("legal")).content.decode()


def test_what_is_no_media_is_told_on_the_field(sign_in, traced, monkeypatch):
    def refuse(path, *, by, budget_s=None):
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
