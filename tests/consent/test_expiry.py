"""The end of a term: at once for every question, in the night for the record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from consent import expiry, selectors, services, tasks
from consent.errors import LicenceTamperedError
from consent.models import Consent, Step
from tests.consent.samples import USE

pytestmark = pytest.mark.django_db
LATER = timedelta(days=2)


@pytest.fixture
def later(monkeypatch):
    """Two days on, when a term of one day has ended."""
    moment = timezone.now() + LATER

    def go():
        monkeypatch.setattr(timezone, "now", lambda: moment)
        return moment

    return go


def ending(world, **changes):
    return world.activate(not_after=timezone.now().replace(microsecond=0) + timedelta(days=1), **changes)


def states():
    return dict(Consent.objects.values_list("id", "state"))


def listed(state):
    return {row.id for row in selectors.consents(tenant="demo", state=state)}


def test_a_licence_is_shown_as_expired_before_the_night_records_it(world, later):
    row, other = ending(world), world.activate()
    assert (row.standing, listed("active")) == ("active", {row.id, other.id})
    later()
    assert (row.standing, row.state) == ("expired", "active")
    assert (listed("active"), listed("expired")) == ({other.id}, {row.id})
    assert listed(None) == {row.id, other.id}


def test_the_night_closes_what_has_ended_and_nothing_else(world, later):
    row, other, waiting = ending(world), world.activate(), world.submit()
    assert expiry.expire_all(now=timezone.now()) == 0
    now = later()
    assert tasks.expire() == 1
    assert states() == {row.id: "expired", other.id: "active", waiting.id: "in_review"}
    assert expiry.expire_all(now=now) == 0, "twice is once"
    step = Step.objects.filter(consent=row).last()
    assert (step.what, step.person, step.state) == ("expired", "system", "expired")
    assert selectors.permission(row.identity_id, tenant="demo", use=USE, now=now).reasons == (
        "licence.expired",
    )


def test_the_last_moment_of_a_term_belongs_to_it(world):
    row = ending(world)
    assert not expiry.expire(row.id, tenant="demo", now=row.not_after)
    assert expiry.expire(row.id, tenant="demo", now=row.not_after + timedelta(seconds=1))


def test_a_withdrawn_licence_is_not_closed_again(world, later):
    row = ending(world)
    services.revoke(row.id, reason="asked", by=world.by["legal"])
    later()
    assert tasks.expire() == 0
    assert row.id not in listed("expired")


def test_an_expired_licence_can_still_be_withdrawn(world, later):
    row = ending(world)
    later()
    tasks.expire()
    services.revoke(row.id, reason="asked", by=world.by["legal"])
    row = Consent.objects.get()
    assert (row.state, row.withdrawn is not None) == ("expired", True)
    assert not row.identity.assets.filter(shredded__isnull=True).exists()


def test_one_damaged_licence_does_not_keep_the_others_open(world, later, monkeypatch, caplog):
    damaged, sound = ending(world), ending(world)
    later()
    record = expiry.record

    def refuse(row, *words, **more):
        if row.id == damaged.id:
            raise LicenceTamperedError("The document is not what was signed.")
        record(row, *words, **more)

    monkeypatch.setattr(expiry, "record", refuse)
    assert tasks.expire() == 1
    assert states() == {damaged.id: "active", sound.id: "expired"}
    assert damaged.id in caplog.text
