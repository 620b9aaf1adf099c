from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-sentence-of-words"


@pytest.fixture
def user(person):
    user = person("legal", email="wang@bank.example")
    user.set_password(PASSWORD)
    user.language = "zh-hans"
    user.save()
    return user


def attempt(client, *, email="wang@bank.example", password=PASSWORD, **more):
    return client.post(reverse("sign-in"), {"username": email, "password": password, **more})


def test_the_right_password_leads_to_the_overview_in_the_accounts_language(user):
    client = Client()
    response = attempt(client)
    assert response.headers["Location"] == "/"
    assert response.cookies["django_language"].value == "zh-hans"
    assert "总览" in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("wang@bank.example", "wrong"),
        ("nobody@bank.example", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
    ],
)
def test_a_failed_sign_in_stays_signed_out_and_says_what_to_do(user, email, password):
    client = Client()
    response = attempt(client, email=email, password=password)
    assert response.status_code == 200
    assert 'role="alert"' in response.content.decode() or 'class="wrong"' in response.content.decode()
    assert client.get("/").status_code == 302


def test_a_switched_off_account_does_not_sign_in(user):
    user.is_active = False
    user.save()
    assert attempt(Client()).status_code == 200


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(user, elsewhere):
    assert attempt(Client(), next=elsewhere).headers["Location"] == "/"


def test_signing_out_is_a_post(user):
    client = Client()
    client.force_login(user)
    assert client.get(reverse("sign-out")).status_code == 405
    client.post(reverse("sign-out"))
    assert client.get("/").status_code == 302


def test_the_language_is_kept_in_the_account_and_in_the_cookie(user):
    client = Client()
    client.force_login(user)
    response = client.post(reverse("language"), {"language": "en", "next": "/jobs/"})
    assert response.headers["Location"] == "/jobs/"
    assert response.cookies["django_language"].value == "en"
    user.refresh_from_db()
    assert user.language == "en"
    assert "Overview" in client.get("/").content.decode()


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "", "jobs"])
def test_switching_the_language_never_leads_to_another_site(db, elsewhere):
    response = Client().post(reverse("language"), {"language": "en", "next": elsewhere})
    assert response.headers["Location"] == "/"


def test_an_unknown_language_is_refused(db):
    assert Client().post(reverse("language"), {"language": "xx"}).status_code == 400


def test_the_language_is_not_changed_by_a_get(db):
    assert Client().get(reverse("language")).status_code == 405
