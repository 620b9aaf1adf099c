from datetime import timedelta

import numpy as np
import pytest
from django.core.files.storage import storages
from django.db import connection
from django.utils import timezone

from consent import selectors, services
from consent.errors import (
    ConcurrentError,
    EmbedderError,
    LicenceInvalidError,
    NotFoundError,
    PortraitRefusedError,
    RequestInvalidError,
    RoleError,
    ShreddedError,
    StateError,
)
from consent.terms import Representative
from tests.consent import fakes
from tests.consent.samples import make_terms

pytestmark = pytest.mark.django_db


# ---- enrolment: bad input first


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "$.name"),
        ({"name": "x" * 61}, "$.name"),
        ({"name": "王\u200b五"}, "$.name"),
        ({"name": "a\x00b"}, "$.name"),
        ({"status": "minor"}, "$.status"),
        ({"kind": "voice"}, "$.kind"),
        ({"portraits": []}, "$.portraits"),
        ({"portraits": [fakes.picture("wang", i) for i in range(21)]}, "$.portraits"),
    ],
)
def test_enrol_names_what_is_wrong(world, change, path):
    good = {"name": "王五", "status": "living", "kind": "likeness", "portraits": [fakes.picture("wang")]}
    with pytest.raises(RequestInvalidError) as caught:
        services.enrol(**{**good, **change}, by=world.by["requester"])
    assert path in caught.value.fields
    assert not selectors.identities(tenant="demo").exists()


@pytest.mark.parametrize(
    ("portraits", "code"),
    [
        ([b""], "empty"),
        ([b"x" * (20 * 2**20 + 1)], "too_large"),
        ([fakes.picture("wang"), fakes.picture("wang")], "repeated"),
        ([b"no picture at all"], "face.none"),
        ([fakes.picture("wang"), b"dark"], "light.dark"),
    ],
)
def test_refused_portrait_keeps_nothing(world, home, portraits, code):
    with pytest.raises(PortraitRefusedError) as caught:
        services.enrol(
            name="王五", status="living", kind="likeness", portraits=portraits, by=world.by["requester"]
        )
    assert code in {failure.code for failure in caught.value.failures}
    assert not selectors.identities(tenant="demo").exists()
    assert not [path for path in (home / "blobs").rglob("*") if path.is_file()]


def test_refused_portrait_says_every_reason_and_shows_the_picture(world):
    with pytest.raises(PortraitRefusedError) as caught:
        services.enrol(
            name="王五",
            status="living",
            kind="likeness",
            portraits=[fakes.picture("w"), b"dark"],
            by=world.by["requester"],
        )
    assert [(f.path, f.code) for f in caught.value.failures] == [
        ("$.portraits[1]", "light.dark"),
        ("$.portraits[1]", "face.small"),
    ]
    assert caught.value.preview_png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "embedder",
    ["analyse_nan", "analyse_zero", "analyse_nothing", "analyse_silent", "analyse_both", "missing"],
)
def test_embedder_without_a_usable_answer_refuses(world, settings, embedder):
    settings.LIKENESS_FACE_EMBEDDER = f"tests.consent.fakes.{embedder}"
    with pytest.raises(EmbedderError):
        world.enrol()


@pytest.mark.parametrize("role", ["legal", "business", "expert", "auditor"])
def test_only_requester_or_operator_enrols(world, role):
    with pytest.raises(RoleError):
        services.enrol(
            name="王五", status="living", kind="likeness", portraits=[fakes.picture("w")], by=world.by[role]
        )


def test_enrolled_person_has_pseudonym_portraits_and_quality(world):
    person = world.enrol()
    assert person.id.startswith("idn_")
    assert person.subject.startswith("sub_")
    assert [row.quality["measures"]["eyes_px"] for row in person.portraits.all()] == [92, 92]


def test_nothing_readable_is_stored(world, home):
    world.enrol()
    stored = b"".join(path.read_bytes() for path in (home / "blobs").rglob("*") if path.is_file())
    assert b"face wang" not in stored
    assert b"PNG" not in stored
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed FROM consent_template")
        rows = [bytes(row[0]) for row in cursor.fetchall()]
    assert len(rows) == 2
    assert all(fakes.vector("wang", number).tobytes()[:16] not in row for number in (0, 1) for row in rows)


# ---- adding portraits


def test_portrait_is_not_added_twice(world):
    with pytest.raises(PortraitRefusedError):
        services.add_portrait(world.enrol().id, data=fakes.picture("wang"), by=world.by["requester"])


def test_identity_has_a_most_of_portraits(world):
    person = world.enrol(pictures=20)
    with pytest.raises(StateError):
        services.add_portrait(person.id, data=fakes.picture("wang", 99), by=world.by["requester"])


def test_added_portrait_is_not_covered_by_an_earlier_licence(world):
    row = world.activate()
    added = services.add_portrait(row.identity_id, data=fakes.picture("wang", 9), by=world.by["requester"])
    assert added.sha256 not in selectors.document(row.id, tenant="demo").material
    assert len(selectors.template(row.identity_id).vectors) == 2


# ---- submitting


def test_invalid_terms_store_nothing(world):
    person = world.enrol()
    with pytest.raises(LicenceInvalidError) as caught:
        services.submit(person.id, terms=world.terms(channels=["television"]), by=world.by["requester"])
    assert "$.grant.channels[0]" in caught.value.fields
    assert not selectors.consents(tenant="demo").exists()


def test_operation_without_its_consent_is_refused(world):
    with pytest.raises(LicenceInvalidError) as caught:
        world.submit(separate_consents=[])
    assert caught.value.code == "licence.invalid"
    with pytest.raises(LicenceInvalidError) as caught:
        world.submit(operations=["voice"])
    assert caught.value.code == "consent_missing"


def test_deceased_person_needs_a_representative(world):
    with pytest.raises(LicenceInvalidError) as caught:
        world.submit(world.enrol(status="deceased"))
    assert "$.subject.representative" in caught.value.fields


def test_performer_grants_a_performance_only(world):
    with pytest.raises(LicenceInvalidError):
        world.submit(world.enrol(kind="performer"), operations=["face_swap"])


@pytest.mark.parametrize("role", ["legal", "business", "expert", "auditor"])
def test_only_requester_or_operator_submits(world, role):
    with pytest.raises(RoleError):
        services.submit(world.enrol().id, terms=world.terms(), by=world.by[role])


def test_submitted_document_lists_the_portraits_and_is_signed(world):
    row = world.submit()
    opened = selectors.document(row.id, tenant="demo")
    assert opened.sha256 == row.document_sha256
    assert set(opened.material) == {p.sha256 for p in row.identity.portraits.all()}
    assert opened.document["sample"] is True


def test_each_submission_is_a_new_revision(world):
    person = world.enrol()
    assert [world.submit(person).revision for _ in range(2)] == [1, 2]


# ---- approving


def test_submitter_cannot_approve(world, person):
    both = person("requester", "legal").actor
    row = services.submit(world.enrol().id, terms=world.terms(), by=both)
    with pytest.raises(RoleError):
        services.approve(row.id, role="legal", by=both)


def test_enroller_cannot_approve(world, person):
    both = person("requester", "legal").actor
    who = services.enrol(
        name="王五", status="living", kind="likeness", portraits=[fakes.picture("x")], by=both
    )
    row = world.submit(who)
    with pytest.raises(RoleError):
        services.approve(row.id, role="legal", by=both)


def test_role_that_is_not_held_cannot_approve(world):
    row = world.submit()
    with pytest.raises(RoleError):
        services.approve(row.id, role="business", by=world.by["legal"])


def test_role_that_does_not_exist_is_refused(world):
    with pytest.raises(RequestInvalidError):
        services.approve(world.submit().id, role="intern", by=world.by["legal"])


def test_one_person_cannot_approve_in_two_roles(world, person):
    both = person("legal", "business").actor
    row = world.submit()
    services.approve(row.id, role="legal", by=both)
    with pytest.raises(ConcurrentError):
        services.approve(row.id, role="business", by=both)
    assert selectors.consent(row.id, tenant="demo").state == "in_review"


def test_one_role_approves_once(world, person):
    row = world.submit()
    services.approve(row.id, role="legal", by=world.by["legal"])
    with pytest.raises(ConcurrentError):
        services.approve(row.id, role="legal", by=person("legal").actor)


def test_two_people_make_a_consent_active(world):
    row = world.submit()
    assert services.approve(row.id, role="legal", by=world.by["legal"]).state == "in_review"
    assert services.approve(row.id, role="business", by=world.by["business"]).state == "active"


@pytest.mark.parametrize("status", ["deceased", "historic"])
def test_expert_approves_for_who_is_not_living(world, status):
    row = world.submit(world.enrol(status=status), representative=Representative("王二", "b" * 64))
    services.approve(row.id, role="legal", by=world.by["legal"])
    row = services.approve(row.id, role="business", by=world.by["business"])
    assert (row.state, selectors.missing_approvals(row)) == ("in_review", ("expert",))
    assert services.approve(row.id, role="expert", by=world.by["expert"]).state == "active"


def test_active_consent_takes_no_more_approvals(world):
    row = world.activate()
    with pytest.raises(StateError):
        services.approve(row.id, role="expert", by=world.by["expert"])


def test_term_that_has_ended_is_not_approved(world):
    now = timezone.now()
    row = world.submit(not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))
    with pytest.raises(StateError):
        services.approve(row.id, role="legal", by=world.by["legal"])


def test_consent_without_material_is_not_activated(world):
    person = world.enrol()
    waiting, other = world.submit(person), world.submit(person)
    services.approve(waiting.id, role="legal", by=world.by["legal"])
    services.revoke(other.id, reason="changed my mind", by=world.by["requester"])
    with pytest.raises(ConcurrentError, match="destroyed"):
        services.approve(waiting.id, role="business", by=world.by["business"])


# ---- rejecting


def test_rejected_consent_is_final(world):
    row = services.reject(world.submit().id, reason="No proof of age.", by=world.by["legal"])
    assert row.state == "rejected"
    with pytest.raises(StateError):
        services.approve(row.id, role="business", by=world.by["business"])
    with pytest.raises(StateError):
        services.revoke(row.id, reason="x", by=world.by["legal"])


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501, "a\x00b", "\ud800"])
def test_decision_needs_a_reason(world, reason):
    row = world.submit()
    for decide in (services.reject, services.revoke):
        with pytest.raises(RequestInvalidError):
            decide(row.id, reason=reason, by=world.by["legal"])


def test_requester_cannot_reject(world):
    with pytest.raises(RoleError):
        services.reject(world.submit().id, reason="x", by=world.by["requester"])


# ---- revoking


def test_revoked_consent_destroys_the_material(world, django_capture_on_commit_callbacks):
    row = world.activate()
    portrait = row.identity.portraits.first()
    with django_capture_on_commit_callbacks(execute=True):
        revoked = services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    assert (revoked.state, revoked.epoch) == ("revoked", row.epoch + 1)
    assert selectors.epoch(row.id) == row.epoch + 1
    with pytest.raises(ShreddedError):
        selectors.portrait_preview(portrait.id, tenant="demo")
    assert not storages["blobs"].exists(portrait.blob)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM consent_template")
        assert cursor.fetchone() == (0,)


def test_revoked_twice_is_revoked_once(world):
    row = world.activate()
    first = services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    second = services.revoke(row.id, reason="again", by=world.by["legal"])
    assert (first.epoch, first.withdrawn) == (second.epoch, second.withdrawn)
    assert len(fakes.withdrawn) == 1


def test_revocation_tells_who_runs_on_it(world):
    row = world.activate()
    services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    assert fakes.withdrawn == [(row.id, row.identity_id, world.by["requester"].id)]


def test_failing_handler_undoes_the_revocation(world, settings):
    row = world.activate()
    settings.LIKENESS_REVOCATION_HANDLERS = ["tests.consent.fakes.withdraw_fails"]
    with pytest.raises(RuntimeError):
        services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    assert selectors.consent(row.id, tenant="demo").state == "active"
    assert selectors.portrait_preview(row.identity.portraits.first().id, tenant="demo")


def test_material_stays_while_another_licence_is_in_force(world):
    person = world.enrol()
    kept, ended = world.activate(person), world.activate(person)
    services.revoke(ended.id, reason="withdrawn", by=world.by["requester"])
    assert (
        selectors.permission(person.id, tenant="demo", use=world.use, now=timezone.now()).consent_id
        == kept.id
    )
    assert selectors.portrait_preview(person.portraits.first().id, tenant="demo")
    services.revoke(kept.id, reason="withdrawn", by=world.by["requester"])
    with pytest.raises(ShreddedError):
        selectors.portrait_preview(person.portraits.first().id, tenant="demo")


def test_expired_consent_is_withdrawn_but_stays_expired(world):
    row = world.activate()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE consent_consent SET state = 'expired' WHERE id = %s", [row.id])
    row = services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    assert (row.state, row.withdrawn is not None) == ("expired", True)
    assert len(fakes.withdrawn) == 1


def test_auditor_cannot_revoke(world):
    with pytest.raises(RoleError):
        services.revoke(world.activate().id, reason="x", by=world.by["auditor"])


def test_person_enrols_anew_after_a_withdrawal(world):
    row = world.activate()
    services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    with pytest.raises(StateError):
        world.submit(row.identity)
    services.add_portrait(row.identity_id, data=fakes.picture("wang", 0), by=world.by["requester"])
    again = world.activate(row.identity)
    assert len(selectors.template(again.identity_id).vectors) == 1


# ---- the block list


@pytest.mark.parametrize(
    "change",
    [
        {"image": None},
        {"identity_id": "idn_0000000000000000"},
        {"reason": " "},
        {"list_": "friends"},
    ],
)
def test_block_needs_one_face_a_reason_and_a_list(world, change):
    good = {"image": fakes.picture("chen"), "identity_id": None, "reason": "Court order 7/2026"}
    with pytest.raises(RequestInvalidError):
        services.block(**{**good, **change}, by=world.by["legal"])
    assert selectors.blocked_faces(tenant="demo").entries == ()


def test_block_of_a_picture_without_a_face_keeps_nothing(world):
    with pytest.raises(PortraitRefusedError):
        services.block(image=b"a wall", identity_id=None, reason="x", by=world.by["legal"])
    assert selectors.gallery_version(tenant="demo") == 0


@pytest.mark.parametrize("role", ["requester", "business", "expert", "auditor"])
def test_only_legal_or_operator_blocks(world, role):
    with pytest.raises(RoleError):
        services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by[role])


def test_blocked_picture_is_in_the_gallery_and_nowhere_else(world, home):
    entry = services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["legal"])
    gallery = selectors.blocked_faces(tenant="demo")
    assert (gallery.version, gallery.model_sha256, gallery.metric) == (1, fakes.MODEL, "l2")
    assert [entry_id for entry_id, _ in gallery.entries] == [entry.id]
    np.testing.assert_array_equal(gallery.entries[0][1], fakes.vector("chen"))
    assert not [path for path in (home / "blobs").rglob("*") if path.is_file()]


def test_blocked_identity_is_in_the_gallery_with_every_picture(world):
    person = world.enrol(pictures=3)
    entry = services.block(image=None, identity_id=person.id, reason="x", by=world.by["legal"])
    assert [entry_id for entry_id, _ in selectors.blocked_faces(tenant="demo").entries] == [entry.id] * 3
    with pytest.raises(StateError):
        services.block(image=None, identity_id=person.id, reason="x", by=world.by["legal"])


def test_block_outlives_the_withdrawal_of_the_blocked(world):
    row = world.activate()
    services.block(image=None, identity_id=row.identity_id, reason="x", by=world.by["legal"])
    services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    assert len(selectors.blocked_faces(tenant="demo").entries) == 2


def test_identity_without_material_is_blocked_by_a_picture(world):
    row = world.activate()
    services.revoke(row.id, reason="withdrawn", by=world.by["requester"])
    with pytest.raises(StateError):
        services.block(image=None, identity_id=row.identity_id, reason="x", by=world.by["legal"])


def test_unblocked_face_is_gone(world, person):
    entry = services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["operator"])
    services.unblock(entry.id, by=world.by["legal"])
    gallery = selectors.blocked_faces(tenant="demo")
    assert (gallery.version, gallery.entries) == (2, ())
    with pytest.raises(StateError):
        services.unblock(entry.id, by=world.by["legal"])


def test_whoever_blocked_does_not_unblock(world):
    entry = services.block(image=fakes.picture("chen"), identity_id=None, reason="x", by=world.by["legal"])
    with pytest.raises(RoleError):
        services.unblock(entry.id, by=world.by["legal"])


# ---- tenants


STRANGE = "blk_0000000000000000"


@pytest.mark.parametrize(
    "change",
    [
        lambda row, who: services.approve(row.id, role="legal", by=who),
        lambda row, who: services.reject(row.id, reason="x", by=who),
        lambda row, who: services.revoke(row.id, reason="x", by=who),
        lambda row, who: services.add_portrait(row.identity_id, data=fakes.picture("x"), by=who),
        lambda row, who: services.submit(row.identity_id, terms=make_terms(), by=who),
        lambda row, who: services.block(image=None, identity_id=row.identity_id, reason="x", by=who),
        lambda row, who: services.unblock(row.id and STRANGE, by=who),
    ],
)
def test_another_tenant_finds_nothing(world, person, change):
    stranger = person("requester", "legal", "operator", tenant="other").actor
    with pytest.raises(NotFoundError) as caught:
        change(world.submit(), stranger)
    assert str(caught.value) == "Not found."
