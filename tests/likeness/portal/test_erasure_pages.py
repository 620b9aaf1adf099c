"""Erasing a person in the portal: found, read, confirmed by name, and told."""

from __future__ import annotations

import pytest
from django.urls import reverse

from audit import selectors as log
from audit.leaf import KeyKind
from consent import disclosures, services
from consent.models import Identity, Step

NAME = "王五"


def of(name, row):
    return reverse(name, args=[row.id])


@pytest.mark.django_db
def test_a_person_is_found_and_led_to_the_question(sign_in, world):
    person, other = world.enrol(NAME), world.enrol("李雷")
    client = sign_in("legal")
    html = client.get(reverse("erasure-list"), {"q": NAME}).content.decode()
    assert of("identity-erase", person) in html
    assert of("identity-erase", other) not in html
    assert of("identity-erase", person) in client.get(of("identity-detail", person)).content.decode()
    assert (
        of("identity-erase", person)
        not in sign_in("auditor").get(of("identity-detail", person)).content.decode()
    )


@pytest.mark.django_db
def test_the_question_says_how_much_goes(sign_in, world):
    row = world.activate()
    world.job("done", identity=row.identity, consent=row)
    html = sign_in("legal").get(of("identity-erase", row.identity)).content.decode()
    for words in ("1 portrait, with its template", "1 is in force and is revoked", "1 output and every"):
        assert words in html


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["", "王", "王五 王五", "yes"])
def test_another_name_erases_nobody(sign_in, world, typed):
    person = world.enrol()
    response = sign_in("legal").post(of("identity-erase", person), {"confirmation": typed})
    assert response.status_code == 422
    assert Identity.objects.get().erased is None


@pytest.mark.django_db
def test_who_is_on_the_blocklist_is_not_erased(sign_in, world):
    person = world.enrol()
    services.block(image=None, identity_id=person.id, reason="asked", by=world.by["legal"])
    client = sign_in("legal")
    assert "Take them off it first" in client.get(of("identity-erase", person)).content.decode()
    response = client.post(of("identity-erase", person), {"confirmation": NAME})
    assert (response.status_code, Identity.objects.get().erased) == (422, None)


def test_the_counts_stay_as_the_log_holds_them(home, sequencing, sign_in, world):
    row = world.activate()
    client = sign_in("legal")
    response = client.post(of("identity-erase", row.identity), {"confirmation": NAME}, follow=True)
    assert response.redirect_chain[-1][0] == of("identity-erased", row.identity)
    log.receipt(Step.objects.filter(consent=row).last().event_id, timeout_s=10)
    entries = log.entries(KeyKind.IDENTITY, row.identity_id)
    html = client.get(of("identity-erased", row.identity)).content.decode()
    assert entries[-1].type == "subject.erased"
    assert reverse("log-entry", args=[entries[-1].index]) in html
    assert NAME not in html
    for name in ("identity-erase", "identity-erased"):
        assert NAME not in client.get(of(name, row.identity), follow=True).content.decode()


def test_the_words_of_an_entry_are_shown_to_those_who_may_and_it_is_logged(
    home, sequencing, sign_in, world, settings
):
    row = world.submit(signed_by=NAME)
    log.receipt(Step.objects.filter(consent=row).last().event_id, timeout_s=10)
    (entry,) = log.entries(KeyKind.CONSENT, row.id)
    page, tell = (reverse(name, args=[entry.index]) for name in ("log-entry", "log-disclose"))
    client = sign_in("auditor")
    html = client.get(page).content.decode()
    assert NAME not in html
    assert f'action="{tell}"' in html
    assert f'action="{tell}"' not in sign_in("business").get(page).content.decode()
    assert client.get(tell).status_code == 405
    assert sign_in("business").post(tell).status_code == 403
    told = client.post(tell)
    assert NAME in told.content.decode()
    assert "Product explainer" in told.content.decode()
    assert "no-store" in told.headers["Cache-Control"]
    settings.LIKENESS_ERASURE_HANDLERS = []
    sign_in("legal").post(of("identity-erase", row.identity), {"confirmation": NAME})
    log.receipt(Step.objects.filter(consent=row).last().event_id, timeout_s=10)
    assert len(log.entries(KeyKind.TYPE, "audit.disclosed")) == 1
    assert "The words beside an entry were read" in client.get(reverse("log-list")).content.decode()
    assert disclosures.standing(entry, tenant="demo") == "erased"
    html = client.get(page).content.decode()
    assert "data key was destroyed" in html
    assert f'action="{tell}"' not in html
    assert client.post(tell).status_code == 410
