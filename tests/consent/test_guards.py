"""SQL as the application's role, past every service."""

import pytest
from django.db import IntegrityError, connection, transaction

from consent import services

pytestmark = pytest.mark.django_db


def sql(statement, *values):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def approve(row, role, person, sha256=None):
    sql(
        "INSERT INTO consent_approval (tenant, consent_id, role, person, document_sha256, created)"
        " VALUES (%s, %s, %s, %s, %s, now())",
        *(row.tenant, row.id, role, person, sha256 or row.document_sha256),
    )


def set_state(row, state, more=""):
    sql(f"UPDATE consent_consent SET state = %s {more} WHERE id = %s", state, row.id)  # noqa: S608


@pytest.fixture
def row(world):
    return world.submit()


def test_application_writes_as_its_own_role(row):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("likeness_app", False)


def test_submitter_cannot_approve(row):
    with pytest.raises(IntegrityError, match="submitted or enrolled"):
        approve(row, "legal", row.submitted_by)


def test_enroller_cannot_approve(world, people, person):
    other = person("requester").actor
    row = services.submit(world.enrol().id, terms=world.terms(), by=other)
    with pytest.raises(IntegrityError, match="submitted or enrolled"):
        approve(row, "legal", world.by["requester"].id)


def test_whoever_added_a_portrait_cannot_approve(world, row, person):
    helper = person("operator", "legal").actor
    services.add_portrait(row.identity_id, data=b"face wang 9", by=helper)
    with pytest.raises(IntegrityError, match="submitted or enrolled"):
        approve(row, "legal", helper.id)


def test_one_person_cannot_approve_twice(row):
    approve(row, "legal", "usr_1")
    with pytest.raises(IntegrityError, match="approval_once_a_person"):
        approve(row, "business", "usr_1")


def test_one_role_cannot_approve_twice(row):
    approve(row, "legal", "usr_1")
    with pytest.raises(IntegrityError, match="approval_once_a_role"):
        approve(row, "legal", "usr_2")


def test_another_document_cannot_be_approved(row):
    with pytest.raises(IntegrityError, match="in review"):
        approve(row, "legal", "usr_1", sha256="0" * 64)


def test_unknown_role_cannot_approve(row):
    with pytest.raises(IntegrityError, match="approval_role"):
        approve(row, "intern", "usr_1")


@pytest.mark.parametrize(
    "statement", ["UPDATE consent_approval SET person = 'usr_9'", "DELETE FROM consent_approval"]
)
def test_approval_is_never_changed(row, statement):
    approve(row, "legal", "usr_1")
    with pytest.raises(IntegrityError, match="never changed"):
        sql(statement)


@pytest.mark.parametrize("roles", [[], ["legal"], ["business"], ["legal", "expert"]])
def test_consent_is_not_active_before_legal_and_business(row, roles):
    for number, role in enumerate(roles):
        approve(row, role, f"usr_{number}")
    with pytest.raises(IntegrityError, match="legal and business"):
        set_state(row, "active")


def test_consent_is_active_after_legal_and_business(row):
    approve(row, "legal", "usr_1")
    approve(row, "business", "usr_2")
    set_state(row, "active")


@pytest.mark.parametrize("status", ["deceased", "historic"])
def test_person_who_is_not_living_needs_an_expert(world, status):
    from consent.terms import Representative

    row = world.submit(world.enrol(status=status), representative=Representative("王二", "b" * 64))
    approve(row, "legal", "usr_1")
    approve(row, "business", "usr_2")
    with pytest.raises(IntegrityError, match="expert"):
        set_state(row, "active")
    approve(row, "expert", "usr_3")
    set_state(row, "active")


def test_consent_without_material_is_not_active(row):
    approve(row, "legal", "usr_1")
    approve(row, "business", "usr_2")
    sql("UPDATE consent_asset SET wrapped_key = NULL, shredded = now()")
    with pytest.raises(IntegrityError, match="destroyed"):
        set_state(row, "active")


@pytest.mark.parametrize(
    "state", ["draft", "subject_signed", "suspended", "expired", "superseded", "nonsense"]
)
def test_review_ends_only_in_a_decision(row, state):
    with pytest.raises(IntegrityError):
        set_state(row, state)


@pytest.mark.parametrize(
    "state", ["draft", "in_review", "active", "suspended", "revoked", "expired", "superseded"]
)
def test_rejected_consent_stays_rejected(world, row, state):
    services.reject(row.id, reason="no", by=world.by["legal"])
    with pytest.raises(IntegrityError):
        set_state(row, state)


@pytest.mark.parametrize(
    "state", ["draft", "in_review", "active", "suspended", "rejected", "expired", "superseded"]
)
def test_revoked_consent_stays_revoked(world, state):
    row = services.revoke(world.activate().id, reason="no", by=world.by["legal"])
    with pytest.raises(IntegrityError):
        set_state(row, state)


def test_consent_is_not_born_active(row):
    with pytest.raises(IntegrityError, match="begins"):
        sql(
            "INSERT INTO consent_consent SELECT 'con_x', tenant, document, document_sha256, signature,"
            " 'active', epoch, revision, not_before, not_after, sample, submitted_by, created, withdrawn,"
            " identity_id"
            " FROM consent_consent"
        )


@pytest.mark.parametrize(
    "change",
    [
        "document = 'x'",
        "document_sha256 = repeat('0', 64)",
        "signature = 'x'",
        "revision = 7",
        "not_after = not_after + interval '1 year'",
        "not_before = not_before - interval '1 year'",
        "sample = NOT sample",
        "submitted_by = 'usr_9'",
        "tenant = 'other'",
        "id = 'con_9'",
        "created = now() - interval '1 year'",
    ],
)
def test_submitted_document_is_never_changed(row, change):
    with pytest.raises(IntegrityError, match="never changed"):
        sql(f"UPDATE consent_consent SET {change}")  # noqa: S608


def test_consent_is_never_deleted(row):
    with pytest.raises(IntegrityError, match="never changed or deleted"):
        sql("DELETE FROM consent_consent")


def test_timeline_is_never_changed(row):
    for statement in ("UPDATE consent_step SET person = 'usr_9'", "DELETE FROM consent_step"):
        with pytest.raises(IntegrityError, match="never changed"):
            sql(statement)


@pytest.mark.parametrize(
    "change",
    ["epoch = epoch - 1", "withdrawn = NULL", "withdrawn = now() + interval '1 day', epoch = epoch + 1"],
)
def test_withdrawal_is_never_undone(world, change):
    services.revoke(world.activate().id, reason="no", by=world.by["legal"])
    with pytest.raises(IntegrityError):
        sql(f"UPDATE consent_consent SET {change}")  # noqa: S608


def test_withdrawal_needs_a_new_epoch(row):
    with pytest.raises(IntegrityError, match="new epoch"):
        set_state(row, "revoked", ", withdrawn = now()")


def test_revoked_needs_its_moment(row):
    with pytest.raises(IntegrityError, match="consent_revoked_has_moment"):
        set_state(row, "revoked")


def test_withdrawal_leaves_no_key_behind(row):
    with pytest.raises(IntegrityError, match="no data key"):
        set_state(row, "revoked", ", withdrawn = now(), epoch = epoch + 1")


@pytest.mark.parametrize(
    "change", ["status = 'living'", "tenant = 'other'", "subject = 'sub_9'", "kind = 'performer'"]
)  # fmt: skip
def test_person_does_not_change_after_enrolment(world, change):
    world.enrol(status="historic")
    with pytest.raises(IntegrityError, match="does not change"):
        sql(f"UPDATE consent_identity SET {change}")  # noqa: S608


def test_shredded_key_does_not_come_back(world):
    world.enrol()
    sql("UPDATE consent_asset SET wrapped_key = NULL, shredded = now()")
    with pytest.raises(IntegrityError, match="destroyed"):
        sql("UPDATE consent_asset SET wrapped_key = 'x', shredded = NULL, kek_id = 'kek-2'")


def test_key_is_not_exchanged(world):
    world.enrol()
    with pytest.raises(IntegrityError, match="wrapped again"):
        sql("UPDATE consent_asset SET wrapped_key = 'x'")


def test_portrait_is_not_exchanged(world):
    world.enrol()
    with pytest.raises(IntegrityError, match="not exchanged"):
        sql("UPDATE consent_portrait SET sha256 = repeat('0', 64) WHERE added_by <> ''")


def test_guards_cannot_be_switched_off(row):
    from django.db import ProgrammingError

    for statement in (
        "ALTER TABLE consent_consent DISABLE TRIGGER ALL",
        "DROP TRIGGER consent_changes ON consent_consent",
        "SET session_replication_role = replica",
        "TRUNCATE consent_approval",
    ):
        with pytest.raises(ProgrammingError):
            sql(statement)


def test_every_guard_always_fires(row):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
            " WHERE relname LIKE 'consent\\_%%' AND NOT tgisinternal", []
        )  # fmt: skip
        found = dict(cursor.fetchall())
    assert len(found) == 15
    assert set(found.values()) == {"A"}
