"""A file in, its provenance out: marks > job > log proof > consent. It reads the platform's flow backwards.

- Every layer is always tried, and every one is reported.
- The invisible mark decides only together with the record: a mark of ours on other content is a conflict.
- That nothing is found never means that a file is genuine.
- Each question is itself an entry of the log: which layers answered and how many hits, never the file's name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from audit import selectors as log
from audit import services as audit
from audit.checkpoint import TlogProof, open_checkpoint
from audit.errors import AuditError
from audit.events import Actor, AuditQueried
from audit.leaf import KeyKind
from audit.merkle import leaf_hash, verify_inclusion
from consent import selectors as consents
from consent.errors import ConsentError
from generation import loaded
from generation import selectors as jobs
from generation.marking import unpacked
from watermark import content, frames
from watermark.c2pa import C2paState
from watermark.detect import Detection, MarkRead, detect
from watermark.metadata import AigcState

if TYPE_CHECKING:
    from generation.models import Job

VERIFIED = "verified"
COMPARED_FRAMES = 5


class Match(StrEnum):
    """The answer in one word."""

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

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready document; scripts rely on match, job, consent, marks and proof."""
        return {
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
            "similarity": self.similarity,
            "marks": self.marks,
        }


def trace(path: Path, *, by: Actor) -> Trace:
    """Everything that the file, the records and the log say about where the file comes from.

    Raises:
        UnreadableError: it is no picture and no clip.
    """
    sha256 = _sha256(path)
    found = detect(
        path, carriers=[loaded.carrier(by.tenant)], anchors_pem=_keyring().credential_chain().root_pem
    )
    exact = _mine(jobs.by_output(sha256), by)
    named = _named(found, by)
    job = exact or next((each for each in named.values() if each is not None), None)
    similarity = _similarity(path, found.mark, named.get("invisible"))
    reason = _contradiction(named, exact, similarity)
    with transaction.atomic():
        kinds = tuple(sorted({*named, *(["sha256"] if exact else [])}))
        audit.append(AuditQueried(kinds=kinds or ("file",), hits=int(job is not None)), actor=by)
    return _answer(job, found, sha256=sha256, exact=exact is not None, similarity=similarity, reason=reason)


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


def _answer(
    job: Job | None, found: Detection, *, sha256: str, exact: bool, similarity: float | None, reason: str
) -> Trace:
    known = Match.PRESENT if job is not None else Match.ABSENT
    leaf = _finish_leaf(job) if job is not None else None
    return Trace(
        match=Match.CONFLICT if reason else known,
        exact=exact,
        sha256=sha256,
        job=str(job.id) if job else "",
        consent=job.consent_id if job else "",
        identity=job.identity_id if job else "",
        state=str(job.state) if job else "",
        generated=job.finished.isoformat(timespec="seconds") if job and job.finished else "",
        approvals=_approvals(job) if job else (),
        leaf=leaf,
        proof=prove(leaf) if leaf is not None else "no record",
        reason=reason,
        similarity=similarity,
        marks=_marks(found),
    )


def _named(found: Detection, by: Actor) -> dict[str, Job | None]:
    """The job that each layer names; None where a layer names one that this tenant does not have."""
    named: dict[str, Job | None] = {}
    if found.mark.mark_id is not None:
        named["invisible"] = _mine(jobs.by_mark(f"{found.mark.mark_id:016x}"), by)
    if found.c2pa.state is C2paState.TRUSTED and found.c2pa.mark_id is not None:
        named["c2pa"] = _mine(jobs.by_mark(f"{found.c2pa.mark_id:016x}"), by)
    if found.label.state is AigcState.PRESENT and found.label.label is not None and _ours(found):
        named["aigc"] = _mine(jobs.by_id(found.label.label.produce_id), by)
    return named


def _ours(found: Detection) -> bool:
    """Whether the AIGC label names this installation as its producer; anybody's file carries one."""
    label = found.label.label
    return label is not None and settings.LIKENESS_CREDIT_CODE in label.content_producer


def _contradiction(named: dict[str, Job | None], exact: Job | None, similarity: float | None) -> str:
    """Why the layers cannot all be true; empty when they agree."""
    if exact is not None:
        return ""  # the very bytes that were delivered: nothing was pasted or exchanged
    if any(job is None for job in named.values()):
        unknown = ", ".join(sorted(layer for layer, job in named.items() if job is None))
        return f"A mark of ours names a job that is not known here ({unknown})."
    if len({job.id for job in named.values() if job is not None}) > 1:
        return "The marks name different jobs."
    if similarity is not None and similarity < content.AGREES:
        return "The mark is ours, but the picture is not the one that was delivered: the mark was copied."
    return ""


def _similarity(path: Path, mark: MarkRead, job: Job | None) -> float | None:
    """How well the pictures agree with the recorded thumbnails; None when there is nothing to compare."""
    if job is None or mark.geometry is None:
        return None
    record = jobs.content_track(job)
    if record is None:
        return None
    track = [content.Thumbnail(second, luma, 0) for second, luma in unpacked(record)]
    seen = [luma for luma, _key in frames.spread(path, COMPARED_FRAMES)]
    return round(content.similarity(track, seen, mark.geometry), 3)


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


def _marks(found: Detection) -> dict[str, dict[str, Any]]:
    mark, label, claim = found.mark, found.label, found.c2pa
    return {
        "invisible": {
            "state": mark.state.value,
            "id": f"{mark.mark_id:016x}" if mark.mark_id is not None else None,
            "z": mark.z,
            "decodes": mark.decodes,
            "false_positive_bound": mark.false_positive_bound,
            "frames": mark.frames,
            "seconds": mark.seconds,
            "tampered": mark.inverted,
        },
        "aigc": {
            "state": label.state.value,
            "produce_id": label.label.produce_id if label.label else None,
            "producer": label.label.content_producer if label.label else None,
            "reason": label.reason or None,
        },
        "c2pa": {
            "state": claim.state.value,
            "mark": f"{claim.mark_id:016x}" if claim.mark_id is not None else None,
            "consent": claim.statement.consent if claim.statement else None,
            "leaf": claim.statement.leaf if claim.statement else None,
            "failures": list(claim.failures),
        },
    }


def _mine(job: Job | None, by: Actor) -> Job | None:
    """Another tenant's job is nobody's: the answer does not say that it exists."""
    return job if job is not None and job.tenant == by.tenant else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _keyring() -> Any:
    return import_string(settings.LIKENESS_KEYRING)()
