"""A file in, its provenance out: marks > job > log proof > consent. It reads the platform's flow backwards.

- Every layer is always tried, cheap ones first, and every one is reported.
- The invisible mark decides only together with the record: a mark of ours on other content is a conflict.
- That nothing is found never means that a file is genuine.
- Each question is itself an entry of the log: which layers answered and how many hits, never the file's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from audit import selectors as log
from audit import services as audit
from audit.checkpoint import TlogProof, open_checkpoint
from audit.errors import AuditError
from audit.events import Actor, AuditQueried
from audit.leaf import KeyKind
from audit.merkle import leaf_hash, verify_inclusion
from consent import selectors as consents
from consent.errors import ConsentError
from likeness.provenance_content import Compared
from likeness.provenance_layers import Layer, marks_of
from likeness.provenance_look import Looked, look
from likeness.provenance_verdict import SENTENCES, Content, Verdict, Why
from watermark.search import Geometry

if TYPE_CHECKING:
    from generation.models import Job

VERIFIED = "verified"


class Match(StrEnum):
    """Whether a job of the asker is behind the file; scripts of the first version rely on it."""

    PRESENT = "present"
    ABSENT = "absent"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of a file; ``exact``: its bytes are those delivered, ``proof``: verified, or why not."""

    match: Match
    exact: bool
    sha256: str
    job: str
    consent: str
    identity: str
    state: str
    generated: str
    approvals: tuple[str, ...]
    leaf: int | None
    proof: str
    reason: str
    similarity: float | None
    marks: dict[str, dict[str, Any]]
    verdict: Verdict = Verdict.UNDECIDED
    reasons: tuple[Why, ...] = ()
    layers: tuple[Layer, ...] = ()
    content: Compared = field(default_factory=lambda: Compared(Content.UNCOMPARED))
    geometry: Geometry | None = None
    """Where the invisible mark lies, for a picture of it."""

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready document; scripts rely on verdict, match, job, consent, marks and proof."""
        return {
            "verdict": self.verdict.value,
            "match": self.match.value,
            "exact": self.exact,
            "sha256": self.sha256,
            "job": self.job or None,
            "consent": self.consent or None,
            "identity": self.identity or None,
            "state": self.state or None,
            "generated": self.generated or None,
            "approvals": list(self.approvals),
            "leaf": self.leaf,
            "proof": self.proof,
            "reason": self.reason or None,
            "reasons": [why.value for why in self.reasons],
            "similarity": self.similarity,
            "content": self.content.as_json(),
            "marks": self.marks,
            "layers": [layer.as_json() for layer in self.layers],
        }


def trace(path: Path, *, by: Actor, budget_s: float | None = None) -> Trace:
    """Everything that the file, the records and the log say about where the file comes from.

    ``budget_s`` bounds each search; what could not be tried within it makes the verdict ``undecided``.

    Raises:
        UnreadableError: it is no picture, no clip and no recording.
    """
    looked = look(path, tenant=by.tenant, budget_s=budget_s)
    with transaction.atomic():
        kinds = tuple(sorted(looked.named)) or ("file",)
        audit.append(AuditQueried(kinds=kinds, hits=int(looked.job is not None)), actor=by)
    return _answer(looked)


def prove(index: int) -> str:
    """``verified`` when the log's signed head includes the entry; otherwise why not."""
    try:
        entry, key = log.entry(index), log.log_key()
        proof = TlogProof.parse(log.proof(index))
        head = open_checkpoint(proof.note, key)
        verify_inclusion(index, head.size, leaf_hash(entry.body), proof.hashes, head.root)
    except AuditError as error:
        return f"{error.code}: {error}"
    return VERIFIED


def _answer(looked: Looked) -> Trace:
    job = looked.job
    leaf = _finish_leaf(job) if job is not None else None
    known = Match.PRESENT if job is not None else Match.ABSENT
    return Trace(
        match=Match.CONFLICT if looked.verdict is Verdict.CONFLICT else known,
        exact="sha256" in looked.named,
        sha256=looked.sha256,
        job=str(job.id) if job else "",
        consent=job.consent_id if job else "",
        identity=job.identity_id if job else "",
        state=str(job.state) if job else "",
        generated=job.finished.isoformat(timespec="seconds") if job and job.finished else "",
        approvals=_approvals(job) if job else (),
        leaf=leaf,
        proof=prove(leaf) if leaf is not None else "no record",
        reason=" ".join(SENTENCES[why] for why in looked.reasons),
        similarity=looked.content.similarity,
        marks=marks_of(looked.layers),
        verdict=looked.verdict,
        reasons=looked.reasons,
        layers=looked.layers,
        content=looked.content,
        geometry=looked.found.mark.geometry,
    )


def _finish_leaf(job: Job) -> int | None:
    entries = log.entries(KeyKind.JOB, job.id.hex)
    finished = [entry.index for entry in entries if entry.type == "generation.finished"]
    return finished[-1] if finished else None


def _approvals(job: Job) -> tuple[str, ...]:
    try:
        row = consents.consent(job.consent_id, tenant=job.tenant)
    except ConsentError:
        return ()
    return tuple(f"{approval.role} ({approval.person})" for approval in row.approvals.order_by("id"))
