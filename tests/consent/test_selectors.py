from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from consent import selectors, services
from consent.errors import (
    CiphertextError,
    EmbedderError,
    GalleryError,
    NotFoundError,
    ShreddedError,
    SourceNotLicensedError,
)
from consent.models import Portrait
from tests.consent import fakes

pytestmark = pytest.mark.django_db


def reasons(world, person, *, now=None, tenant="demo", **change):
    use = replace(world.use, **change)
    return selectors.permission(person.id, tenant=tenant, use=use, now=now or timezone.now()).reasons


# ---- permission


def test_person_without_a_licence_is_refused(world):
    assert reasons(world, world.enrol()) == ("licence.missing",)


def test_licence_of_another_tenant_does_not_exist(world):
    row = world.activate()
    assert reasons(world, row.identity, tenant="other") == ("licence.missing",)


def test_licence_in_review_is_refused(world):
    assert reasons(world, world.submit().identity) == ("licence.not_active",)


def test_rejected_licence_is_refused(world):
    row = services.reject(world.submit().id, reason="x", by=world.by["legal"])
    assert reasons(world, row.identity) == ("licence.not_active",)


def test_revoked_licence_is_refused(world):
    row = services.revoke(world.activate().id, reason="x", by=world.by["legal"])
    assert reasons(world, row.identity) == ("licence.revoked",)


@pytest.mark.parametrize("state", ["suspended", "superseded"])
def test_licence_that_is_not_active_is_refused(world, state):
    row = world.activate()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE consent_consent SET state = %s", [state])
    assert reasons(world, row.identity) == ("licence.not_active",)


def test_licence_outside_its_term_is_refused(world):
    person = world.activate().identity
    now = timezone.now()
    assert reasons(world, person, now=now - timedelta(days=2)) == ("licence.not_yet",)
    assert reasons(world, person, now=now + timedelta(days=366)) == ("licence.expired",)


def test_use_outside_the_scope_is_refused(world):
    person = world.activate().identity
    assert reasons(world, person, purpose="marketing") == ("scope.purpose",)
    assert reasons(world, person, seconds=601, channel="website") == ("scope.channel", "scope.seconds")


def test_use_inside_the_scope_is_allowed_by_that_very_licence(world):
    row = world.activate(max_outputs=7)
    found = selectors.permission(row.identity_id, tenant="demo", use=world.use, now=timezone.now())
    assert found.reasons == ()
    assert (found.consent_id, found.revision, found.json_sha256, found.epoch) == (
        row.id,
        1,
        row.document_sha256,
        0,
    )
    assert (found.max_outputs, found.sample) == (7, True)


def test_any_one_licence_that_allows_is_enough(world):
    person = world.enrol()
    wide = world.activate(person, purposes=["marketing"])
    world.activate(person)
    services.reject(world.submit(person).id, reason="x", by=world.by["legal"])
    use = replace(world.use, purpose="marketing")
    assert selectors.permission(person.id, tenant="demo", use=use, now=timezone.now()).consent_id == wide.id


def test_refusal_nearest_to_a_yes_is_told(world):
    person = world.enrol()
    world.activate(person)
    services.revoke(world.submit(person).id, reason="x", by=world.by["legal"])
    assert reasons(world, person, purpose="marketing") == ("scope.purpose",)


def test_blocked_identity_is_refused_whatever_its_licence_says(world):
    row = world.activate()
    services.block(image=None, identity_id=row.identity_id, reason="x", by=world.by["legal"])
    assert reasons(world, row.identity) == ("identity.blocked",)


def test_other_signing_key_makes_every_licence_tampered(world, settings):
    row = world.activate()
    settings.LIKENESS_KEYRING = "tests.consent.fakes.OtherKeyring"
    assert reasons(world, row.identity) == ("licence.tampered",)


# ---- licensed material


def test_source_is_only_what_a_licence_in_force_lists(world):
    person = world.enrol()
    listed = person.portraits.first().sha256
    row = world.submit(person)
    with pytest.raises(SourceNotLicensedError):
        selectors.licensed_source(person.id, tenant="demo", sha256=listed)
    services.approve(row.id, role="legal", by=world.by["legal"])
    services.approve(row.id, role="business", by=world.by["business"])
    assert selectors.licensed_source(person.id, tenant="demo", sha256=listed).sha256 == listed
    assert selectors.licensed_source(person.id, tenant="demo").sha256 == listed
    added = services.add_portrait(person.id, data=fakes.picture("wang", 9), by=world.by["requester"])
    for unlisted in (added.sha256, "0" * 64, ""):
        with pytest.raises(SourceNotLicensedError):
            selectors.licensed_source(person.id, tenant="demo", sha256=unlisted)
    with pytest.raises(SourceNotLicensedError):
        selectors.licensed_source(person.id, tenant="other")


def test_licensed_portrait_opens_for_its_own_consent_only(world):
    row, other = world.activate(), world.activate(world.enrol("chen"))
    source = selectors.licensed_source(row.identity_id, tenant="demo")
    opened = selectors.open_portrait(source.portrait_id, tenant="demo", purpose_consent=row.id)
    assert opened == fakes.picture("wang", 0)
    with pytest.raises(SourceNotLicensedError):
        selectors.open_portrait(source.portrait_id, tenant="demo", purpose_consent=other.id)
    with pytest.raises(NotFoundError):
        selectors.open_portrait(source.portrait_id, tenant="demo", purpose_consent="con_0000000000000000")
    services.revoke(row.id, reason="x", by=world.by["legal"])
    with pytest.raises(SourceNotLicensedError):
        selectors.open_portrait(source.portrait_id, tenant="demo", purpose_consent=row.id)


def test_preview_opens_until_the_material_is_destroyed(world):
    row = world.submit()
    portrait = row.identity.portraits.first()
    assert selectors.portrait_preview(portrait.id, tenant="demo").startswith(b"\x89PNG")
    with pytest.raises(NotFoundError):
        selectors.portrait_preview(portrait.id, tenant="other")
    services.revoke(row.id, reason="x", by=world.by["legal"])
    with pytest.raises(ShreddedError):
        selectors.portrait_preview(portrait.id, tenant="demo")


def test_template_is_what_the_embedder_said_of_the_licensed_pictures(world):
    row = world.activate()
    found = selectors.template(row.identity_id)
    np.testing.assert_array_equal(found.vectors, np.stack([fakes.vector("wang", 0), fakes.vector("wang", 1)]))
    assert (found.vectors.dtype, found.model_sha256, found.metric) == (np.float32, fakes.MODEL, "l2")
    with pytest.raises(SourceNotLicensedError):
        selectors.template(world.enrol("chen").id)
    with pytest.raises(NotFoundError):
        selectors.template("idn_0000000000000000")


def test_template_of_two_models_is_refused(world, settings):
    person = world.enrol(pictures=1)
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse_otherwise"
    services.add_portrait(person.id, data=fakes.picture("wang", 1), by=world.by["requester"])
    with pytest.raises(EmbedderError):
        selectors.template(world.activate(person).identity_id)


def test_picture_moved_to_another_portrait_does_not_open(world):
    row = world.activate()
    first, second = row.identity.portraits.all()
    Portrait.objects.filter(id=first.id).update(blob=second.blob)
    with pytest.raises(CiphertextError):
        selectors.open_portrait(first.id, tenant="demo", purpose_consent=row.id)


def test_picture_does_not_open_as_a_preview(world):
    first = world.enrol().portraits.first()
    Portrait.objects.filter(id=first.id).update(preview_blob=first.blob)
    with pytest.raises(CiphertextError):
        selectors.portrait_preview(first.id, tenant="demo")


def test_ciphertext_that_was_cut_does_not_open(world):
    row = world.activate()
    portrait = row.identity.portraits.first()
    path = storages["blobs"].path(portrait.blob)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CiphertextError):
        selectors.open_portrait(portrait.id, tenant="demo", purpose_consent=row.id)


def test_embedding_moved_to_another_row_does_not_open(world):
    row = world.activate()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consent_template SET sealed = (SELECT sealed FROM consent_template ORDER BY id LIMIT 1)"
        )
    with pytest.raises(CiphertextError):
        selectors.template(row.identity_id)


# ---- performers


def performers(world, **change):
    use = replace(world.use, **change)
    return selectors.performers(tenant="demo", use=use, now=timezone.now())


def test_only_active_performance_releases_count(world):
    world.activate(world.enrol("chen"))  # a likeness is no performer
    person = world.enrol("li", kind="performer")
    assert performers(world) == ()
    row = world.activate(person)
    (found,) = performers(world)
    assert (found.identity_id, found.consent_id, found.epoch) == (person.id, row.id, 0)
    np.testing.assert_array_equal(found.vectors[1], fakes.vector("li", 1))
    assert performers(world, purpose="marketing") == ()
    assert selectors.performers(tenant="other", use=world.use, now=timezone.now()) == ()
    services.revoke(row.id, reason="x", by=world.by["legal"])
    assert performers(world) == ()


def test_performer_is_no_source(world):
    row = world.activate(world.enrol("li", kind="performer"))
    assert reasons(world, row.identity) == ("scope.operation",)


# ---- the gallery


def test_gallery_is_empty_at_first(world):
    found = selectors.blocked_faces(tenant="demo")
    assert (found.version, found.entries, found.model_sha256) == (0, (), "")


def test_gallery_of_two_models_is_refused(world, settings):
    services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["legal"])
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse_otherwise"
    services.block(image=fakes.picture("li"), identity_id=None, reason="x", by=world.by["legal"])
    with pytest.raises(GalleryError):
        selectors.blocked_faces(tenant="demo")


def test_gallery_that_does_not_open_is_an_error(world):
    services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["legal"])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE consent_blocktemplate SET number = 5")
    with pytest.raises(CiphertextError):
        selectors.blocked_faces(tenant="demo")


def test_gallery_grows_with_each_change_and_belongs_to_one_tenant(world, person):
    other = person("legal", tenant="other").actor
    services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["legal"])
    services.block(image=fakes.picture("li"), identity_id=None, reason="x", by=world.by["legal"])
    services.revoke(world.activate().id, reason="x", by=world.by["legal"])
    services.block(image=fakes.picture("wu"), identity_id=None, reason="x", by=other)
    assert selectors.gallery_version(tenant="demo") == 3
    assert len(selectors.blocked_faces(tenant="demo").entries) == 2
    assert len(selectors.blocked_faces(tenant="other").entries) == 1


# ---- lists, timeline, log


def test_review_queue_is_what_waits_oldest_first(world):
    first, second = world.submit(), world.submit(world.enrol("chen"))
    world.activate(world.enrol("li"))
    assert list(selectors.review_queue(tenant="demo")) == [first, second]
    assert list(selectors.review_queue(tenant="other")) == []
    assert selectors.consents(tenant="demo", state="active").count() == 1


@pytest.mark.parametrize(
    "ask", [selectors.identity, selectors.consent, selectors.portrait_preview, selectors.document]
)
def test_missing_row_reads_as_another_tenants(world, ask):
    row = world.submit()
    ids = {selectors.identity: row.identity_id, selectors.portrait_preview: row.identity.portraits.first().id}
    for asked, tenant in ((ids.get(ask, row.id), "other"), ("con_0000000000000000", "demo"), ("", "demo")):
        with pytest.raises(NotFoundError) as caught:
            ask(asked, tenant=tenant)
        assert str(caught.value) == "Not found."


def test_epoch_of_a_missing_consent_is_an_error(world):
    with pytest.raises(NotFoundError):
        selectors.epoch("con_0000000000000000")


def test_history_tells_each_step_with_its_person(world):
    row = world.activate()
    services.revoke(row.id, reason="Changed my mind.", by=world.by["requester"])
    steps = selectors.history(row.id)
    assert [(step.what, step.state, step.role) for step in steps] == [
        ("submitted", "in_review", ""),
        ("approved", "in_review", "legal"),
        ("approved", "active", "business"),
        ("revoked", "revoked", ""),
    ]
    assert [step.person for step in steps] == [
        world.by[name].id for name in ("requester", "legal", "business", "requester")
    ]
    assert steps[-1].reason == "Changed my mind."
    assert {step.index for step in steps} == {None}
