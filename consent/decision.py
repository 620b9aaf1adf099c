"""From the rows of an identity's consents to one permission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from consent import licence, verified
from consent.answers import Permission
from consent.errors import LicenceTamperedError
from consent.licence import Use
from consent.models import Consent, State

_STATE_REASONS = {
    State.ACTIVE: (),
    State.REVOKED: ("licence.revoked",),
    State.EXPIRED: ("licence.expired",),
}
_RANKS = ("scope.", "licence.not_yet", "licence.expired", "licence.not_active", "licence.tampered")
"""Which refusal to tell when several licences refuse: the one nearest to a yes."""


def decide(rows: Sequence[Consent], use: Use, now: datetime, *, blocked: bool) -> Permission:
    """The permission by the licence that allows the use, or else the refusal nearest to a yes."""
    answers = [_answer(row, use, now) for row in rows]
    if not answers:
        return Permission(None, 0, "", 0, ("licence.missing",))
    best = min(answers, key=lambda answer: (_rank(answer.reasons), len(answer.reasons)))
    return replace(best, reasons=(*best.reasons, "identity.blocked")) if blocked else best


def _rank(reasons: tuple[str, ...]) -> int:
    def rank(reason: str) -> int:
        matching = (place for place, start in enumerate(_RANKS, start=1) if reason.startswith(start))
        return next(matching, len(_RANKS) + 1)

    return max(map(rank, reasons), default=0)


def _answer(row: Consent, use: Use, now: datetime) -> Permission:
    facts = (row.id, row.revision, row.document_sha256, row.epoch)
    try:
        opened = verified.open_licence(row)
    except LicenceTamperedError:
        return Permission(*facts, ("licence.tampered",))
    if row.withdrawn is not None:
        return Permission(*facts, ("licence.revoked",))
    reasons = _STATE_REASONS.get(State(row.state), ("licence.not_active",))
    if not reasons:
        reasons = licence.permits(opened, use, now)
    return Permission(
        *facts,
        reasons,
        max_outputs=opened.document["grant"]["max_outputs"],
        sample=opened.document["sample"],
    )
