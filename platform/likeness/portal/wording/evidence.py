"""What a bundle proves and what it does not, and the words of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

PROVEN: dict[str, Any] = {
    "entries": _(
        "%(count)s entries are in a tree of %(size)s entries that the log %(origin)s signed: they were not "
        "changed, and they stand there in this order."
    ),
    "witnesses": _("%(names)s cosigned that tree: they saw no other past of this log."),
    "pinned": _(
        "The log grew from your own checkpoint of %(size)s entries without changing or removing any."
    ),
    "manifests": _("%(count)s content credentials are the ones that were logged."),
    "disclosures": _("%(count)s details that were told beside the log are the ones it commits to."),
    "media": _("%(names)s: byte for byte what was logged as delivered."),
    "stamped": _(
        "%(by)s signed that the tree of %(size)s entries existed at %(time)s: %(count)s of these entries "
        "were in it by then. Its root certificate did not come from the sender."
    ),
}
NOT_PROVEN: dict[str, Any] = {
    "origin": _(
        "Who made this bundle. The key came from the bundle itself: get the log's key from someone other "
        "than the sender and check again."
    ),
    "append_only": _(
        "That everybody is shown the same log. No witness and no checkpoint of yours stands behind this "
        "tree: who holds the log's key could have rewritten it before it was signed."
    ),
    "media": _("That a file you hold is the one in the log. Its bytes were not compared."),
    "unmatched": _("%(names)s: not what any of these entries says was delivered."),
    "time": _(
        "When the entries were made, but for what they say themselves. No authority's timestamp stands "
        "behind them."
    ),
    "stamp_root": _(
        "Whose word the timestamp of %(time)s is. It holds in itself, but no root certificate of an "
        "authority was given."
    ),
    "stamp_unchecked": _(
        "That the timestamp %(file)s holds: %(reason)s. Ask openssl, as README.txt in the bundle says."
    ),
    "undisclosed": _(
        "What %(count)s of the entries say beside the log. They commit to words that are not in this bundle: "
        "erased, or not for its receiver."
    ),
    "truth": _(
        "That what was logged is true. The log proves that it was said, by whom, and not changed since."
    ),
    "completeness": _("That everything was logged, or that the bundle holds all of it."),
}
"""Sentences by the verifier's codes; audit/verify.py has the same in English."""


def told(item: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    """One conclusion of the verifier as a sentence."""
    return str(words[item["code"]]) % item


def proven(report: Mapping[str, Any]) -> list[str]:
    """What a verifier's report proves."""
    return [told(item, PROVEN) for item in report["proven"]]


def not_proven(report: Mapping[str, Any]) -> list[str]:
    """What a verifier's report leaves open."""
    return [told(item, NOT_PROVEN) for item in report["not_proven"]]


TITLE = _("Evidence report")
SUBTITLE = _("Job %(job)s · the log %(origin)s at %(size)s entries")
FOOT = _(
    "This report is for reading. What counts are the entries and proofs of the bundle; "
    "check them with verify.py."
)
BEFORE, AFTER = _("The footage"), _("The delivered output")
NO_PICTURES = _("No pictures: the output was withdrawn or erased, or the job gave none.")
SECTIONS: dict[str, Any] = {
    "job": _("The job"),
    "licence": _("The person and the licence"),
    "marks": _("The marks in the file"),
    "events": _("What happened"),
    "log": _("The log"),
    "proven": _("What is proven"),
    "not_proven": _("What is not proven"),
}
FACTS: dict[str, Any] = {
    "job": _("Job"),
    "state": _("State"),
    "purpose": _("Purpose"),
    "channel": _("Channel"),
    "territory": _("Territory"),
    "requester": _("Requested by"),
    "finished": _("Made"),
    "output": _("Output, SHA-256"),
    "bytes": _("Size"),
    "name": _("Person"),
    "identity": _("Identity"),
    "consent": _("Licence"),
    "document": _("Document, SHA-256"),
    "term": _("Term"),
    "approvals": _("Approvals"),
    "mark": _("Invisible mark"),
    "label": _("Visible label"),
    "produce_id": _("AIGC label"),
    "manifest": _("Content credential, SHA-256"),
    "origin": _("Name of the log"),
    "size": _("Entries"),
    "root": _("Root hash"),
    "signed_at": _("Signed"),
}
ERASED = _("erased")
HEADS = (_("Entry"), _("When"), _("What happened"), _("By"), _("Leaf hash"))
