"""What happened to a consent, written in one transaction: on its timeline, in the log, and beside the log.

The log holds no words. It commits to them with a salt (``detail``); salt and words lie encrypted in this
package, where a withdrawal or an erasure destroys them with the data key. The proofs hold without them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from audit import services as audit
from audit.events import (
    Actor,
    ConsentApproved,
    ConsentExpired,
    ConsentRejected,
    ConsentRevoked,
    ConsentSubmitted,
)
from consent import licence, material
from consent.models import Consent, Step

SALT_BYTES = 32
_EVENTS = {
    "submitted": ConsentSubmitted,
    "approved": ConsentApproved,
    "rejected": ConsentRejected,
    "revoked": ConsentRevoked,
    "expired": ConsentExpired,
}


@dataclass(frozen=True, slots=True)
class Detail:
    """What one step adds: the role it was done in, words for people, and a code for the log."""

    role: str = ""
    reason: str = ""
    code: str = ""


def record(consent: Consent, what: str, *, by: Actor, detail: Detail = Detail()) -> None:
    """Append to the log and to the consent's timeline; the caller's transaction carries both.

    Where a data key is left, the words of the step are kept under it; a withdrawal that destroyed the last
    one leaves none.
    """
    document = licence.parse(bytes(consent.document)).document
    words = _words(document) if what == "submitted" else {"reason": detail.reason} if detail.reason else {}
    key = consent.identity.assets.filter(shredded__isnull=True).first() if words else None
    plain = b"" if key is None else os.urandom(SALT_BYTES) + licence.canonical(words)
    event_id = audit.append(
        _EVENTS[what](
            consent=consent.id,
            identity=consent.identity_id,
            revision=consent.revision,
            document=consent.document_sha256,
            scope=hashlib.sha256(licence.canonical(document["grant"])).hexdigest(),
            not_before=_moment(consent.not_before),
            not_after=_moment(consent.not_after),
            role=detail.role,
            epoch=consent.epoch,
            reason=detail.code,
            detail="sha256:" + hashlib.sha256(plain).hexdigest() if plain else "",
        ),
        actor=by,
    )
    if key is not None:
        material.keep_disclosure(key, event_id, plain)
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


def _words(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a court asks first: who allowed what, for what, until when."""
    grant, term = document["grant"], document["term"]
    return {
        "name": document["subject"]["name"],
        "signed_by": document["signed"]["by"],
        "intended_use": grant["intended_use_text"],
        **{name: grant[name] for name in ("operations", "purposes", "channels", "territories", "languages")},
        "not_before": term["not_before"],
        "not_after": term["not_after"],
    }


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
