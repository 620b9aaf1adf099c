"""What strangers may ask, how often, and how little they learn."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient

from likeness import provenance_check as checks
from likeness import provenance_limits as limits
from likeness.errors import TooLargeError, TooManyChecksError
from likeness.models import CheckCount
from likeness.provenance_verdict import Verdict
from tests.likeness.test_provenance import MARK, astronaut, studio
from tests.watermark import attacks

__all__ = ["astronaut", "studio"]  # fixtures
pytestmark = pytest.mark.django_db
WHERE = "/api/v1/check/"
NOW = datetime(2026, 11, 20, 12, 0, 5, tzinfo=UTC)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "BUDGET_S", 120.0)  # the machine of the tests may be busy

    def make(data):
        path = tmp_path / "asked.png"
        path.write_bytes(data)
        return checks.check(path)

    return make


def png(picture):
    import cv2

    return cv2.imencode(".png", picture)[1].tobytes()


# ---- what is told ----


def test_a_file_of_any_tenant_was_made_here_on_a_day(studio, astronaut, ask):
    studio.deliver(astronaut[::-1], tenant="first", mark_id=3)
    made = studio.deliver(astronaut, tenant="second")
    made.job.marking = {"label_text": "AI生成"}
    made.job.save()
    found = ask(png(attacks.jpeg(made.y, 70)))
    today = timezone.now().date()
    assert (found.verdict, found.made, found.label_text) == (Verdict.OURS_ALTERED, today, "AI生成")
    assert found.labels == ("visible", "invisible", "aigc", "c2pa")
    text = json.dumps(found.as_json())
    for secret in (str(made.job.id), made.job.id.hex, f"{MARK:016x}", made.job.consent_id, "second", "idn_"):
        assert secret not in text


def test_a_copied_mark_tells_no_day(studio, astronaut, ask):
    import cv2
    import numpy as np

    from watermark.reading import residual

    made = studio.deliver(astronaut)
    other = np.ascontiguousarray(cv2.GaussianBlur(astronaut[::-1], (0, 0), 3))
    found = ask(png(attacks.pasted(other, residual(made.y) - residual(astronaut), 2.0)))
    assert found == checks.Check(Verdict.CONFLICT, None, (), "")


def test_a_likeness_without_a_mark_is_not_told(studio, astronaut, ask, monkeypatch):
    studio.deliver(astronaut)
    monkeypatch.setattr(checks, "BUDGET_S", 0.5)
    found = ask(png(astronaut))
    assert found in {checks.Check(verdict, None, (), "") for verdict in (Verdict.ABSENT, Verdict.UNDECIDED)}


def test_a_mark_too_weak_to_read_is_told_like_none(studio, astronaut, tmp_path):
    from dataclasses import replace

    from likeness.provenance_look import look
    from likeness.provenance_verdict import Why

    path = tmp_path / "a.png"
    path.write_bytes(png(astronaut[:16, :16]))
    looked = look(path, tenant=None)
    assert checks.told(looked).verdict == Verdict.UNDECIDED
    weak = replace(looked, reasons=(Why.MARK_SUSPECTED,))
    assert checks.told(weak).verdict == Verdict.ABSENT


def test_the_question_is_logged_as_that_of_the_public(studio, astronaut, ask, monkeypatch):
    logged = []
    monkeypatch.setattr(checks.audit, "append", lambda event, *, actor: logged.append((event, actor)))
    ask(studio.deliver(astronaut).encoded)
    ((event, actor),) = logged
    assert (event.type, event.kinds, event.hits) == ("audit.queried", ("check",), 1)
    assert (actor.id, actor.tenant) == ("public", "system")


# ---- how often ----


def test_an_address_may_ask_six_times_a_minute():
    for _ in range(6):
        limits.admit("192.0.2.1", now=NOW)
    with pytest.raises(TooManyChecksError) as refused:
        limits.admit("192.0.2.1", now=NOW)
    assert 54 <= refused.value.wait <= 56
    limits.admit("192.0.2.2", now=NOW)
    limits.admit("192.0.2.1", now=NOW + timedelta(minutes=1))


def test_an_address_may_ask_forty_times_an_hour():
    for at in range(40):
        limits.admit("192.0.2.1", now=NOW + timedelta(minutes=at))
    with pytest.raises(TooManyChecksError):
        limits.admit("192.0.2.1", now=NOW + timedelta(minutes=41))


def test_everybody_together_is_limited_too():
    for at in range(30):
        limits.admit(f"192.0.2.{at}", now=NOW)
    with pytest.raises(TooManyChecksError, match="people"):
        limits.admit("198.51.100.1", now=NOW)


def test_no_address_is_kept_and_old_counts_go():
    limits.admit("192.0.2.1", now=NOW)
    assert not CheckCount.objects.filter(key__contains="192").exists()
    limits.admit("192.0.2.1", now=NOW + timedelta(days=1))
    assert not CheckCount.objects.filter(began__lt=NOW + timedelta(hours=1)).exists()


@pytest.mark.parametrize(
    ("proxies", "peer", "header", "address"),
    [
        (0, "192.0.2.1", "198.51.100.9", "192.0.2.1"),
        (1, "10.0.0.1", "203.0.113.5, 198.51.100.9", "198.51.100.9"),
        (2, "10.0.0.1", "203.0.113.5, 198.51.100.9, 10.0.0.2", "198.51.100.9"),
        (2, "10.0.0.1", "198.51.100.9", "198.51.100.9"),
        (1, "10.0.0.1", "", "10.0.0.1"),
        (1, "10.0.0.1", "nonsense", "unknown"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        (0, "", "", "unknown"),
    ],
)
def test_an_address_is_believed_as_far_as_our_own_proxies_go(settings, proxies, peer, header, address):
    settings.LIKENESS_PROXIES = proxies
    headers = {"HTTP_X_FORWARDED_FOR": header} if header else {}
    assert limits.address_of(RequestFactory().get("/", REMOTE_ADDR=peer, **headers)) == address


def test_two_files_are_searched_at_a_time(home):
    held, free, outcome = threading.Event(), threading.Event(), []

    def hold():
        with limits.place():
            held.set()
            free.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with limits.place():
        try:
            with limits.place():
                outcome.append("let in")
        except TooManyChecksError as error:
            outcome.append(error.wait)
    free.set()
    thread.join()
    with limits.place():
        outcome.append("free again")
    assert outcome == [limits.BUSY_S, "free again"]


@pytest.mark.parametrize("length", [str(65 << 20), "9" * 30, "-1", "many"])
def test_what_is_too_large_is_refused_by_its_header(length):
    with pytest.raises(TooLargeError):
        limits.refuse_large(RequestFactory().post("/", CONTENT_LENGTH=length))


# ---- REST ----


@pytest.fixture
def post(home, monkeypatch):
    """Ask by REST; the search itself is tested above."""
    cache.clear()
    asked = []

    def check(path):
        asked.append(path.read_bytes())
        return checks.Check(Verdict.OURS, date(2026, 11, 20), ("invisible",), "AI")

    monkeypatch.setattr(checks, "check", check)

    def make(data=b"a picture", **headers):
        file = SimpleUploadedFile("x.png", data)
        return APIClient().post(WHERE, {"file": file}, format="multipart", **headers)

    make.asked = asked
    return make


def test_anybody_is_answered(post):
    answer = post()
    assert answer.status_code == 200
    assert answer.json() == {
        "verdict": "ours",
        "made": "2026-11-20",
        "labels": ["invisible"],
        "label_text": "AI",
    }
    assert post.asked == [b"a picture"]


def test_a_seventh_question_in_a_minute_waits(post, settings):
    codes = [post().status_code for _ in range(7)]
    if codes.count(429) == 0:  # a minute began in between
        codes = [post().status_code for _ in range(7)]
    assert codes[-1] == 429
    answer = post()
    assert answer.json()["code"] == "check.too_many"
    assert 1 <= int(answer["Retry-After"]) <= 61


def test_an_operator_may_close_it(post, settings):
    settings.LIKENESS_PUBLIC_CHECK = False
    assert post().status_code == 404
    assert not post.asked


def test_a_large_upload_is_refused_unread(post):
    assert post(CONTENT_LENGTH=str(limits.MAX_BYTES * 2)).status_code == 413
    assert not CheckCount.objects.exists()


@pytest.mark.parametrize(
    "body", [{}, {"file": "text"}, {"file": SimpleUploadedFile("x", b"x"), "tenant": "a"}]
)
def test_a_malformed_question_is_refused(post, body):
    assert APIClient().post(WHERE, body, format="multipart").status_code == 400
