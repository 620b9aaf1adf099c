"""Every page and every role: who gets in, and what each answer carries."""

from __future__ import annotations

import re
import uuid

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from likeness.portal import urls

pytestmark = pytest.mark.django_db

ALL = {"requester", "legal", "business", "expert", "auditor", "operator"}
REVIEWERS = {"legal", "business", "expert"}
PAGES = {
    "home": ALL,
    "review-list": REVIEWERS,
    "consent-list": ALL,
    "consent-detail": ALL,
    "consent-revoke": {"requester", "legal", "business", "operator"},
    "portrait": REVIEWERS | {"requester", "operator"},
    "identity-list": ALL,
    "identity-enrol": {"requester", "operator"},
    "identity-detail": ALL,
    "consent-submit": {"requester", "operator"},
    "erasure-list": {"legal"},
    "identity-erase": {"legal"},
    "identity-erased": {"legal"},
    "studio": {"requester"},
    "presentation-batch": {"requester"},
    "presentation-list": ALL,
    "presentation-detail": ALL,
    "presentation-file": ALL,
    "variants-create": {"requester"},
    "variants-detail": ALL,
    "template-list": ALL,
    "template-detail": ALL,
    "template-picture": ALL,
    "template-create": {"operator", "business"},
    "template-draft": {"operator", "business"},
    "hook-list": {"operator", "auditor"},
    "hook-detail": {"operator", "auditor"},
    "job-list": ALL,
    "job-create": {"requester"},
    "job-detail": ALL,
    "job-output": ALL,
    "job-poster": ALL,
    "job-before": ALL,
    "job-label": ALL,
    "job-export": {"legal"},
    "export-list": {"legal", "business", "auditor"},
    "provenance": ALL,
    "provenance-search": {"auditor"},
    "verify": ALL,
    "log-list": ALL - {"requester"},
    "timestamp-list": ALL - {"requester"},
    "block-list": {"legal", "operator"},
}
CHANGES = {
    "consent-approve": REVIEWERS,
    "consent-reject": REVIEWERS,
    "presentation-create": {"requester"},
    "presentation-cancel": {"requester", "operator"},
    "studio-review": {"requester"},
    "studio-see": {"requester"},
    "studio-hear": {"requester"},
    "studio-look": {"requester"},
    "studio-upload": {"requester"},
    "variants-start": {"requester"},
    "variants-cancel": {"requester", "operator"},
    "template-approve": {"business", "legal"},
    "template-rollback": {"operator", "business"},
    "hook-ping": {"operator"},
    "hook-remove": {"operator"},
    "job-cancel": {"requester", "operator"},
    "job-download": ALL - {"operator"},
    "block-remove": {"legal"},
    "export-approve": {"business"},
    "export-reject": {"business"},
    "export-erase": {"legal"},
}
ELSEWHERE = {"sign-in", "sign-out", "language", "check"}  # test_session, test_check
WITH_LOG = {
    "log-entry",
    "log-proof",
    "log-checkpoint",
    "log-disclose",
    "timestamp",
    "provenance-evidence",
    "presentation-batch-detail",
}  # test_audit, test_studio: they need a running log, or a table that was sent


@pytest.fixture
def address(world):
    """The address of a page, with rows of this tenant where it needs them."""

    def give(name: str) -> str:
        if name.startswith("job-") and name not in ("job-list", "job-create"):
            return reverse(name, args=[world.job("done").id])
        if name in ("presentation-detail", "presentation-cancel"):
            return reverse(name, args=[world.presentation().client_id])
        if name == "presentation-file":
            made = world.presentation("generating", job=world.job("done"))
            return reverse(name, args=[made.client_id, "srt"])
        if name in ("variants-detail", "variants-cancel"):
            return reverse(name, args=[world.variants().client_id])
        if name in ("template-detail", "template-draft"):
            return reverse(name, args=[world.template().template.name])
        if name.startswith("template-") and name not in ("template-list", "template-create"):
            return reverse(name, args=[world.template().template.name, 1])
        if name.startswith("hook-") and name != "hook-list":
            return reverse(name, args=[world.hook().pk])
        if name.startswith("consent-") and name not in ("consent-list", "consent-submit"):
            return reverse(name, args=[world.submit().id])
        if name == "identity-erased":
            return reverse(name, args=[world.erased().id])
        if name in ("identity-detail", "identity-erase", "consent-submit"):
            return reverse(name, args=[world.enrol().id])
        if name == "portrait":
            return reverse(name, args=[world.enrol().portraits.first().id])
        if name in ("export-approve", "export-reject", "export-erase"):
            return reverse(name, args=[uuid.UUID(int=1)])
        if name == "block-remove":
            return reverse(name, args=["blk_" + "0" * 16])
        return reverse(name)

    return give


def test_every_address_of_the_portal_is_in_a_table_here():
    names = {pattern.name for pattern in urls.urlpatterns if isinstance(pattern, URLPattern)}
    assert names == {*PAGES, *CHANGES, *ELSEWHERE, *WITH_LOG}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_for_its_roles_only(sign_in, address, name):
    where = address(name)
    answers = {role: sign_in(role).get(where).status_code for role in ALL}
    assert answers == {role: 200 if role in PAGES[name] else 403 for role in ALL}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_for_its_roles_only(sign_in, address, name):
    where = address(name)
    refused = {role for role in ALL if sign_in(role).post(where).status_code == 403}
    assert refused == ALL - CHANGES[name]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_never_a_get(sign_in, address, name):
    role = sorted(CHANGES[name])[0]
    assert sign_in(role).get(address(name)).status_code == 405


@pytest.mark.parametrize("name", [*PAGES, *CHANGES])
def test_nobody_gets_in_without_signing_in(address, name):
    where = address(name)
    response = Client().post(where) if name in CHANGES else Client().get(where)
    assert response.status_code == 302
    assert response.headers["Location"].startswith(reverse("sign-in"))


@pytest.mark.parametrize("name", [*PAGES, *CHANGES])
def test_another_tenants_rows_are_not_there(stranger, address, name):
    where = address(name)
    if where == reverse_or_none(name):
        pytest.skip("names no row")
    response = stranger.post(where) if name in CHANGES else stranger.get(where)
    assert response.status_code == 404


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_needs_the_csrf_token(people, address, name):
    client = Client(enforce_csrf_checks=True)
    client.force_login(people[sorted(CHANGES[name])[0]])
    response = client.post(address(name))
    assert response.status_code == 403
    assert "expired" in response.content.decode()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("name", PAGES)
def test_each_page_is_strict_about_what_may_run(sign_in, address, name, language):
    client = sign_in(sorted(PAGES[name])[0])
    client.cookies["django_language"] = language
    response = client.get(address(name))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response.headers["Cache-Control"]
    if response.headers["Content-Type"].startswith("text/html"):
        assert_plain(response.content.decode(), language)


def assert_plain(html: str, language: str) -> None:
    assert f'<html lang="{"zh-Hans" if language == "zh-hans" else "en"}">' in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html), "an inline script"
    assert "<style" not in html
    assert not re.search(r"\s(style|on[a-z]+)=", html), "an inline style or handler"
    assert not re.search(r'(src|href|action)="(https?:)?//', html), "something from another host"


def reverse_or_none(name: str) -> str | None:
    takes_rows = any(params for _pattern, params in _patterns(name))
    return None if takes_rows else reverse(name)


def _patterns(name: str):
    return [entry[0][0] for entry in get_resolver().reverse_dict.getlist(name)]
