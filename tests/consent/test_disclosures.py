"""Words beside the log: committed to in the leaf, told to whoever may know them, gone with the data key."""

from __future__ import annotations

import hashlib
import json
import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from audit import selectors as log
from audit import verify
from audit.errors import EntryNotFoundError
from audit.leaf import KeyKind
from consent import disclosures, erasure, services
from consent.errors import CiphertextError, NotFoundError, RoleError, ShreddedError
from consent.models import Asset, Disclosure, Step
from likeness.cli import audit as audit_cli
from likeness.cli.main import main

NAME = "王五"


@pytest.fixture
def log_of(home, sequencing, world):
    """The entries of a consent, as soon as its newest step is among them."""

    def read(row):
        log.receipt(Step.objects.filter(consent=row).last().event_id, timeout_s=10)
        return log.entries(KeyKind.CONSENT, row.id)

    return read


def told(entries, by):
    return disclosures.disclosures([entry.event_id for entry in entries], by=by)


def test_a_licence_tells_its_words_and_the_log_only_commits_to_them(world, log_of):
    (entry,) = log_of(world.submit(signed_by=NAME))
    found = told([entry], world.by["auditor"])[entry.event_id]
    words = json.loads(found.jcs)
    assert words == {
        "name": NAME,
        "signed_by": NAME,
        "intended_use": "网点屏幕中的产品讲解视频。",
        "operations": ["face_swap"],
        "purposes": ["product_explainer"],
        "channels": ["branch_screen"],
        "territories": ["CN"],
        "languages": ["zh"],
        "not_before": words["not_before"],
        "not_after": words["not_after"],
    }
    digest = hashlib.sha256(bytes.fromhex(found.salt) + found.jcs.encode()).hexdigest()
    assert entry.event["detail"] == f"sha256:{digest}"
    assert NAME.encode() not in entry.body
    assert found.jcs == verify.check_disclosure("x", found.as_file(), entry.event)


def test_equal_words_have_different_commitments(world, log_of):
    person = world.enrol()
    rows = [world.submit(person), world.submit(person)]
    for row in rows:
        services.reject(row.id, reason="no", by=world.by["legal"])
    entries = [log_of(row)[-1] for row in rows]
    assert [json.loads(told([entry], world.by["legal"])[entry.event_id].jcs) for entry in entries] == [
        {"reason": "no"},
        {"reason": "no"},
    ]
    assert entries[0].event["detail"] != entries[1].event["detail"]


def test_an_approval_has_nothing_to_tell(world, log_of):
    entries = log_of(world.activate())
    assert ["detail" in entry.event for entry in entries] == [True, False, False]


def test_a_withdrawal_tells_why_as_long_as_another_licence_keeps_the_key(world, log_of):
    person = world.enrol()
    first, second = world.activate(person), world.activate(person)
    services.revoke(first.id, reason="one is enough", by=world.by["legal"])
    entries = log_of(first)
    assert json.loads(told(entries, world.by["legal"])[entries[-1].event_id].jcs) == {
        "reason": "one is enough"
    }
    services.revoke(second.id, reason="none", by=world.by["legal"])
    entries += log_of(second)
    assert told(entries, world.by["legal"]) == {}
    assert "detail" not in entries[-1].event, "no key is left, so nothing is committed to"
    assert not Disclosure.objects.exists()


def test_an_erasure_ends_every_disclosure_and_no_proof(world, log_of, settings):
    settings.LIKENESS_ERASURE_HANDLERS = []
    person = world.enrol()
    rejected = world.submit(person)
    services.reject(rejected.id, reason="no", by=world.by["legal"])
    other = world.submit(world.enrol("li"))
    row = world.activate(person)
    entries = [*log_of(rejected), *log_of(row), *log_of(other)]
    assert len(told(entries, world.by["auditor"])) == 4
    before = log.checkpoint()
    bodies = {entry.index: entry.body for entry in entries}
    erasure.erase(person.id, by=world.by["legal"])
    log_of(row)
    assert set(told(entries, world.by["auditor"])) == {log_of(other)[0].event_id}
    assert {index: log.entry(index).body for index in bodies} == bodies
    assert all(log.proof(index) for index in bodies)
    assert log.checkpoint().size > before.size


def test_whoever_is_told_the_words_of_an_entry_is_logged(world, log_of):
    (entry,) = log_of(world.submit(signed_by=NAME))
    assert disclosures.standing(entry, tenant="demo") == "held"
    found = disclosures.disclose(entry.index, by=world.by["auditor"])
    assert json.loads(found.jcs)["signed_by"] == NAME
    log_of(world.submit())
    (told,) = log.entries(KeyKind.TYPE, "audit.disclosed")
    assert (told.actor, told.event["index"], told.event["disclosures"]) == (
        world.by["auditor"].id,
        entry.index,
        1,
    )


def test_words_are_told_by_command(world, log_of, people, monkeypatch, capsys):
    monkeypatch.setattr(audit_cli, "open_platform", lambda: None)
    (entry,) = log_of(world.submit(signed_by=NAME))

    def tell(role):
        code = main(["audit", "disclose", str(entry.index), "--as", people[role].email, "--json"])
        return code, json.loads(capsys.readouterr().out)

    code, told = tell("auditor")
    assert (code, json.loads(told["jcs"])["signed_by"]) == (0, NAME)
    code, told = tell("operator")
    assert (code, told["code"]) == (1, "consent.role")


def test_erased_words_are_said_to_be_erased_and_nothing_is_logged(world, log_of, settings):
    settings.LIKENESS_ERASURE_HANDLERS = []
    row = world.activate()
    entry, approval, _ = log_of(row)
    erasure.erase(row.identity_id, by=world.by["legal"])
    assert disclosures.standing(entry, tenant="demo") == "erased"
    assert disclosures.standing(approval, tenant="demo") == "none"
    with pytest.raises(ShreddedError, match="erased"):
        disclosures.disclose(entry.index, by=world.by["auditor"])
    log_of(world.submit())
    assert not log.entries(KeyKind.TYPE, "audit.disclosed")


def test_entries_without_words_and_those_of_others_tell_nothing(world, log_of, person):
    submitted, approved, _ = log_of(world.activate())
    with pytest.raises(NotFoundError):
        disclosures.disclose(approved.index, by=world.by["auditor"])
    with pytest.raises(EntryNotFoundError):
        disclosures.disclose(submitted.index, by=person("auditor", tenant="other").actor)
    with pytest.raises(EntryNotFoundError):
        disclosures.disclose(10_000, by=world.by["auditor"])


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["requester", "business", "expert", "operator"])
def test_only_auditors_and_legal_may_know(world, role):
    with pytest.raises(RoleError):
        disclosures.disclosures([], by=world.by[role])
    with pytest.raises(RoleError):
        disclosures.disclose(0, by=world.by[role])


@pytest.mark.django_db
def test_another_tenants_auditor_is_told_nothing(world, person):
    world.submit()
    ids = Disclosure.objects.values_list("event_id", flat=True)
    assert len(disclosures.disclosures(ids, by=world.by["auditor"])) == 1
    assert disclosures.disclosures(ids, by=person("auditor", tenant="other").actor) == {}


@pytest.mark.django_db
def test_words_do_not_open_for_another_entry(world):
    world.submit()
    row = Disclosure.objects.get()
    moved = uuid.uuid4()
    Disclosure.objects.create(event_id=moved, tenant="demo", asset=row.asset, sealed=row.sealed)
    with pytest.raises(CiphertextError):
        disclosures.disclosures([moved], by=world.by["auditor"])


@pytest.mark.django_db
def test_the_words_are_not_in_the_row_in_clear(world):
    world.submit()
    sealed = bytes(Disclosure.objects.get().sealed)
    assert NAME.encode() not in sealed
    assert b"product_explainer" not in sealed


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    ["UPDATE consent_disclosure SET sealed = 'x'", "DELETE FROM consent_disclosure"],
)
def test_the_database_keeps_the_words_until_their_key_is_gone(world, statement):
    world.submit()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Asset.objects.get().disclosures.count() == 1
