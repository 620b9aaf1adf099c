"""States of licences, jobs, identities and the log, as chips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


@dataclass(frozen=True, slots=True)
class Chip:
    """How a state is shown: tone (colour), icon and word."""

    tone: str
    icon: str
    label: Any


CHIPS: dict[str, Chip] = {
    # licences
    "draft": Chip("", "dash", _("Draft")),
    "in_review": Chip("warn", "clock", _("In review")),
    "active": Chip("good", "check", _("In force")),
    "suspended": Chip("warn", "clock", _("Suspended")),
    "rejected": Chip("bad", "cross", _("Rejected")),
    "revoked": Chip("bad", "undo", _("Revoked")),
    "expired": Chip("", "dash", _("Expired")),
    "superseded": Chip("", "dash", _("Superseded")),
    # jobs
    "admitting": Chip("info", "shield", _("Being checked")),
    "queued": Chip("info", "clock", _("Queued")),
    "running": Chip("info", "spin", _("Running")),
    "sealing": Chip("info", "seal", _("Being sealed")),
    "driving": Chip("info", "spin", _("Speaking and driving")),
    "generating": Chip("info", "spin", _("Generating")),
    "succeeded": Chip("good", "check", pgettext_lazy("video", "Ready")),
    "done": Chip("good", "check", pgettext_lazy("job", "Done")),
    "failed": Chip("bad", "alert", _("Failed")),
    "cancelled": Chip("", "cross", _("Cancelled")),
    "refused": Chip("bad", "block", _("Refused")),
    "withdrawn": Chip("bad", "undo", _("Withdrawn")),
    # copies without the visible label; "rejected" is above
    "requested": Chip("warn", "clock", _("Waiting for business")),
    "delivered": Chip("good", "check", _("Ready")),
    # versions of templates
    "trying": Chip("info", "spin", _("Being tried")),
    "ready": Chip("warn", "clock", _("Waits for approval")),
    "approved": Chip("good", "check", _("Approved")),
    # messages to hooks; "delivered" is said of them elsewhere
    "waiting": Chip("info", "clock", _("To be sent")),
    "dead": Chip("bad", "alert", _("Given up")),
    "taken": Chip("good", "check", _("Taken")),
    # several videos of one request
    "partial": Chip("warn", "alert", _("Partly ready")),
    # proofs and log
    "verified": Chip("good", "check", _("Verified")),
    "pending": Chip("warn", "clock", _("Waiting for the log")),
    "erased": Chip("bad", "undo", _("Erased")),
    "unchecked": Chip("", "dash", _("Not checked here")),
    "invalid": Chip("bad", "alert", _("Does not hold")),
    "healthy": Chip("good", "check", _("Up to date")),
    "late": Chip("warn", "clock", _("Late")),
    "stopped": Chip("bad", "alert", _("Sequencer stopped")),
    "silent": Chip("bad", "alert", _("No signed checkpoint")),
    # witnesses
    "cosigned": Chip("good", "check", _("Cosigned")),
    "stale": Chip("warn", "clock", _("Not cosigned")),
    "policy": Chip("warn", "alert", _("Policy at fault")),
    "frozen": Chip("bad", "alert", _("Refused by a witness")),
    "unwitnessed": Chip("", "dash", _("No witness")),
}


def chip(state: str) -> Chip:
    """How to show a state; an unknown one is shown as it is."""
    return CHIPS.get(state) or Chip("", "dash", state)
