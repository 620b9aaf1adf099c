"""What services refuse, told in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

EXPLAINED: dict[str, tuple[Any, Any]] = {
    "consent.role": (
        _("You may not decide on this licence."),
        _("Four eyes: nobody approves what they submitted or enrolled, and each role needs another person."),
    ),
    "consent.state": (
        _("The licence has moved on in the meantime."),
        _("Load the page again and look at its state."),
    ),
    "consent.guard": (
        _("The database refused this decision: somebody was faster, or the four-eyes rule was broken."),
        _("Each person and each role decides once on the same document. Load the page again."),
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
    sentence, hint = EXPLAINED.get(code, (str(error), getattr(error, "hint", "")))
    return Words(str(sentence), str(hint), code)
