from __future__ import annotations

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from likeness.portal import failures

pytestmark = pytest.mark.django_db


def test_an_unknown_address_has_a_page_in_style(sign_in):
    response = sign_in("legal").get("/nothing/here/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()
    assert 'class="nav"' in response.content.decode()


def test_an_unknown_address_says_nothing_of_the_inside_to_strangers():
    html = Client().get("/nothing/here/").content.decode()
    assert "There is nothing here" in html
    assert 'class="nav"' not in html


def test_a_missing_row_and_an_unknown_address_look_the_same(sign_in):
    client = sign_in("legal")
    missing = client.get(reverse("consent-detail", args=["con_" + "0" * 16]))
    unknown = client.get("/nothing/here/")
    assert missing.status_code == unknown.status_code == 404
    assert main(missing) == main(unknown)


def main(response) -> str:
    html = response.content.decode()
    return html[html.index('<section class="fault">') :]


def test_another_role_is_told_so(sign_in):
    response = sign_in("requester").get(reverse("review-list"))
    assert response.status_code == 403
    assert "Your role does not include this" in response.content.decode()


def test_a_broken_server_answers_with_a_page_that_needs_no_database(sign_in, monkeypatch, settings):
    from likeness.portal import home

    def fail(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(home.HomeView, "get", fail)
    client = sign_in("legal")
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert "wrong on our side" in response.content.decode()
    assert "secret detail" not in response.content.decode()


@pytest.mark.parametrize(
    "page", [failures.bad_request, failures.forbidden, failures.not_found, failures.csrf_failed]
)
def test_a_failure_page_is_whole_without_a_person(page, rf: RequestFactory):
    response = page(rf.get("/"))
    assert response.status_code in (400, 403, 404)
    assert "</html>" in response.content.decode()


def test_an_errors_code_stands_on_the_page(sign_in, world):
    response = sign_in("requester").get(reverse("job-output", args=[world.job("withdrawn").id]))
    assert "output.withdrawn" in response.content.decode()
