from __future__ import annotations

import io
import uuid
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation

from audit import selectors
from tests.consent import fakes
from tests.likeness.conftest import JOB, story
from tests.likeness.test_provenance_evidence import case

__all__ = ["case", "story"]  # fixtures
SEARCH, VERIFY = "provenance-search", "verify"


def html(answer):
    return answer.content.decode()


def test_hits_stand_on_a_timeline_with_their_proof(story, sign_in):
    page = html(sign_in("auditor").get(reverse(SEARCH), {"person": "王五"}))
    for words in ("A likeness was enrolled", "An output was marked", "Verified", "People who are meant"):
        assert words in page
    assert 'value="王五"' in page, "the filter stays in the form"
    assert "Nothing was found" in html(sign_in("auditor").get(reverse(SEARCH), {"job": "0" * 32}))


def test_the_empty_page_asks_nothing(story, sign_in):
    before = selectors.checkpoint().size
    page = html(sign_in("auditor").get(reverse(SEARCH)))
    assert 'id="hits"' not in page
    assert selectors.checkpoint().size == before


def test_filters_are_kept_from_page_to_page_and_in_the_files(story, sign_in):
    page = html(sign_in("auditor").get(reverse(SEARCH), {"job": JOB, "limit": "2"}))
    assert f"?job={JOB}&amp;limit=2&amp;before=" in page
    assert f"?job={JOB}&amp;limit=2&amp;export=csv" in page
    table = sign_in("auditor").get(reverse(SEARCH), {"job": JOB, "export": "csv"})
    assert table["Content-Disposition"].endswith('provenance.csv"')
    assert len(table.content.decode().splitlines()) == 5


def test_bad_filters_are_told_on_their_fields(story, sign_in):
    answer = sign_in("auditor").get(reverse(SEARCH), {"job": "nonsense"})
    assert (answer.status_code, "32 hexadecimal digits" in html(answer)) == (422, True)
    assert sign_in("auditor").get(reverse(SEARCH), {"<script>": "x"}).status_code == 422


def test_a_photograph_finds_the_person(story, sign_in):
    photo = SimpleUploadedFile("x.png", fakes.picture("wang", 3))
    page = html(sign_in("auditor").post(reverse(SEARCH), {"photo": photo}))
    assert f"?person={story.person.id}" in page
    assert "the same face" in page
    bad = sign_in("auditor").post(reverse(SEARCH), {"photo": SimpleUploadedFile("x.png", b"dark")})
    assert bad.status_code == 422
    assert sign_in("auditor").post(reverse(SEARCH), {}).status_code == 422


@pytest.mark.parametrize("role", ["requester", "legal", "operator"])
def test_only_auditors_search_and_take_evidence(story, sign_in, role):
    assert sign_in(role).get(reverse(SEARCH)).status_code == 403
    assert sign_in(role).get(reverse("provenance-evidence", args=[uuid.UUID(JOB)])).status_code == 403


def test_evidence_is_taken_and_checked(case, sign_in):
    client = sign_in("auditor")
    page = html(client.get(reverse(SEARCH), {"job": JOB}))
    address = reverse("provenance-evidence", args=[uuid.UUID(JOB)])
    assert address in page
    bundle = client.get(address).content
    page = html(client.post(reverse(VERIFY), {"bundle": SimpleUploadedFile("b.zip", bundle)}))
    assert "Everything in this bundle is proven" in page
    assert "checked by the key of this platform" in page
    assert "That what was logged is true" in page
    # with what the person brings along
    files = {
        "bundle": SimpleUploadedFile("b.zip", bundle),
        "trust": SimpleUploadedFile("policy", f"log {selectors.log_key()}\nquorum none\n".encode()),
        "file": SimpleUploadedFile("../film.mp4", b"the film"),
    }
    page = html(client.post(reverse(VERIFY), files))
    assert "film.mp4: byte for byte" in page
    assert "checked by the key of this platform" not in page


def changed(bundle):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"admit"', b'"ADMIT"'))
    return out.getvalue()


def test_a_changed_bundle_does_not_hold(case, sign_in):
    client = sign_in("auditor")
    bundle = changed(client.get(reverse("provenance-evidence", args=[uuid.UUID(JOB)])).content)
    page = html(client.post(reverse(VERIFY), {"bundle": SimpleUploadedFile("b.zip", bundle)}))
    assert "This bundle does not hold" in page
    assert "the entry is not in the tree of the log" in page


def test_a_foreign_checkpoint_is_told(case, sign_in):
    client = sign_in("auditor")
    bundle = client.get(reverse("provenance-evidence", args=[uuid.UUID(JOB)])).content
    files = {"bundle": SimpleUploadedFile("b.zip", bundle), "pinned": SimpleUploadedFile("p", b"x\n")}
    assert "This bundle does not hold" in html(client.post(reverse(VERIFY), files))


@pytest.mark.parametrize("field", ["trust", "pinned"])
@pytest.mark.parametrize("data", [b" ", b"\xff\xfe", b"x" * 70_000])
def test_what_cannot_be_a_key_is_told_on_its_field(story, sign_in, field, data):
    files = {"bundle": SimpleUploadedFile("b.zip", b"x"), field: SimpleUploadedFile("k", data)}
    answer = sign_in("legal").post(reverse(VERIFY), files)
    assert (answer.status_code, "This is no such file." in html(answer)) == (422, True)


@pytest.mark.parametrize("data", [b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_bundle_does_not_hold(story, sign_in, data):
    page = html(sign_in("legal").post(reverse(VERIFY), {"bundle": SimpleUploadedFile("<b>.zip", data)}))
    assert "This bundle does not hold" in page
    assert "<b>.zip" not in page


def test_pages_speak_chinese(story, sign_in):
    client = sign_in("auditor")
    client.cookies["django_language"] = "zh-hans"
    with translation.override("en"):  # a request leaves its language behind
        assert "查询日志" in html(client.get(reverse(SEARCH), {"person": "王五"}))
        assert "核验证据" in html(client.get(reverse(VERIFY)))
