"""A copy that lost its credential and the one that was kept: brought together again by the marks.

What that proves is said with it. The kept credential binds the octets of the delivered file: of a copy that
was coded or only packed anew it proves who signed the output and what they said of it, and no more. That the
copy shows that output is what its marks tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from audit.events import Actor
from generation import delivery
from generation import selectors as jobs
from generation.errors import NotFoundError
from likeness import provenance
from likeness.provenance import Match, Trace
from watermark import c2pa
from watermark.c2pa import C2paRead, C2paState
from watermark.errors import CredentialInvalidError


class Binding(StrEnum):
    """How the copy and the credential hang together."""

    HARD = "hard"
    """By the hash of the file: it is, octet for octet, the one that was signed."""
    SOFT = "soft"
    """By the marks alone: the octets are others."""


@dataclass(frozen=True, slots=True)
class Rejoined:
    """The kept credential of the output that a copy shows."""

    trace: Trace
    credential: C2paRead
    manifest: bytes
    manifest_sha256: str
    binding: Binding

    def as_json(self) -> dict[str, Any]:
        """A JSON-ready document."""
        said = self.credential.statement
        return {
            "job": self.trace.job,
            "verdict": self.trace.verdict.value,
            "binding": self.binding.value,
            "manifest_sha256": self.manifest_sha256,
            "signer": self.credential.signer,
            "consent": said.consent if said else None,
            "log": f"{said.log}#{said.leaf}" if said else None,
        }


def rejoin(path: Path, *, by: Actor) -> Rejoined:
    """Find the output that a file shows, and the credential that was kept of it; the question is logged.

    Raises:
        UnreadableError: the file is no picture, no clip and no recording.
        NotFoundError: no mark leads to an output, its marks contradict each other, or none was kept.
        WithdrawnError: the output's licence was revoked.
        CredentialInvalidError: the kept credential does not hold, or names another output.
    """
    found = provenance.trace(path, by=by)
    if not found.job or found.match is not Match.PRESENT:
        raise NotFoundError(f"{path.name} leads to no output that a credential is kept of.")
    job = jobs.job(found.job, tenant=by.tenant)
    manifest = delivery.manifest_path(job).read_bytes()
    root = import_string(settings.LIKENESS_KEYRING)().credential_chain().root_pem
    credential = c2pa.read(path, root, store=manifest)
    same = credential.state is C2paState.TRUSTED
    if not (same or credential.rejoins) or credential.mark_id != int(job.mark_id or "0", 16):
        raise CredentialInvalidError(f"The credential that was kept of job {job.id} does not hold.")
    binding = Binding.HARD if same else Binding.SOFT
    return Rejoined(found, credential, manifest, job.manifest_sha256, binding)
