"""What happened to a consent, written twice in one transaction: on its timeline and in the log."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from audit import services as audit
from audit.events import Actor, ConsentApproved, ConsentRejected, ConsentRevoked, ConsentSubmitted
from consent import licence
from consent.models import Consent, Step

_EVENTS = {
    "submitted": ConsentSubmitted,
    "approved": ConsentApproved,
    "rejected": ConsentRejected,
    "revoked": ConsentRevoked,
}


@dataclass(frozen=True, slots=True)
class Detail:
    """What one step adds: the role it was done in, words for people, and a code for the log."""

    role: str = ""
    reason: str = ""
    code: str = ""


def record(consent: Consent, what: str, *, by: Actor, detail: Detail = Detail()) -> None:
    """Append to the log and to the consent's timeline; the caller's transaction carries both."""
    event_id = audit.append(
        _EVENTS[what](
            consent=consent.id,
            identity=consent.identity_id,
            revision=consent.revision,
            document=consent.document_sha256,
            scope=_scope(consent),
            not_before=_moment(consent.not_before),
            not_after=_moment(consent.not_after),
            role=detail.role,
            epoch=consent.epoch,
            reason=detail.code,
        ),
        actor=by,
    )
    Step.objects.create(
        tenant=consent.tenant,
        consent=consent,
        what=what,
        state=consent.state,
        person=by.id,
        role=detail.role,
        reason=detail.reason,
        event_id=event_id,
    )


def _scope(consent: Consent) -> str:
    grant = licence.parse(bytes(consent.document)).document["grant"]
    return hashlib.sha256(licence.canonical(grant)).hexdigest()


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
