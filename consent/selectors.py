"""Questions about identities, consents and blocked faces; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import numpy as np
from django.db.models import Model, Q, QuerySet
from django.utils import timezone

from audit import selectors as audit
from audit.leaf import KeyKind
from consent import catalogue, decision, faces, licence, material, verified
from consent.answers import FaceTemplate, Gallery, HistoryEntry, LicensedSource, PerformerTemplate, Permission
from consent.errors import (
    EmbedderError,
    GalleryError,
    LicenceTamperedError,
    NotFoundError,
    SourceNotLicensedError,
)
from consent.licence import Licence, Use
from consent.models import (
    IN_FORCE,
    BlockEntry,
    BlockTemplate,
    Consent,
    GalleryVersion,
    Identity,
    Portrait,
    State,
    Step,
    Template,
)

_Row = TypeVar("_Row", bound=Model)


# ---- rows


def identity(identity_id: str, *, tenant: str) -> Identity:
    """One identity of the tenant.

    Raises:
        NotFoundError: missing, or another tenant's.
    """
    return _one(Identity.objects.filter(id=identity_id, tenant=tenant))


def identities(*, tenant: str) -> QuerySet[Identity]:
    """The tenant's identities, newest first."""
    return Identity.objects.filter(tenant=tenant).prefetch_related("portraits").order_by("-created", "-id")


def consent(consent_id: str, *, tenant: str) -> Consent:
    """One consent of the tenant.

    Raises:
        NotFoundError: missing, or another tenant's.
    """
    return _one(_consents(tenant).filter(id=consent_id))


def consents(*, tenant: str, state: str | None = None) -> QuerySet[Consent]:
    """The tenant's consents, newest first, or only those that are in one state now (``standing``)."""
    rows, over = _consents(tenant), Q(state__in=IN_FORCE, not_after__lt=timezone.now())
    if state == State.EXPIRED:
        return rows.filter(over | Q(state=state))
    return rows if state is None else rows.filter(~over, state=state)


def review_queue(*, tenant: str) -> QuerySet[Consent]:
    """The consents that wait for a decision, oldest first."""
    return _consents(tenant).filter(state=State.IN_REVIEW).order_by("created", "id")


def blocks(*, tenant: str) -> QuerySet[BlockEntry]:
    """The tenant's block list, newest first, without entries that were taken off."""
    return BlockEntry.objects.filter(tenant=tenant, removed__isnull=True).order_by("-created", "-id")


def portraits(identity_id: str, *, tenant: str) -> QuerySet[Portrait]:
    """The portraits of an identity whose key still exists, oldest first."""
    return Portrait.objects.filter(identity_id=identity_id, tenant=tenant, asset__shredded__isnull=True)


def history(consent_id: str) -> tuple[HistoryEntry, ...]:
    """What happened to a consent, in order, with the place in the log of whatever is there already."""
    logged = {entry.event_id: entry.index for entry in audit.entries(KeyKind.CONSENT, consent_id)}
    return tuple(
        HistoryEntry(
            at=step.created,
            what=step.what,
            state=step.state,
            person=step.person,
            role=step.role,
            reason=step.reason,
            index=logged.get(step.event_id),
        )
        for step in Step.objects.filter(consent_id=consent_id)
    )


def document(consent_id: str, *, tenant: str) -> Licence:
    """The licence of a consent, checked against its signature, its columns and its approvals.

    Raises:
        NotFoundError: missing, or another tenant's.
        LicenceTamperedError: the row is not what was signed.
    """
    return verified.open_licence(consent(consent_id, tenant=tenant))


def missing_approvals(row: Consent) -> tuple[str, ...]:
    """The roles that still have to approve the document as it stands."""
    return verified.missing_approvals(row)


def epoch(consent_id: str) -> int:
    """The consent's epoch; a permit of an older one is void.

    Raises:
        NotFoundError: no such consent.
    """
    return _one(Consent.objects.filter(id=consent_id).only("epoch")).epoch


# ---- permission


def permission(identity_id: str, *, tenant: str, use: Use, now: datetime) -> Permission:
    """Whether the tenant may use this likeness so; without a licence the answer is a refusal, no error."""
    rows = tuple(_consents(tenant).filter(identity_id=identity_id))
    return decision.decide(rows, use, now, blocked=_is_blocked(identity_id, tenant=tenant))


def permission_under(consent_id: str, *, tenant: str, use: Use, now: datetime) -> Permission:
    """Whether this very consent allows the use, whatever others of the same person say.

    Raises:
        NotFoundError: missing, or another tenant's.
    """
    row = consent(consent_id, tenant=tenant)
    return decision.decide((row,), use, now, blocked=_is_blocked(row.identity_id, tenant=tenant))


def _is_blocked(identity_id: str, *, tenant: str) -> bool:
    return BlockEntry.objects.filter(identity_id=identity_id, tenant=tenant, removed__isnull=True).exists()


# ---- licensed material


def licensed_source(identity_id: str, *, tenant: str, sha256: str | None = None) -> LicensedSource:
    """The portrait of this hash, or the first one, if a licence in force lists it.

    Raises:
        SourceNotLicensedError: no licence in force lists the picture, or it was destroyed.
    """
    held = {row.sha256: row for row in portraits(identity_id, tenant=tenant)}
    for listed in _licensed_material(identity_id, tenant=tenant):
        if listed in held and sha256 in {None, listed}:
            return LicensedSource(listed, held[listed].id)
    what = "A portrait" if sha256 is None else f"The picture {sha256}"
    raise SourceNotLicensedError(f"{what} of identity {identity_id} is not under a licence in force.")


def open_portrait(portrait_id: str, *, tenant: str, purpose_consent: str) -> bytes:
    """The licensed picture, for a use under this very consent.

    Raises:
        NotFoundError: no such portrait or consent.
        SourceNotLicensedError: the consent is not in force, or does not list the picture.
        ShreddedError, CiphertextError: the picture is gone or does not open.
    """
    row = _portrait(portrait_id, tenant)
    grant = consent(purpose_consent, tenant=tenant)
    if grant.identity_id != row.identity_id or row.sha256 not in _material_in_force(grant):
        raise SourceNotLicensedError(f"Consent {grant.id} does not license portrait {row.id} now.")
    return material.open_portrait(row)


def portrait_preview(portrait_id: str, *, tenant: str) -> bytes:
    """A small PNG of the portrait, for people who review it.

    Raises:
        NotFoundError: no such portrait.
        ShreddedError, CiphertextError: the picture is gone or does not open.
    """
    return material.open_preview(_portrait(portrait_id, tenant))


def template(identity_id: str) -> FaceTemplate:
    """The embeddings of the portraits that a licence in force lists.

    Raises:
        SourceNotLicensedError: no portrait is licensed now.
        EmbedderError: the embeddings are of more than one model.
    """
    person = _one(Identity.objects.filter(id=identity_id))
    listed = set(_licensed_material(identity_id, tenant=person.tenant))
    rows = Template.objects.filter(
        portrait__identity=person, portrait__asset__shredded__isnull=True, portrait__sha256__in=listed
    )
    found = list(rows.select_related("portrait__asset").order_by("portrait__created", "portrait__id"))
    if not found:
        raise SourceNotLicensedError(f"No portrait of identity {identity_id} is under a licence in force.")
    if len({(row.model_sha256, row.metric) for row in found}) > 1:
        raise EmbedderError(f"Identity {identity_id} has templates of more than one model; enrol it again.")
    keys = material.Keys()
    vectors = np.stack([material.open_template(row, keys) for row in found])
    return FaceTemplate(vectors, found[0].model_sha256, found[0].metric)


def performers(*, tenant: str, use: Use, now: datetime) -> tuple[PerformerTemplate, ...]:
    """Everybody whose face may be replaced for this use, by an active performance release."""
    performance = replace(use, operation=str(catalogue.Operation.PERFORMANCE))
    people = Identity.objects.filter(
        tenant=tenant, kind=catalogue.Kind.PERFORMER, consents__state=State.ACTIVE
    ).distinct()
    found = []
    for person in people.order_by("id"):
        allowed = permission(person.id, tenant=tenant, use=performance, now=now)
        if not allowed.reasons and allowed.consent_id is not None:
            made = template(person.id)
            found.append(
                PerformerTemplate(
                    person.id, allowed.consent_id, allowed.epoch, made.vectors, made.model_sha256, made.metric
                )
            )
    return tuple(found)


def open_vectors(identity_id: str) -> Sequence[tuple[Template, faces.Vector]]:
    """Each readable embedding of an identity, licensed or not; only for blocking it."""
    rows = Template.objects.filter(
        portrait__identity_id=identity_id, portrait__asset__shredded__isnull=True
    ).select_related("portrait__asset")
    keys = material.Keys()
    return [
        (row, material.open_template(row, keys)) for row in rows.order_by("portrait__created", "portrait__id")
    ]


def _licensed_material(identity_id: str, *, tenant: str) -> tuple[str, ...]:
    rows = _consents(tenant).filter(identity_id=identity_id, state=State.ACTIVE)
    return tuple(dict.fromkeys(sha256 for row in rows for sha256 in _material_in_force(row)))


def _material_in_force(row: Consent) -> tuple[str, ...]:
    if row.state != State.ACTIVE or row.withdrawn is not None:
        return ()
    try:
        opened = verified.open_licence(row)
    except LicenceTamperedError:
        return ()
    return () if licence.term_reasons(opened, timezone.now()) else opened.material


# ---- blocked faces


def gallery_version(*, tenant: str) -> int:
    """The number that grows whenever blocked or withdrawn faces change."""
    row = GalleryVersion.objects.filter(tenant=tenant).first()
    return 0 if row is None else row.version


def blocked_faces(*, tenant: str) -> Gallery:
    """Every blocked face of the tenant, decrypted.

    Raises:
        GalleryError: the faces are of more than one model, so that no comparison covers all.
        ShreddedError, CiphertextError: a face does not open; nothing may be decided without it.
    """
    version = gallery_version(tenant=tenant)
    rows = list(
        BlockTemplate.objects.filter(tenant=tenant, entry__removed__isnull=True).select_related(
            "entry__asset"
        )
    )
    kinds = {(row.model_sha256, row.metric) for row in rows}
    if len(kinds) > 1:
        ids = ", ".join(sorted({row.entry_id for row in rows}))
        raise GalleryError(f"Blocked faces of {len(kinds)} models are in one list: {ids}.")
    model_sha256, metric = next(iter(kinds), ("", ""))
    keys = material.Keys()
    entries = tuple((row.entry_id, material.open_blocked(row, keys)) for row in rows)
    return Gallery(version, entries, model_sha256, metric)


def _portrait(portrait_id: str, tenant: str) -> Portrait:
    return _one(Portrait.objects.filter(id=portrait_id, tenant=tenant).select_related("asset"))


def _consents(tenant: str) -> QuerySet[Consent]:
    return (
        Consent.objects.filter(tenant=tenant)
        .select_related("identity")
        .prefetch_related("approvals")
        .order_by("-created", "-id")
    )


def _one(rows: QuerySet[_Row]) -> _Row:
    found = rows.first()
    if found is None:
        raise NotFoundError
    return found
