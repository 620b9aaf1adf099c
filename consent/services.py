"""Changes to identities, consents and the block list; each one is a transaction with its entry in the log.

The database refuses on its own what is refused here (migration ``guards``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from audit import services as audit
from audit.events import Actor, FaceBlocked, FaceUnblocked, IdentityEnrolled
from consent import checks, faces, licence, material, roles, rows, selectors, vault, verified
from consent.errors import (
    Fault,
    NotFoundError,
    PortraitRefusedError,
    RoleError,
    StateError,
)
from consent.models import (
    REVOCABLE,
    Asset,
    BlockEntry,
    BlockList,
    Consent,
    Identity,
    Portrait,
    State,
    new_id,
)
from consent.record import Detail, record
from consent.roles import Action
from consent.terms import LicenceTerms, Party, build

# ---- enrolment


@transaction.atomic
def enrol(*, name: str, status: str, kind: str, portraits: Sequence[bytes], by: Actor) -> Identity:
    """Enrol a person with at least one portrait; all portraits are kept, or none.

    Raises:
        RoleError: the actor may not enrol.
        RequestInvalidError: name, status, kind or number of portraits.
        PortraitRefusedError: a portrait failed the quality gate.
    """
    roles.require(by, Action.ENROL)
    checks.refuse(checks.enrolment_faults(name, status, kind, len(portraits)))
    analyses = checks.analyses(portraits)
    person = Identity.objects.create(tenant=by.tenant, name=name, status=status, kind=kind, enrolled_by=by.id)
    asset = material.new_asset(by.tenant, identity=person)
    _keep(asset, person, list(zip(portraits, analyses, strict=True)), by=by)
    return person


@transaction.atomic
def add_portrait(identity_id: str, *, data: bytes, by: Actor) -> Portrait:
    """Add a portrait; it is licensed only by a consent that is submitted afterwards.

    Raises:
        RoleError, NotFoundError: the actor may not enrol; no such identity.
        PortraitRefusedError: it failed the quality gate, or is there already.
    """
    roles.require(by, Action.ENROL)
    person = rows.lock_identity(identity_id, tenant=by.tenant)
    (analysis,) = checks.analyses([data])
    if person.erased is not None:
        raise StateError(f"Identity {person.id} was erased on {person.erased:%Y-%m-%d}.")
    asset = person.assets.filter(shredded__isnull=True).first()
    if asset is None:  # everything was destroyed by a withdrawal: the person enrols anew
        asset = material.new_asset(by.tenant, identity=person)
    if asset.portraits.filter(sha256=hashlib.sha256(data).hexdigest()).exists():
        raise PortraitRefusedError([Fault("$.portraits[0]", "repeated", "This picture is enrolled already.")])
    if asset.portraits.count() >= checks.MAX_PORTRAITS:
        raise StateError(f"Identity {person.id} has {checks.MAX_PORTRAITS} portraits, which is the most.")
    (row,) = _keep(asset, person, [(data, analysis)], by=by)
    return row


# ---- the licence


@transaction.atomic
def submit(identity_id: str, *, terms: LicenceTerms, by: Actor) -> Consent:
    """Put a licence for every portrait of the identity to review.

    Raises:
        RoleError, NotFoundError: the actor may not submit; no such identity.
        StateError: the identity has no material left.
        LicenceInvalidError: the terms do not make a valid document.
    """
    roles.require(by, Action.SUBMIT)
    person = rows.lock_identity(identity_id, tenant=by.tenant)
    pictures = [row.sha256 for row in selectors.portraits(person.id, tenant=by.tenant)]
    if not pictures:
        raise StateError(f"Identity {person.id} has no portraits; they were destroyed or never enrolled.")
    consent_id, revision = new_id("con"), person.consents.count() + 1
    made = build(terms, _party(person, pictures), licence_id=consent_id, revision=revision)
    row = Consent.objects.create(
        id=consent_id,
        tenant=by.tenant,
        identity=person,
        document=made.canonical,
        document_sha256=made.sha256,
        signature=licence.sign(made, seed=vault.seed("licence")),
        state=State.IN_REVIEW,
        revision=revision,
        not_before=made.not_before,
        not_after=made.not_after,
        sample=terms.sample,
        submitted_by=by.id,
    )
    record(row, "submitted", by=by)
    return row


@transaction.atomic
def approve(consent_id: str, *, role: str, by: Actor) -> Consent:
    """Approve the document in one role; with the last approval that it needs the consent becomes active.

    Raises:
        RoleError: the role is not held, or the actor submitted or enrolled.
        NotFoundError, StateError: no such consent, not in review, or its term has ended.
        ConcurrentError: this person or this role has decided already.
        LicenceTamperedError: the row is not what was submitted.
    """
    checks.refuse(checks.role_faults(role))
    roles.require_held(by, role)
    row = rows.lock_consent(consent_id, tenant=by.tenant)
    rows.require_review(row)
    rows.require_another(row, by)
    opened = verified.open_licence(row)
    if "licence.expired" in licence.term_reasons(opened, timezone.now()):
        raise StateError(f"The term of consent {row.id} has ended.")
    rows.insert_approval(row, role=role, by=by)
    last = not verified.missing_approvals(row)
    if last:
        rows.move(row, State.ACTIVE)
    record(row, "approved", by=by, detail=Detail(role=role, code="active" if last else ""))
    return row


@transaction.atomic
def reject(consent_id: str, *, reason: str, by: Actor) -> Consent:
    """End the review with a no, which is final for this document.

    Raises:
        RoleError, NotFoundError, StateError, RequestInvalidError: as ``approve``; a reason is needed.
    """
    roles.require(by, Action.REJECT)
    checks.refuse(checks.reason_faults(reason))
    row = rows.lock_consent(consent_id, tenant=by.tenant)
    rows.require_review(row)
    rows.require_another(row, by)
    rows.move(row, State.REJECTED)
    held = sorted(by.roles & roles.ALLOWED[Action.REJECT])
    record(row, "rejected", by=by, detail=Detail(role=held[0], reason=reason))
    return row


@transaction.atomic
def revoke(consent_id: str, *, reason: str, by: Actor) -> Consent:
    """Withdraw a consent; whatever runs on it stops, and its material is destroyed. Twice is once.

    Raises:
        RoleError, NotFoundError, RequestInvalidError: as ``reject``.
        StateError: it was never granted.
    """
    roles.require(by, Action.REVOKE)
    checks.refuse(checks.reason_faults(reason))
    row = rows.lock_consent(consent_id, tenant=by.tenant)
    if row.withdrawn is not None:
        return row
    if row.state not in (*REVOCABLE, State.EXPIRED, State.SUPERSEDED):
        raise StateError(f"Consent {row.id} is {row.state}; there is nothing to withdraw.")
    if row.state in REVOCABLE:
        row.state = State.REVOKED
    row.withdrawn = timezone.now()
    row.epoch += 1
    row.save(update_fields=["state", "withdrawn", "epoch"])
    rows.destroy_unlicensed(row.identity)
    rows.next_gallery(by.tenant)
    for handler in settings.LIKENESS_REVOCATION_HANDLERS:
        import_string(handler)(row.id, identity_id=row.identity_id, by=by)
    record(row, "revoked", by=by, detail=Detail(reason=reason))
    return row


# ---- the block list


@transaction.atomic
def block(
    *, image: bytes | None, identity_id: str | None, reason: str, by: Actor, list_: str = BlockList.DENIED
) -> BlockEntry:
    """Block the face of a picture, or of an identity; the picture itself is not kept.

    Raises:
        RoleError, NotFoundError, RequestInvalidError: the actor may not block; no such identity; not exactly
            one of picture and identity.
        PortraitRefusedError: no usable face in the picture.
        StateError: the identity is blocked already, or none of its pictures can be read.
    """
    roles.require(by, Action.BLOCK)
    checks.refuse(checks.block_faults(image, identity_id, reason, list_))
    person = None if identity_id is None else rows.lock_identity(identity_id, tenant=by.tenant)
    found = _faces_to_block(image, person)
    version = rows.next_gallery(by.tenant)
    entry = BlockEntry.objects.create(
        tenant=by.tenant,
        list=list_,
        identity=person,
        asset=material.new_asset(by.tenant, identity=None),
        reason=reason,
        added_by=by.id,
    )
    for number, (vector, model_sha256, metric) in enumerate(found):
        material.keep_blocked(entry, number, vector, model_sha256=model_sha256, metric=metric)
    event = FaceBlocked(entry=entry.id, list=entry.list, version=version, identity=identity_id or "")
    audit.append(event, actor=by)
    return entry


@transaction.atomic
def unblock(entry_id: str, *, by: Actor) -> BlockEntry:
    """Take a face off the block list and destroy its template; somebody other than who put it there.

    Raises:
        RoleError, NotFoundError: the actor may not, or put it there; no such entry.
        StateError: it was taken off already.
    """
    roles.require(by, Action.UNBLOCK)
    entry = BlockEntry.objects.select_for_update(of=("self",)).filter(id=entry_id, tenant=by.tenant).first()
    if entry is None:
        raise NotFoundError
    if entry.removed is not None:
        raise StateError(f"Entry {entry.id} was taken off on {entry.removed:%Y-%m-%d}.")
    if entry.added_by == by.id:
        raise RoleError("Whoever blocked a face does not unblock it.")
    version = rows.next_gallery(by.tenant)
    entry.removed, entry.removed_by = timezone.now(), by.id
    entry.save(update_fields=["removed", "removed_by"])
    material.shred(entry.asset)
    event = FaceUnblocked(entry=entry.id, list=entry.list, version=version, identity=entry.identity_id or "")
    audit.append(event, actor=by)
    return entry


def _keep(
    asset: Asset, person: Identity, pictures: Sequence[tuple[bytes, faces.PortraitAnalysis]], *, by: Actor
) -> list[Portrait]:
    with material.shelf() as shelf:
        kept = [
            material.keep_portrait(asset, data, analysis, identity=person, by=by.id, shelf=shelf)
            for data, analysis in pictures
        ]
        event = IdentityEnrolled(
            identity=person.id,
            subject=person.subject,
            portraits=tuple(material.commitment(row) for row in kept),
            template_model=pictures[0][1].model_sha256,
        )
        audit.append(event, actor=by)
    return kept


def _party(person: Identity, pictures: Sequence[str]) -> Party:
    return Party(
        identity=person.id,
        subject=person.subject,
        name=person.name,
        status=person.status,
        kind=person.kind,
        organisation=settings.LIKENESS_ORGANISATION,
        material=pictures,
    )


def _faces_to_block(image: bytes | None, person: Identity | None) -> list[tuple[faces.Vector, str, str]]:
    if person is not None:
        if person.blocks.filter(removed__isnull=True).exists():
            raise StateError(f"Identity {person.id} is blocked already.")
        found = [(vector, row.model_sha256, row.metric) for row, vector in selectors.open_vectors(person.id)]
        if not found:
            raise StateError(f"No picture of identity {person.id} can be read; block it by a picture.")
        return found
    (analysis,) = checks.analyses([image or b""])
    return [(material.vector(analysis), analysis.model_sha256, analysis.metric)]
