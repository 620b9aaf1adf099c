"""Rows edited by SQL as the owner of the database, past the guards."""

# ruff: noqa: S608  the statements are written here

import pytest
from django.db import connections
from django.utils import timezone

from consent import selectors, services
from consent.errors import CiphertextError, LicenceTamperedError, SourceNotLicensedError

pytestmark = pytest.mark.usefixtures("live_database")


def reasons(world, person):
    return selectors.permission(person.id, tenant="demo", use=world.use, now=timezone.now()).reasons


def as_owner(*statements):
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE consent_consent DISABLE TRIGGER USER")
        cursor.execute("ALTER TABLE consent_approval DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)


WIDER = """convert_to(replace(convert_from(document, 'UTF8'), '"branch_screen"', '"mobile_app"'), 'UTF8')"""


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE consent_consent SET document = {WIDER}",
        f"UPDATE consent_consent SET document = {WIDER}, document_sha256 = encode(sha256({WIDER}), 'hex')",
        "UPDATE consent_consent SET signature = decode(repeat('00', 64), 'hex')",
        "UPDATE consent_consent SET document_sha256 = repeat('0', 64)",
        "UPDATE consent_consent SET not_after = not_after + interval '9 years'",
        "UPDATE consent_consent SET revision = 9",
        "UPDATE consent_consent SET sample = false",
        "DELETE FROM consent_approval WHERE role = 'legal'",
        "UPDATE consent_approval SET person = 'usr_same'",
        "UPDATE consent_approval SET document_sha256 = repeat('0', 64)",
        "UPDATE consent_consent SET submitted_by = (SELECT min(person) FROM consent_approval)",
    ],
)
def test_row_edited_past_the_guards_is_refused(live_database, world, statement):
    row = world.activate()
    if "usr_same" in statement:
        statement = "ALTER TABLE consent_approval DROP CONSTRAINT approval_once_a_person; " + statement
    as_owner(statement)
    assert reasons(world, row.identity) == ("licence.tampered",)
    with pytest.raises(SourceNotLicensedError):
        selectors.licensed_source(row.identity_id, tenant="demo")
    with pytest.raises(LicenceTamperedError):
        selectors.document(row.id, tenant="demo")


def test_row_made_active_past_the_guards_is_refused(live_database, world):
    row = world.submit()
    as_owner("UPDATE consent_consent SET state = 'active'")
    assert reasons(world, row.identity) == ("licence.tampered",)


def test_document_moved_to_another_person_is_refused(live_database, world):
    row, other = world.activate(), world.activate(world.enrol("chen"))
    as_owner(
        "UPDATE consent_consent c SET document = o.document, document_sha256 = o.document_sha256,"
        f" signature = o.signature FROM consent_consent o WHERE c.id = '{other.id}' AND o.id = '{row.id}'",
        f"UPDATE consent_approval SET document_sha256 = '{row.document_sha256}'",
    )
    assert reasons(world, other.identity) == ("licence.tampered",)
    assert reasons(world, row.identity) == ()


def test_tampered_row_is_not_approved(live_database, world):
    row = world.submit()
    as_owner("UPDATE consent_consent SET not_after = not_after + interval '9 years'")
    with pytest.raises(LicenceTamperedError):
        services.approve(row.id, role="legal", by=world.by["legal"])


def test_key_moved_to_another_asset_does_not_open(live_database, world):
    row, other = world.activate(), world.activate(world.enrol("chen"))
    with connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE consent_asset DISABLE TRIGGER USER")
        cursor.execute(
            "UPDATE consent_asset SET wrapped_key ="
            " (SELECT wrapped_key FROM consent_asset WHERE identity_id = %s) WHERE identity_id = %s",
            [row.identity_id, other.identity_id],
        )
    with pytest.raises(CiphertextError):
        selectors.template(other.identity_id)
