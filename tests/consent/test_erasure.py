from __future__ import annotations

import pytest
from django.core.files.storage import storages
from django.db import DatabaseError, connection, transaction
from django.db.models import ProtectedError

from consent import erasure, selectors, services
from consent.erasure import Erased
from consent.errors import (
    NotFoundError,
    PortraitRefusedError,
    RequestInvalidError,
    RoleError,
    StateError,
)
from consent.models import Asset, Consent, Identity, Portrait, Step, Template
from tests.consent import fakes

pytestmark = pytest.mark.django_db
called: list[str] = []


def count_two(identity_id, *, by):
    called.append(identity_id)
    return 2


def fail(identity_id, *, by):
    raise RuntimeError("the store is not there")


@pytest.fixture(autouse=True)
def _handlers(settings):
    called.clear()
    settings.LIKENESS_ERASURE_HANDLERS = ["tests.consent.test_erasure.count_two"]


@pytest.fixture
def commits(django_capture_on_commit_callbacks):
    """Erase, and do what was put off until the commit."""

    def erase(person, by):
        with django_capture_on_commit_callbacks(execute=True):
            return erasure.erase(person.id, by=by)

    return erase


def test_nothing_of_the_person_is_left(world, commits):
    row = world.activate(world.enrol("wang"))
    blobs = [name for each in Portrait.objects.all() for name in (each.blob, each.preview_blob)]
    done = commits(row.identity, world.by["legal"])
    assert done == Erased(portraits=2, keys=1, documents=1, details=1, outputs=2)
    person = Identity.objects.get()
    assert (person.name, person.erased is not None) == (person.id, True)
    assert not Portrait.objects.exists()
    assert not Template.objects.exists()
    assert not Asset.objects.filter(wrapped_key__isnull=False).exists()
    assert not [name for name in blobs if storages["blobs"].exists(name)]
    row = Consent.objects.get()
    assert (bytes(row.document), bytes(row.signature), row.state) == (b"", b"", "revoked")
    assert not Step.objects.exclude(reason="").exists()
    assert called == [person.id]


def test_what_will_be_erased_is_told_before_and_is_what_is_erased(world, commits):
    person = world.enrol()
    services.reject(world.submit(person).id, reason="no", by=world.by["legal"])
    world.activate(person)
    world.activate(person)
    told = erasure.prospect(person.id, by=world.by["legal"])
    done = commits(person, world.by["legal"])
    assert (told.portraits, told.documents, told.details) == (2, 3, 5)
    assert (done.portraits, done.documents, done.details) == (2, 3, 5)
    assert (told.in_force, told.blocked, told.identity.erased) == (2, False, None)
    again = erasure.prospect(person.id, by=world.by["legal"])
    assert (again.portraits, again.documents, again.details, again.in_force) == (0, 0, 0, 0)


@pytest.mark.parametrize("text", ["王", " 王五 ", "{id}", "{subject}"])
def test_a_person_is_found_by_name_id_or_pseudonym(world, person, text):
    who = world.enrol()
    text = text.format(id=who.id, subject=who.subject)
    assert [row.id for row in erasure.find(text, by=world.by["legal"])] == [who.id]
    assert not erasure.find("李", by=world.by["legal"])
    assert not erasure.find(text, by=person("legal", tenant="other").actor)


@pytest.mark.parametrize("typed", ["", "王", "idn_0000000000000000", "王五五"])
def test_without_the_name_typed_once_more_nothing_is_erased(world, typed):
    person = world.enrol()
    with pytest.raises(RequestInvalidError):
        erasure.erase_confirmed(person.id, confirmation=typed, by=world.by["legal"])
    assert Identity.objects.get().erased is None


@pytest.mark.parametrize("field", ["name", "id"])
def test_the_name_or_the_id_confirms(world, field):
    person = world.enrol()
    typed = f" {getattr(person, field)} "
    assert erasure.erase_confirmed(person.id, confirmation=typed, by=world.by["legal"]).portraits == 2


@pytest.mark.parametrize("role", ["requester", "business", "expert", "auditor", "operator"])
def test_only_legal_is_told_what_an_erasure_would_do(world, role):
    person = world.enrol()
    for ask in (lambda by: erasure.prospect(person.id, by=by), lambda by: erasure.find("x", by=by)):
        with pytest.raises(RoleError):
            ask(world.by[role])


def test_the_hash_of_the_document_stays_for_the_log(world, commits):
    row = world.activate()
    commits(row.identity, world.by["legal"])
    assert Consent.objects.get().document_sha256 == row.document_sha256
    assert len(Consent.objects.get().approvals.all()) == 2


def test_a_person_without_a_licence_is_erased(world, commits):
    assert commits(world.enrol(), world.by["legal"]).keys == 1


def test_licences_in_every_state_are_emptied(world, commits):
    person = world.enrol()
    rejected = world.submit(person)
    services.reject(rejected.id, reason="no", by=world.by["legal"])
    world.submit(person)
    services.revoke(world.activate(person).id, reason="over", by=world.by["legal"])
    done = commits(person, world.by["legal"])
    assert (done.documents, done.portraits) == (3, 2)
    assert {bytes(row.document) for row in Consent.objects.all()} == {b""}


def test_twice_is_once(world, commits):
    person = world.enrol()
    commits(person, world.by["legal"])
    assert commits(person, world.by["legal"]) == Erased()
    assert called == [person.id]


@pytest.mark.parametrize("role", ["requester", "business", "expert", "auditor", "operator"])
def test_only_legal_erases(world, role):
    with pytest.raises(RoleError):
        erasure.erase(world.enrol().id, by=world.by[role])


def test_another_tenants_person_is_not_erased(world, person):
    with pytest.raises(NotFoundError):
        erasure.erase(world.enrol().id, by=person("legal", tenant="other").actor)


def test_a_blocked_person_is_taken_off_the_list_first(world, person, commits):
    who = world.enrol()
    entry = services.block(image=None, identity_id=who.id, reason="asked", by=world.by["operator"])
    with pytest.raises(StateError, match="block list"):
        erasure.erase(who.id, by=world.by["legal"])
    services.unblock(entry.id, by=world.by["legal"])
    assert commits(who, world.by["legal"]).details == 1, "why the face was blocked"


def test_when_a_handler_fails_nothing_is_erased(world, settings):
    settings.LIKENESS_ERASURE_HANDLERS = ["tests.consent.test_erasure.fail"]
    row = world.activate()
    with pytest.raises(RuntimeError):
        erasure.erase(row.identity_id, by=world.by["legal"])
    assert Identity.objects.get().name == "王五"
    assert Consent.objects.get().state == "active"
    assert Portrait.objects.count() == 2


def test_nothing_is_added_afterwards(world, commits):
    person = world.enrol()
    commits(person, world.by["legal"])
    with pytest.raises(StateError, match="erased"):
        services.add_portrait(person.id, data=fakes.picture("wang", 8), by=world.by["requester"])
    with pytest.raises(StateError):
        world.submit(person)
    with pytest.raises((StateError, PortraitRefusedError)):
        services.block(image=None, identity_id=person.id, reason="x", by=world.by["legal"])
    assert not selectors.portraits(person.id, tenant="demo").exists()


FORBIDDEN = {
    "a document emptied before its time": "UPDATE consent_consent SET document = '', signature = ''",
    "words of a step emptied": "UPDATE consent_step SET reason = ''",
    "a step removed": "DELETE FROM consent_step",
    "erased with a name": "UPDATE consent_identity SET erased = now()",
    "erased with pictures": "UPDATE consent_identity SET erased = now(), name = id",
}
AFTERWARDS = {
    "the name comes back": "UPDATE consent_identity SET name = 'x'",
    "the erasure is undone": "UPDATE consent_identity SET erased = NULL",
    "another document": "UPDATE consent_consent SET document = 'x'",
    "another signature": "UPDATE consent_consent SET signature = 'x'",
    "other words": "UPDATE consent_step SET reason = 'x'",
    "another person in a step": "UPDATE consent_step SET person = 'x', reason = ''",
    "a step removed": "DELETE FROM consent_step",
    "another hash": "UPDATE consent_consent SET document = '', signature = '', document_sha256 = 'x'",
}


def refused(statement):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_database_refuses_half_an_erasure(world, name):
    services.revoke(world.activate().id, reason="asked", by=world.by["legal"])
    refused(FORBIDDEN[name])


@pytest.mark.parametrize("name", AFTERWARDS)
def test_the_database_refuses_to_undo_it(world, commits, name):
    commits(world.activate().identity, world.by["legal"])
    refused(AFTERWARDS[name])


def test_the_rows_themselves_stay(world, commits):
    person = world.activate().identity
    commits(person, world.by["legal"])
    with pytest.raises(ProtectedError):
        Identity.objects.get().delete()
