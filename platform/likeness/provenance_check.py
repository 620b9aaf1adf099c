"""The public question: was this file made here? For anybody, without an account.

- It tells that a file was made here, on which day, and how it was labelled. Never who, and not the job.
- It gives neither statistics nor geometry, and a mark too weak to be read is told like none: an answer that
  fades with the mark would help to remove it.
- That nothing is found never means that a file was not generated.
- The question is logged, as that of ``public``, without what was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from audit import services as audit
from audit.events import SYSTEM, Actor, AuditQueried
from likeness import provenance_limits as limits
from likeness.provenance_look import Looked, look
from likeness.provenance_verdict import Verdict, Why

if TYPE_CHECKING:
    from generation.models import Job

PUBLIC = Actor("public", SYSTEM)
LABELS = ("visible", "invisible", "aigc", "c2pa")
"""Kinds of labels that outputs are delivered with."""
BUDGET_S = 12.0


@dataclass(frozen=True, slots=True)
class Check:
    """What anybody may know. ``labels``: what the file was delivered with; empty when it is not ours."""

    verdict: Verdict
    made: date | None
    labels: tuple[str, ...]
    label_text: str

    def as_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "verdict": self.verdict.value,
            "made": self.made.isoformat() if self.made else None,
            "labels": list(self.labels),
            "label_text": self.label_text or None,
        }


def check(path: Path) -> Check:
    """Whether a file was made here.

    Raises:
        UnreadableError: it is no picture, no clip and no recording.
        TooManyChecksError: as many files as this machine checks at a time are being checked.
    """
    with limits.place():
        looked = look(path, tenant=None, budget_s=BUDGET_S)
    with transaction.atomic():
        audit.append(AuditQueried(kinds=("check",), hits=int(looked.job is not None)), actor=PUBLIC)
    return told(looked)


def told(looked: Looked) -> Check:
    """What of an answer is for everybody."""
    verdict, job = looked.verdict, looked.job
    if verdict is Verdict.UNDECIDED and Why.MARK_SUSPECTED in looked.reasons:
        verdict = Verdict.ABSENT
    if verdict not in {Verdict.OURS, Verdict.OURS_ALTERED} or job is None:
        return Check(verdict, None, (), "")
    made = job.finished.date() if job.finished else None
    text = _label_text(job)
    return Check(verdict, made, LABELS if text else LABELS[1:], text)


def _label_text(job: Job) -> str:
    """The visible label; outputs of the first version have it as plain text, a statutory export has none."""
    label = job.marking.get("label")
    return str(label["text"] if isinstance(label, dict) else job.marking.get("label_text") or "")
