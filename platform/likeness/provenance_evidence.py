"""The evidence for one job: every entry about it, proven, with its credentials and a report for people."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from audit import export, stamping, verify, witnesses
from audit import selectors as log
from audit import services as audit
from audit.bundle import Evidence, stem, write_bundle
from audit.events import Actor, AuditDisclosed
from audit.leaf import KeyKind
from consent import disclosures
from consent import selectors as consents
from generation import blobs
from generation import selectors as jobs
from likeness.accounts.roles import Role
from likeness.errors import RoleError

if TYPE_CHECKING:
    from audit.selectors import CheckpointView, Entry
    from consent.models import Consent
    from generation.models import Job


@dataclass(frozen=True, slots=True)
class Told:
    """What a report is made of: the records, the entries, the head, and what the verifier says of them."""

    job: Job
    consents: Sequence[Consent]
    entries: Sequence[Entry]
    head: CheckpointView
    verdict: Mapping[str, Any]


Reports = Callable[[Told], Mapping[str, bytes]]
"""Tells the evidence to people: files by name. The portal has one, with its words."""


def write_evidence(
    out: Path, *, job_id: str, by: Actor, reports: Reports, pinned: str = ""
) -> Sequence[Entry]:
    """Write the bundle of a job and log that it was taken; gives its entries.

    ``pinned`` is a checkpoint that the receiver kept: the bundle then proves that the log extends it.

    Raises:
        RoleError: the person is no auditor.
        NotFoundError: no such job in this tenant.
        AuditError: the log has no signed head, does not hold the entries, or does not extend the checkpoint.
        ReportError: a report could not be set.
    """
    if not by.has(Role.AUDITOR):
        raise RoleError("Only an auditor takes evidence.")
    job = jobs.job(job_id, tenant=by.tenant)
    rows = [consents.consent(name, tenant=by.tenant) for name in jobs.consents_of(job)]
    signed = log.checkpoint().size
    entries = [entry for entry in _about(job, rows) if entry.index < signed]
    indexes = [entry.index for entry in entries]
    head = export.head_of(indexes, pinned=pinned)
    words = _disclosures(entries, by)
    extra = {**_credentials(job, entries), **words}
    evidence = replace(export.evidence(indexes, head=head, pinned=pinned), extra=extra)
    told = Told(job, rows, entries, head, _verdict(evidence, pinned))
    write_bundle(out, replace(evidence, extra={**evidence.extra, **reports(told)}))
    with transaction.atomic():
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
        event = AuditDisclosed(bundle=digest, entries=len(entries), job=job.id.hex, disclosures=len(words))
        audit.append(event, actor=by)
    return entries


def _about(job: Job, rows: Sequence[Consent]) -> list[Entry]:
    """Every entry about the job, its licences and the people they are of, in the log's order."""
    found = {entry.index: entry for entry in log.entries(KeyKind.JOB, job.id.hex)}
    for row in rows:
        for kind, value in ((KeyKind.CONSENT, row.id), (KeyKind.IDENTITY, row.identity_id)):
            found |= {entry.index: entry for entry in log.entries(kind, value) if _mine(entry, job)}
    return [found[index] for index in sorted(found) if found[index].tenant == job.tenant]


def _credentials(job: Job, entries: Sequence[Entry]) -> dict[str, bytes]:
    """The job's C2PA manifest, when the blob store still has it and the log names it."""
    named = {entry.event.get("manifest") for entry in entries}
    sha256 = job.manifest_sha256
    if not sha256 or sha256 not in named or not blobs.store().exists(sha256):
        return {}
    with blobs.store().open(sha256) as stream:
        return {f"manifests/{job.id.hex}.c2pa": stream.read()}


def _disclosures(entries: Sequence[Entry], by: Actor) -> dict[str, bytes]:
    """The words that entries commit to, as far as they were not erased."""
    told = disclosures.disclosures((entry.event_id for entry in entries), by=by)
    return {
        f"entries/{stem(entry.index)}.disclosure.json": told[entry.event_id].as_file()
        for entry in entries
        if entry.event_id in told
    }


def _mine(entry: Entry, job: Job) -> bool:
    """Other jobs of the same licence are not this job's evidence."""
    return bool(entry.event.get("job", job.id.hex) == job.id.hex)


def _verdict(evidence: Evidence, pinned: str) -> dict[str, Any]:
    """What the verifier says of the bundle, with the log's published key and the operator's policy.

    A local witness, which only shows how one works, is left out: it proves nothing to the receiver.
    """
    with tempfile.TemporaryDirectory(prefix="evidence-") as folder:
        draft = Path(folder) / "draft.zip"
        write_bundle(draft, evidence)
        given = {"pinned": pinned, "tsa_roots": stamping.roots()}
        policy = witnesses.policy_path()
        if policy.exists():
            report = verify.verify(str(draft), policy=policy.read_text(encoding="utf-8"), **given)
            named = [item["names"] for item in report["proven"] if item["code"] == "witnesses"]
            if report["result"] == "verified" and named != [witnesses.LOCAL_NAME]:
                return report
        return verify.verify(str(draft), vkey=str(log.log_key()), **given)
