from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from consent import selectors
from likeness.portal.identities import MAX_SHOWN_BYTES, data_url
from tests.consent import fakes
from tests.likeness.portal.conftest import upload

pytestmark = pytest.mark.django_db


def enrol(client, *pictures, **changes):
    data = {
        "name": "王五",
        "kind": "likeness",
        "status": "living",
        "portraits": [upload(p) for p in pictures],
    }
    return client.post(reverse("identity-enrol"), data | changes)


def test_a_person_is_enrolled_with_several_portraits(sign_in):
    response = enrol(sign_in("requester"), fakes.picture("w", 0), fakes.picture("w", 1))
    (row,) = selectors.identities(tenant="demo")
    assert response.headers["Location"] == reverse("identity-detail", args=[row.id])
    assert row.portraits.count() == 2


def test_a_refused_portrait_comes_back_with_the_picture_and_the_reason(sign_in):
    response = enrol(sign_in("requester"), fakes.picture("w"), b"\x89PNG nobody in it")
    html = response.content.decode()
    assert response.status_code == 422
    assert "No face was found." in html
    shown = data_url(b"\x89PNG nobody in it")
    assert f'src="{shown}"' in html
    assert not selectors.identities(tenant="demo").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"portraits": []}, "Choose at least one picture"),
        ({"name": ""}, "This field is required"),
        ({"status": "minor"}, "not one of the available choices"),
        ({"kind": "voice"}, "not one of the available choices"),
        ({"name": "王\u200b五"}, "U+200B"),
        ({"portraits": [upload(b"")]}, "empty"),
    ],
)
def test_a_form_that_is_not_right_says_so_and_stores_nothing(sign_in, changes, said):
    response = enrol(sign_in("requester"), fakes.picture("w"), **changes)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not selectors.identities(tenant="demo").exists()


def test_too_many_portraits_are_refused(sign_in):
    pictures = [fakes.picture("w", number) for number in range(11)]
    assert "At most 10" in enrol(sign_in("requester"), *pictures).content.decode()


def test_a_portrait_is_added(sign_in, world):
    row = world.enrol()
    where = reverse("identity-detail", args=[row.id])
    assert sign_in("requester").post(where, {"portrait": upload(fakes.picture("wang", 7))}).status_code == 302
    assert row.portraits.count() == 2


def test_a_portrait_that_is_there_already_is_refused(sign_in, world):
    row = world.enrol()
    where = reverse("identity-detail", args=[row.id])
    response = sign_in("requester").post(where, {"portrait": upload(fakes.picture("wang"))})
    assert response.status_code == 422
    assert "already" in response.content.decode()


def test_who_may_not_enrol_adds_no_portrait(sign_in, world):
    row = world.enrol()
    where = reverse("identity-detail", args=[row.id])
    response = sign_in("auditor").post(where, {"portrait": upload(fakes.picture("wang", 7))})
    assert response.status_code == 403
    assert row.portraits.count() == 1


def licence(**changes):
    today = timezone.localdate()
    return {
        "operations": ["face_swap"],
        "purposes": ["customer_service"],
        "channels": ["mobile_app"],
        "territories": ["CN"],
        "languages": ["zh"],
        "intended_use": "手机银行讲解视频",
        "not_before": today.isoformat(),
        "not_after": (today + timedelta(days=30)).isoformat(),
        "max_outputs": 10,
        "max_seconds": 60,
        "prohibited": ["gambling"],
        "signed_by": "王五",
        "agreement": upload(b"agreement", "a.pdf"),
        "face_consent": upload(b"face", "f.pdf"),
        "editing_consent": upload(b"editing", "e.pdf"),
    } | changes


def submit(client, row, **changes):
    return client.post(reverse("consent-submit", args=[row.id]), licence(**changes))


def test_a_licence_is_submitted_with_the_hashes_of_what_was_signed(sign_in, world):
    row = world.enrol()
    assert submit(sign_in("requester"), row).status_code == 302
    (consent,) = selectors.consents(tenant="demo")
    document = selectors.document(consent.id, tenant="demo").document
    assert consent.state == "in_review"
    assert document["grant"]["purposes"] == ["customer_service"]
    assert document["grant"]["max_seconds_per_output"] == 60
    assert len({item["text_sha256"] for item in document["separate_consents"]}) == 2


def test_a_voice_is_lent_with_a_consent_of_its_own(sign_in, world):
    client, row = sign_in("requester"), world.enrol()
    spoken = {"operations": ["lip_sync", "voice"]}
    answer = submit(client, row, **spoken)
    assert answer.status_code == 422
    assert "The voice needs a separate consent" in answer.content.decode()
    assert submit(client, row, **spoken, voice_consent=upload(b"voice", "v.pdf")).status_code == 302
    (consent,) = selectors.consents(tenant="demo")
    document = selectors.document(consent.id, tenant="demo").document
    assert document["grant"]["operations"] == ["lip_sync", "voice"]
    assert "VOICE_CLONE" in {item["code"] for item in document["separate_consents"]}


def test_a_performer_grants_their_performance(sign_in, world):
    submit(sign_in("requester"), world.enrol(kind="performer"))
    (consent,) = selectors.consents(tenant="demo")
    assert selectors.document(consent.id, tenant="demo").document["grant"]["operations"] == ["performance"]


@pytest.mark.parametrize(
    "changes",
    [
        {"operations": []},
        {"operations": ["performance"]},
        {"purposes": []},
        {"purposes": ["world_domination"]},
        {"agreement": ""},
        {"editing_consent": ""},
        {"not_after": "2001-01-01"},
        {"signed_by": "王\u202e五"},
        {"max_outputs": 0},
    ],
)
def test_a_licence_that_is_not_right_is_not_stored(sign_in, world, changes):
    assert submit(sign_in("requester"), world.enrol(), **changes).status_code == 422
    assert not selectors.consents(tenant="demo").exists()


def test_a_deceased_person_needs_somebody_who_represents_them(sign_in, world):
    row = world.enrol(status="deceased")
    response = submit(sign_in("requester"), row)
    assert response.status_code == 422
    assert submit(sign_in("requester"), row, representative="王家遗产").status_code == 302


@pytest.mark.parametrize("data", [b"", b"<svg onload=x>", b"GIF89a", b"\x89PNG" + bytes(MAX_SHOWN_BYTES)])
def test_what_browsers_should_not_show_is_not_shown_back(data):
    assert data_url(data) == ""
