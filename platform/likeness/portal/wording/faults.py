"""What services refuse, told in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from likeness.portal.wording.reasons import REASONS

EXPLAINED: dict[str, tuple[Any, Any]] = {
    "consent.role": (
        _("You may not decide on this licence."),
        _("Four eyes: nobody approves what they submitted or enrolled, and each seat needs another person."),
    ),
    "consent.state": (
        _("The licence has moved on in the meantime."),
        _("Look at its state below; it may already be decided."),
    ),
    "consent.guard": (
        _("The database refused this decision: the four-eyes rule was broken, or somebody was faster."),
        _("Each person and each role decides once on the same document."),
    ),
    "licence.invalid": (
        _("The licence is not complete or contradicts itself; nothing was stored."),
        _("Correct the marked fields."),
    ),
    "consent_missing": (
        _("A separate consent that this licence needs was not given."),
        _("Record each separate consent of the subject."),
    ),
    "identity.invalid": (
        _("The identity cannot be enrolled like this; nothing was stored."),
        _("Correct the fields."),
    ),
    "portrait.refused": (
        _("The portrait cannot be used; nothing of it was kept."),
        _("Send a sharp, evenly lit, frontal portrait of one person."),
    ),
    "vault.shredded": (
        _("The key of this material was destroyed."),
        _("The person would have to be enrolled again."),
    ),
    "vault.unavailable": (_("The key store does not answer."), _("Tell the operator, then try again.")),
    "role.missing": (_("Your role does not include this."), _("Ask an operator for the role.")),
    "job_finished": (_("The job is already over."), _("Look at its state below.")),
    "check.too_many": (
        _("Too many files are being checked just now."),
        _("Wait a minute, then try again."),
    ),
    "request.too_large": (_("This file is too large to be checked here."), _("Send a shorter part of it.")),
    "watermark.unreadable": (
        _("Neither a picture nor sound can be read from this file."),
        _("Send a file that a player can open."),
    ),
    "audit.receipt_timeout": (
        _("The log has not taken up the entry yet."),
        _("Tell the operator, then look again."),
    ),
    "audit.no_checkpoint": (
        _("The log has no signed checkpoint yet."),
        _("The operator must start the sequencer."),
    ),
}
"""Sentence and hint by stable code; a code that is not here keeps the service's own words."""


@dataclass(frozen=True, slots=True)
class Words:
    """An error in words: what happened, what to do, and the code for support."""

    sentence: str
    hint: str
    code: str


def explain(error: Exception) -> Words:
    """Say what a service refused; the reader's language where there is a translation."""
    code = str(getattr(error, "code", "error"))
    known = EXPLAINED.get(code) or REASONS.get(code)
    sentence, hint = known or (str(error), getattr(error, "hint", ""))
    return Words(str(sentence), str(hint), code)
