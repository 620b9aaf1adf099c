from datetime import timedelta

from django.db import connection
from django.utils import timezone

from audit import selectors as audit
from audit.leaf import KeyKind
from consent import expiry, selectors, services
from tests.consent import fakes


def test_each_change_is_in_the_log(home, sequencing, world):
    row = world.activate()
    entry = services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["operator"])
    services.unblock(entry.id, by=world.by["legal"])
    services.revoke(row.id, reason="Changed my mind.", by=world.by["requester"])
    last = last_event(row.id)  # the newest of all: once it is in the log, so is everything before it
    audit.receipt(last, timeout_s=10)
    events = audit.entries(KeyKind.CONSENT, row.id)
    assert [event.type for event in events] == [
        "consent.submitted",
        "consent.approved",
        "consent.approved",
        "consent.revoked",
    ]
    assert [step.index for step in selectors.history(row.id)] == [event.index for event in events]
    assert {event.event["document"] for event in events} == {row.document_sha256}
    assert events[-1].event["epoch"] == 1
    enrolled = audit.entries(KeyKind.IDENTITY, row.identity_id)[0]
    assert enrolled.event["subject"] == row.identity.subject
    assert not {p.sha256 for p in row.identity.portraits.all()} & set(enrolled.event["portraits"])
    assert "王五".encode() not in b"".join(event.body for event in [*events, enrolled])
    assert audit.entries(KeyKind.TYPE, "face.blocked")


def test_the_end_of_a_term_is_in_the_log(home, sequencing, world):
    row = world.activate(not_after=timezone.now().replace(microsecond=0) + timedelta(days=1))
    assert expiry.expire_all(now=timezone.now() + timedelta(days=2)) == 1
    audit.receipt(last_event(row.id), timeout_s=10)
    entry = audit.entries(KeyKind.CONSENT, row.id)[-1]
    assert (entry.type, entry.actor, entry.tenant) == ("consent.expired", "system", "demo")
    assert entry.event["document"] == row.document_sha256


def last_event(consent_id):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id FROM consent_step WHERE consent_id = %s ORDER BY id DESC LIMIT 1", [consent_id]
        )
        return cursor.fetchone()[0]
