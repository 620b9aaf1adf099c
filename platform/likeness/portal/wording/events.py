"""Entries of the log in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from likeness.portal.wording.terms import word


@dataclass(frozen=True, slots=True)
class Told:
    """How a type of entry is shown: tone and icon of its point, and what happened."""

    tone: str
    icon: str
    label: Any


EVENTS: dict[str, Told] = {
    "log.opened": Told("", "log", _("The log was opened")),
    "key.added": Told("", "shield", _("A key was published")),
    "log.restored": Told("bad", "undo", _("The lost end of the log was put back")),
    "log.resumed": Told("bad", "alert", _("The log went on after it was frozen")),
    "key.retired": Told("", "shield", _("A key was retired")),
    "audit.queried": Told("", "search", _("The log was searched")),
    "audit.disclosed": Told("", "download", _("An evidence bundle was taken")),
    "subject.erased": Told("bad", "undo", _("A person was erased")),
    "identity.enrolled": Told("", "person", _("A likeness was enrolled")),
    "consent.submitted": Told("", "licence", _("A licence was submitted for review")),
    "consent.approved": Told("good", "check", _("A licence was approved")),
    "consent.rejected": Told("bad", "cross", _("A licence was rejected")),
    "consent.revoked": Told("bad", "undo", _("A licence was revoked")),
    "consent.expired": Told("", "dash", _("The term of a licence ended")),
    "face.blocked": Told("bad", "block", _("A face was put on the blocklist")),
    "face.unblocked": Told("", "block", _("A face was taken off the blocklist")),
    "gate.decided": Told("", "shield", _("The gate decided")),
    "generation.queued": Told("", "clock", _("A job was admitted")),
    "generation.started": Told("", "film", _("A job was started")),
    "generation.finished": Told("good", "film", _("A job was finished")),
    "generation.failed": Told("bad", "alert", _("A job failed")),
    "generation.cancelled": Told("", "cross", _("A job was cancelled")),
    "label.applied": Told("", "seal", _("An output was marked")),
    "export.requested": Told("warn", "dash", _("A copy without the visible label was asked for")),
    "export.approved": Told("warn", "check", _("A copy without the visible label was approved")),
    "export.rejected": Told("", "cross", _("A copy without the visible label was declined")),
    "export.delivered": Told("warn", "seal", _("A copy without the visible label was made")),
    "export.erased": Told("", "undo", _("The recipient of a copy was erased")),
    "hook.added": Told("", "shield", _("An address outside is told of jobs")),
    "hook.removed": Told("", "undo", _("An address outside is told of jobs no more")),
    "script.sent": Told("warn", "shield", _("Words of a script went to a speech engine outside")),
    "likeness.sent": Told("warn", "shield", _("A face and a voice went to a lip-sync engine outside")),
    "template.activated": Told("", "check", _("A look of videos came into use")),
    "template.rolled_back": Told("warn", "undo", _("An earlier look of videos was put back")),
    "template.fell_back": Told(
        "bad", "alert", _("A look of videos failed its checks; an earlier one was used")
    ),
    "output.downloaded": Told("", "download", _("An output was downloaded")),
    "output.withdrawn": Told("bad", "undo", _("An output was withdrawn")),
}
GATE = {
    "admit": Told("good", "check", _("The gate admitted a job")),
    "refuse": Told("bad", "block", _("The gate refused a job")),
}
APPROVED_AS = {
    "legal": _("A licence was approved for legal"),
    "business": _("A licence was approved for business"),
    "expert": _("A licence was approved by the expert"),
}


DETAILS = {
    "name": _("Name"),
    "signed_by": _("Signed by"),
    "intended_use": _("What it is for"),
    "operations": _("Operations"),
    "purposes": _("Purposes"),
    "channels": _("Channels"),
    "territories": _("Territories"),
    "languages": _("Languages"),
    "not_before": _("First day"),
    "not_after": _("Last day"),
    "reason": _("Reason"),
}
"""Names of the words that are told beside an entry, in the order in which they are shown."""
CODED = {
    "operations": "operation",
    "purposes": "purpose",
    "channels": "channel",
    "territories": "territory",
    "languages": "language",
}
"""The catalogue of those that are lists of codes."""


def detail(name: str, value: Any) -> tuple[Any, Any]:
    """A word beside an entry as its name and value for people."""
    if name in CODED and isinstance(value, list):
        return DETAILS[name], [word(CODED[name], str(code)) for code in value]
    return DETAILS.get(name, name), value[:10] if name in ("not_before", "not_after") else value


def tell(event: Mapping[str, Any]) -> Told:
    """What an entry says; a type that this version does not know is shown by its name."""
    kind = str(event.get("type", ""))
    if kind == "gate.decided":
        return GATE.get(str(event.get("decision")), EVENTS[kind])
    if kind == "audit.disclosed" and "bundle" not in event:
        return Told("", "search", _("The words beside an entry were read"))
    if kind == "consent.approved" and event.get("role") in APPROVED_AS:
        return Told("good", "check", APPROVED_AS[event["role"]])
    return EVENTS.get(kind) or Told("", "log", kind)
