from __future__ import annotations

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from likeness import provenance_check as checks
from likeness import provenance_limits as limits
from likeness.errors import TooManyChecksError
from likeness.provenance_verdict import Verdict
from tests.likeness.portal.conftest import upload
from tests.likeness.portal.test_pages import assert_plain
from watermark.errors import UnreadableError

pytestmark = pytest.mark.django_db
OURS = checks.Check(Verdict.OURS_ALTERED, date(2026, 11, 20), ("visible", "invisible"), "AI生成")


@pytest.fixture
def answers(monkeypatch):
    """Let a check give an answer, or raise."""

    def use(found):
        def check(path):
            if isinstance(found, Exception):
                raise found
            use.path, use.data = path, path.read_bytes()
            return found

        monkeypatch.setattr(checks, "check", check)

    use(OURS)
    return use


def ask(client=None, data=b"a picture", **more):
    return (client or Client(enforce_csrf_checks=True)).post(
        reverse("check"), {"file": upload(data, "a.mp4")}, **more
    )


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_needs_no_account_and_runs_nothing_foreign(language):
    client = Client()
    client.cookies["django_language"] = language
    response = client.get(reverse("check"))
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "no-store" in response.headers["Cache-Control"]
    assert_plain(response.content.decode(), language)
    assert "sessionid" not in response.cookies


def test_an_answer_tells_day_and_labels(answers):
    html = ask().content.decode()
    for words in (
        "made here with AI, and altered since",
        "20 November 2026",
        "AI生成",
        "An invisible watermark",
    ):
        assert words in html


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_words_and_none_says_that_a_file_is_genuine(answers, verdict):
    answers(checks.Check(verdict, None, (), ""))
    html = ask().content.decode()
    assert "No answer ever means that a file was made without AI." in html
    assert "Made on" not in html
    for claim in ("is genuine", "is authentic", "not generated"):
        assert claim not in html


@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_the_file_is_not_kept(answers, size):
    ask(data=b"x" * size)
    assert answers.data == b"x" * size
    assert not answers.path.exists()


def test_who_asks_too_often_is_told_when_to_come_back(answers):
    answers(TooManyChecksError("busy", wait=10))
    response = ask()
    assert (response.status_code, response.headers["Retry-After"]) == (429, "11")
    assert "Too many files are being checked" in response.content.decode()


def test_a_large_file_is_refused_before_it_is_read(answers):
    response = ask(CONTENT_LENGTH=str(limits.MAX_BYTES * 2))
    assert response.status_code == 413
    assert "too large" in response.content.decode()


def test_what_is_no_media_is_told_on_the_field(answers):
    answers(UnreadableError("x"))
    response = ask()
    assert response.status_code == 422
    assert "Neither a picture nor sound" in response.content.decode()


@pytest.mark.parametrize("data", [{}, {"file": upload(b"")}])
def test_nothing_to_check_is_told(data):
    assert Client().post(reverse("check"), data).status_code == 422


def test_an_operator_may_close_it(settings):
    assert reverse("check") in Client().get(reverse("sign-in")).content.decode()
    settings.LIKENESS_PUBLIC_CHECK = False
    assert reverse("check") not in Client().get(reverse("sign-in")).content.decode()
    assert Client().get(reverse("check")).status_code == 404
    assert ask().status_code == 404
