"""What the demonstration does, one function a step; each goes through the same services as everybody else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.events import Actor
from generation.errors import RefusedError
from likeness.demo.samples import (
    CHANNEL,
    LANGUAGES,
    OPERATIONS,
    PURPOSE,
    TERRITORY,
    Subject,
    sample_terms,
)

if TYPE_CHECKING:
    from consent.models import Consent, Identity
    from generation.models import Job


@dataclass(frozen=True, slots=True)
class Refusal:
    """One request that the gate refused."""

    what: str
    code: str
    message: str


def enrol(subject: Subject, picture: bytes, *, people: Mapping[str, Actor]) -> Identity:
    """The subject's identity; an earlier run's is used again when it has this very picture and name."""
    from consent import selectors, services

    wanted = hashlib.sha256(picture).hexdigest()
    for identity in selectors.identities(tenant=people["operator"].tenant):
        same = identity.name == subject.name and identity.kind == subject.kind
        if same and any(
            portrait.sha256 == wanted for portrait in selectors.portraits(identity.id, tenant=identity.tenant)
        ):
            return identity
    return services.enrol(
        name=subject.name,
        status=subject.status,
        kind=subject.kind,
        portraits=[picture],
        by=people["operator"],
    )


def license_and_approve(identity: Identity, subject: Subject, *, people: Mapping[str, Actor]) -> Consent:
    """Submit a sample licence and have it approved by different people; one that covers all is used again."""
    from consent import selectors, services

    if (known := _covered(identity, subject, tenant=people["operator"].tenant)) is not None:
        return selectors.consent(known, tenant=people["operator"].tenant)
    terms = sample_terms(name=subject.name, kind=subject.kind, status=subject.status, now=datetime.now(UTC))
    consent = services.submit(identity.id, terms=terms, by=people["operator"])
    roles = ("legal", "business") if subject.status == "living" else ("expert", "legal", "business")
    for role in roles:
        consent = services.approve(consent.id, role=role, by=people[role])
    return consent


def _covered(identity: Identity, subject: Subject, *, tenant: str) -> str | None:
    """The licence in force that covers everything the sample asks for; None when nothing or too little is.

    A home of an earlier version may hold a licence of fewer operations.
    """
    from consent import selectors
    from consent.licence import Use

    now, held = datetime.now(UTC), set[str | None]()
    for operation in OPERATIONS[subject.kind]:
        for language in LANGUAGES:
            use = Use(operation, PURPOSE, CHANNEL, TERRITORY, language, 1)
            allowed = selectors.permission(identity.id, tenant=tenant, use=use, now=now)
            held.add(None if allowed.reasons else allowed.consent_id)
    return held.pop() if len(held) == 1 else None


def revoke(consent: Consent, *, people: Mapping[str, Actor]) -> None:
    """Withdraw a licence."""
    from consent import services

    services.revoke(consent.id, reason="The sample shows a withdrawal.", by=people["legal"])


def generate(
    identity_id: str, target: Path, *, by: Actor, wait: Callable[[str], Job], purpose: str = PURPOSE
) -> Job:
    """Upload the footage, submit the job and wait for its end.

    Raises:
        RefusedError: the gate refused it at the door or after looking at the footage.
    """
    from generation import services
    from generation.services import JobRequest

    with target.open("rb") as footage:
        media = services.upload(footage, name=target.name, by=by)
    request = JobRequest(identity_id=identity_id, media_id=str(media.id), purpose=purpose, channel=CHANNEL)
    job = wait(str(services.submit(request, by=by).id))
    if job.state == "refused":
        raise RefusedError(
            job.message, job=str(job.id), code=job.code, reasons=tuple(job.reasons), hint=job.hint
        )
    return job


def refusals(
    cases: Sequence[tuple[str, str, str]], target: Path, *, by: Actor, wait: Callable[[str], Job]
) -> list[Refusal]:
    """Try requests that must be refused: (what, identity, purpose); one that is not refused is an error."""
    answers = []
    for what, identity_id, purpose in cases:
        try:
            job = generate(identity_id, target, by=by, wait=wait, purpose=purpose)
        except RefusedError as refusal:
            answers.append(Refusal(what, refusal.code, str(refusal)))
        else:
            raise NotRefusedError(f"{what}: job {job.id} ended as {job.state}, but it had to be refused.")
    return answers


class NotRefusedError(Exception):
    """The gate let something through that it must refuse."""

    code = "demo.not_refused"
    hint = "This is a fault of the program; please report it."


def ids_of(*rows: Any) -> list[str]:
    """The ids of some rows as texts."""
    return [str(row.id) for row in rows]
