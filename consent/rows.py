"""Locks and moves of rows that several services share; always inside the service's transaction.

Locks are taken in one order: identity, consent, gallery, so that a withdrawal and an approval never pass each
other.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction

from audit.events import Actor
from consent import material
from consent.errors import ConcurrentError, NotFoundError, RoleError, StateError
from consent.models import IN_FORCE, Approval, Consent, GalleryVersion, Identity, State


def lock_identity(identity_id: str, *, tenant: str) -> Identity:
    """The tenant's identity, locked.

    Raises:
        NotFoundError: missing, or another tenant's.
    """
    row = Identity.objects.select_for_update().filter(id=identity_id, tenant=tenant).first()
    if row is None:
        raise NotFoundError
    return row


def lock_consent(consent_id: str, *, tenant: str) -> Consent:
    """The tenant's consent, locked after its identity.

    Raises:
        NotFoundError: missing, or another tenant's.
    """
    found = Consent.objects.filter(id=consent_id, tenant=tenant).values_list("identity_id", flat=True).first()
    if found is None:
        raise NotFoundError
    person = lock_identity(found, tenant=tenant)
    row = Consent.objects.select_for_update().get(id=consent_id)
    row.identity = person
    return row


def require_review(row: Consent) -> None:
    """Refuse a consent that nobody decides on now.

    Raises:
        StateError: not in review.
    """
    if row.state != State.IN_REVIEW:
        raise StateError(f"Consent {row.id} is {row.state}, not in review.")


def require_another(row: Consent, by: Actor) -> None:
    """Refuse an actor who brought the consent or the material in.

    Raises:
        RoleError: the actor submitted or enrolled.
    """
    added = row.identity.portraits.filter(added_by=by.id).exists()
    if added or by.id in {row.submitted_by, row.identity.enrolled_by}:
        raise RoleError(f"Whoever submitted or enrolled does not decide on consent {row.id}.")


def insert_approval(row: Consent, *, role: str, by: Actor) -> None:
    """Store an approval of the document as it stands.

    Raises:
        ConcurrentError: the person or the role has approved it already, or a guard of the database refused.
    """
    try:
        with transaction.atomic():
            Approval.objects.create(
                tenant=row.tenant, consent=row, role=role, person=by.id, document_sha256=row.document_sha256
            )
    except IntegrityError as error:
        raise ConcurrentError(f"Consent {row.id} cannot take this approval: {_guard(error)}") from error


def move(row: Consent, state: State) -> None:
    """Change the state.

    Raises:
        ConcurrentError: a guard of the database refused.
    """
    row.state = state
    try:
        with transaction.atomic():
            row.save(update_fields=["state"])
    except IntegrityError as error:
        raise ConcurrentError(f"Consent {row.id} cannot become {state}: {_guard(error)}") from error


def destroy_unlicensed(person: Identity) -> None:
    """Destroy the person's material unless another licence is in force."""
    if not person.consents.filter(state__in=IN_FORCE, withdrawn__isnull=True).exists():
        for asset in person.assets.filter(shredded__isnull=True):
            material.shred(asset)


def next_gallery(tenant: str) -> int:
    """Count the tenant's gallery up, and hold it until the commit."""
    GalleryVersion.objects.get_or_create(tenant=tenant)
    row = GalleryVersion.objects.select_for_update().get(tenant=tenant)
    row.version += 1
    row.save(update_fields=["version"])
    return row.version


def _guard(error: IntegrityError) -> str:
    return str(error).splitlines()[0]
