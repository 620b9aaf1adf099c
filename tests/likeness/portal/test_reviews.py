from __future__ import annotations

import pytest
from django.urls import reverse

from consent import selectors

pytestmark = pytest.mark.django_db


def page(client, row):
    return client.get(reverse("consent-detail", args=[row.id])).content.decode()


def act(client, name, row, **data):
    response = client.post(reverse(name, args=[row.id]), data, follow=True)
    row.refresh_from_db()
    return response


def test_two_people_bring_a_licence_into_force(sign_in, world):
    row = world.submit()
    act(sign_in("legal"), "consent-approve", row, role="legal")
    assert row.state == "in_review"
    response = act(sign_in("business"), "consent-approve", row, role="business")
    assert row.state == "active"
    assert "in force now" in response.content.decode()


def test_one_person_cannot_take_both_seats_and_is_told_why(person, world):
    from django.test import Client

    both = Client()
    both.force_login(person("legal", "business"))
    row = world.submit()
    act(both, "consent-approve", row, role="legal")
    assert "Each seat needs another person" in page(both, row)
    response = act(both, "consent-approve", row, role="business")
    assert row.state == "in_review"
    assert 'class="note error"' in response.content.decode()
    assert "four-eyes" in response.content.decode()


def test_a_submitter_with_a_reviewers_role_is_told_that_others_decide(person):
    from django.test import Client

    from consent import services
    from tests.consent import fakes
    from tests.consent.samples import make_terms

    user = person("requester", "legal")
    by = user.actor
    who = services.enrol(name="王五", status="living", kind="likeness", portraits=[fakes.picture("w")], by=by)
    row = services.submit(who.id, terms=make_terms(), by=by)
    client = Client()
    client.force_login(user)
    assert "others decide on it" in page(client, row)
    response = act(client, "consent-approve", row, role="legal")
    assert "nobody approves what they submitted" in response.content.decode()
    assert not row.approvals.exists()


def test_nobody_approves_in_a_role_that_they_do_not_hold(sign_in, world):
    row = world.submit()
    act(sign_in("legal"), "consent-approve", row, role="business")
    assert not row.approvals.exists()


def test_the_queue_shows_first_what_waits_for_the_person(sign_in, world):
    waiting, done = world.submit(), world.submit(world.enrol("张三"))
    act(sign_in("legal"), "consent-approve", done, role="legal")
    html = sign_in("legal").get(reverse("review-list")).content.decode()
    assert html.index("王五") < html.index("Waiting for others") < html.index("张三")
    assert '<span class="count">' in html
    assert waiting.state == "in_review"


def test_a_rejection_needs_a_reason(sign_in, world):
    row = world.submit()
    response = act(sign_in("legal"), "consent-reject", row, reason="  ")
    assert response.status_code == 422
    assert "Write the reason" in response.content.decode()
    assert row.state == "in_review"


def test_a_rejection_is_kept_with_its_reason_and_shown_escaped(sign_in, world):
    row = world.submit()
    response = act(sign_in("legal"), "consent-reject", row, reason="<b>No</b> budget")
    assert row.state == "rejected"
    assert "&lt;b&gt;No&lt;/b&gt; budget" in response.content.decode()


def test_revoking_first_says_what_will_happen(sign_in, world):
    row = world.activate()
    html = sign_in("legal").get(reverse("consent-revoke", args=[row.id])).content.decode()
    assert "Every output made under it is withdrawn" in html
    assert row.state == "active"


def test_revoking_without_a_reason_changes_nothing(sign_in, world):
    row = world.activate()
    assert act(sign_in("legal"), "consent-revoke", row, reason="").status_code == 422
    assert row.state == "active"


def test_revoking_ends_the_licence_and_hides_the_portraits(sign_in, world):
    row = world.activate()
    response = act(sign_in("legal"), "consent-revoke", row, reason="The person asked for it.")
    assert row.state == "revoked"
    assert "The person asked for it." in response.content.decode()
    assert "destroyed" in response.content.decode()


def test_a_licence_that_is_over_has_no_revoke_page(sign_in, world):
    row = world.activate()
    act(sign_in("legal"), "consent-revoke", row, reason="Over.")
    assert sign_in("legal").get(reverse("consent-revoke", args=[row.id])).status_code == 302


def test_the_terms_are_laid_out_for_reading(sign_in, world):
    row = world.submit(prohibited=["gambling"], products_excluded=["crypto"])
    html = page(sign_in("legal"), row)
    for words in (
        "Product explainer",
        "Branch screens",
        "Mainland China",
        "Gambling",
        "Crypto assets",
        "AI生成",
    ):
        assert words in html
    assert "<details" in html
    assert row.document_sha256 in html


def test_names_are_escaped_everywhere(sign_in, world):
    world.submit(world.enrol("<img src=x>"))
    for name in ("home", "review-list", "consent-list", "identity-list"):
        html = sign_in("legal").get(reverse(name)).content.decode()
        assert "<img src=x" not in html


def test_a_document_that_is_not_the_signed_one_cannot_be_approved(sign_in, world, settings):
    row = world.submit()
    settings.LIKENESS_KEYRING = "tests.consent.fakes.OtherKeyring"
    html = page(sign_in("legal"), row)
    assert "not the one that was signed" in html
    act(sign_in("legal"), "consent-approve", row, role="legal")
    assert not row.approvals.exists()


def test_portraits_are_pictures_that_no_browser_guesses_at_or_keeps(sign_in, world):
    portrait = selectors.portraits(world.enrol().id, tenant="demo").first()
    response = sign_in("legal").get(reverse("portrait", args=[portrait.id]))
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in response.headers["Cache-Control"]


def test_an_auditor_sees_the_record_without_portraits(sign_in, world):
    html = page(sign_in("auditor"), world.submit())
    assert "/portraits/" not in html
    assert "What is allowed" in html
