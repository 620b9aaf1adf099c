"""A row of the table is believed only after its document, signature, columns and approvals agree."""

from __future__ import annotations

from consent import catalogue, licence, vault
from consent.errors import LicenceTamperedError
from consent.licence import Licence
from consent.models import Approval, Consent, Role, State


def open_licence(row: Consent) -> Licence:
    """The licence of a row.

    Raises:
        LicenceTamperedError: the row is not what was signed, or is active without its approvals.
        KeyUnavailableError: the key that checks the signature is not there.
    """
    opened = licence.open_signed(
        bytes(row.document),
        sha256=row.document_sha256,
        signature=bytes(row.signature),
        public=licence.public_key(vault.seed("licence")),
    )
    if _stated(opened) != _columns(row) or row.identity.tenant != row.tenant:
        raise LicenceTamperedError(f"The row of consent {row.id} does not say what was signed.")
    if row.state == State.ACTIVE and not _approved(row):
        raise LicenceTamperedError(f"Consent {row.id} is active without its approvals.")
    return opened


def missing_approvals(row: Consent) -> tuple[str, ...]:
    """The roles that still have to approve the document as it stands."""
    given = {approval.role for approval in _of_this_document(row)}
    needed = [Role.LEGAL, Role.BUSINESS]
    if row.identity.status != catalogue.Status.LIVING:
        needed.append(Role.EXPERT)
    return tuple(str(role) for role in needed if role not in given)


def _approved(row: Consent) -> bool:
    people = [approval.person for approval in _of_this_document(row)]
    distinct = len(set(people)) == len(people) and row.submitted_by not in people
    return distinct and not missing_approvals(row)


def _of_this_document(row: Consent) -> list[Approval]:
    return [entry for entry in row.approvals.all() if entry.document_sha256 == row.document_sha256]


def _stated(opened: Licence) -> tuple[object, ...]:
    document = opened.document
    subject = document["subject"]
    return (
        *(document["licence_id"], document["revision"], document["kind"], document["sample"]),
        *(subject["identity"], subject["pid"], subject["status"]),
        *(opened.not_before, opened.not_after),
    )


def _columns(row: Consent) -> tuple[object, ...]:
    person = row.identity
    return (
        *(row.id, row.revision, person.kind, row.sample),
        *(person.id, person.subject, person.status),
        *(row.not_before, row.not_after),
    )
