"""May this job run: facts gathered from consent, the stored media and a first look at its faces.

- At submit, only what rows can tell; a refusal costs nothing.
- In the worker, everything: the bytes are hashed, the portrait is decrypted, faces are compared.
- What cannot be found out stays None in the facts, and the rules refuse it.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from audit import services as audit
from audit.events import Actor, GateDecided
from consent import selectors as consents
from consent.errors import ConsentError
from generation import blobs
from generation.engine.errors import EngineError
from generation.engine.faces.models import FaceModels
from generation.engine.media.info import MediaInfo
from generation.errors import GateError
from generation.gate import authority, footage, people
from generation.gate.authority import Admission
from generation.gate.footage import Sighting
from generation.gate.frames import sampled_frames
from generation.gate.permit import InputClaim, LicenceClaim
from generation.gate.rules import ADMIT, SUBMIT, Decision, Facts, Policy, decide
from generation.models import Job

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Assessment:
    """Facts, what the rules said of them, and what a permit would stand on."""

    facts: Facts
    decision: Decision
    policy: Policy
    admission: Admission | None = None
    performer_distance: float = math.inf


def assess_request(job: Job, *, by: Actor, now: datetime) -> Assessment:
    """The cheap part: actor, licence, source and the media's row. ``job`` need not be saved yet."""
    facts = _request_facts(job, requester=by.has("requester"), now=now)
    return Assessment(facts, decide(facts, SUBMIT, now), SUBMIT)


def assess(job: Job, *, models: FaceModels, now: datetime) -> Assessment:
    """Everything, in a worker. The requester's role was checked when the row was written."""
    facts = _request_facts(job, requester=bool(job.requester), now=now)
    facts = replace(facts, models=tuple(claim.sha256 for claim in authority.model_claims(models)))
    inputs = _inputs(job)
    facts = replace(facts, stored_sha256=next((c.sha256 for c in inputs if c.role == "target"), None))
    sighting = None
    cheap = decide(facts, SUBMIT, now)
    if cheap.admitted and facts.stored_sha256 == facts.media_sha256:
        facts, sighting = _with_faces(job, facts, models=models, now=now)
    decision = decide(facts, ADMIT, now)
    admission = None
    if decision.admitted and sighting is not None:
        admission = _admission(job, facts, inputs=inputs, sighting=sighting, models=models, now=now)
    distance = sighting.performer_distance if sighting else math.inf
    return Assessment(facts, decision, ADMIT, admission, distance)


def record(job: Job, assessment: Assessment, *, stage: str, by: Actor, inputs: tuple[str, ...] = ()) -> UUID:
    """Append the decision to the log, in the caller's transaction; gives the entry's event id."""
    facts, decision = assessment.facts, assessment.decision
    blocked = "face.blocked" in decision.reasons
    distance = facts.blocked_distance if blocked else assessment.performer_distance
    threshold = facts.review if blocked else facts.same
    claims = assessment.admission.licences if assessment.admission else ()
    return audit.append(
        GateDecided(
            job=job.id.hex,
            stage=stage,
            decision=str(decision.verdict),
            reasons=decision.reasons,
            rule=decision.rule,
            policy=assessment.policy.name,
            policy_version=assessment.policy.version,
            identity=job.identity_id,
            consents=tuple(claim.id for claim in claims) or ((job.consent_id,) if job.consent_id else ()),
            inputs=inputs,
            models=facts.models or (),
            distance_ppm=ppm(distance),
            threshold_ppm=ppm(threshold),
            gallery=facts.gallery or 0,
        ),
        actor=by,
    )


def record_stop(job: Job, *, reason: str, stage: str, by: Actor) -> UUID:
    """Append a refusal that came while the job was running, in the caller's transaction."""
    return audit.append(
        GateDecided(
            job=job.id.hex,
            stage=stage,
            decision="refuse",
            reasons=(reason,),
            rule=stage,
            policy=ADMIT.name,
            policy_version=ADMIT.version,
            identity=job.identity_id,
            consents=(job.consent_id,) if job.consent_id else (),
        ),
        actor=by,
    )


def commitments(inputs: tuple[InputClaim, ...], *, nonce: str) -> tuple[str, ...]:
    """Hashes of the inputs that only the holder of ``nonce`` can link to a file."""
    return tuple(sha256(f"{nonce}:{claim.role}:{claim.sha256}".encode()).hexdigest() for claim in inputs)


def new_nonce() -> str:
    """The secret part of a job's commitments."""
    return secrets.token_hex(16)


def ppm(value: float | None) -> int:
    """A distance as an integer; unknown and infinite are 0, which the log leaves out."""
    return round(value * PPM) if value is not None and math.isfinite(value) else 0


def _request_facts(job: Job, *, requester: bool, now: datetime) -> Facts:
    info = _info(job)
    facts = Facts(
        gathered=now,
        requester=requester,
        media_sha256=job.media.sha256,
        media_problems=() if info else None,
        short_side_px=min(info.output_size_px) if info else None,
        frames=info.frame_count if info else None,
        duration_s=info.duration_s if info else None,
    )
    try:
        allowed = consents.permission(job.identity_id, tenant=job.tenant, use=authority.use_of(job), now=now)
    except ConsentError:
        return facts
    facts = replace(
        facts,
        licence_reasons=allowed.reasons,
        consent_id=allowed.consent_id,
        epoch=allowed.epoch,
        source_licensed=False,
    )
    try:
        source = consents.licensed_source(
            job.identity_id, tenant=job.tenant, sha256=job.source_sha256 or None
        )
    except ConsentError:
        return facts
    job.source_sha256, job.portrait_id = source.sha256, source.portrait_id
    job.consent_id = allowed.consent_id or ""
    return replace(facts, source_licensed=True, source_sha256=source.sha256)


def _inputs(job: Job) -> tuple[InputClaim, ...]:
    """Claims about the stored footage and the decrypted portrait; what is not there is left out."""
    claims: list[InputClaim] = []
    if blobs.store().exists(job.media.sha256):
        claims.append(authority.target_claim(job))
    if job.portrait_id and job.consent_id:
        try:
            portrait = consents.open_portrait(
                job.portrait_id, tenant=job.tenant, purpose_consent=job.consent_id
            )
        except ConsentError:
            return tuple(claims)
        claims.insert(0, authority.source_claim(portrait))
    return tuple(claims)


def _with_faces(
    job: Job, facts: Facts, *, models: FaceModels, now: datetime
) -> tuple[Facts, Sighting | None]:
    """The facts with what was seen; unchanged where looking was not possible."""
    bands = people.bands(models)
    facts = replace(facts, embedder=models.embedder.model_sha256, same=bands.same, review=bands.review)
    try:
        blocked = people.blocked(tenant=job.tenant, models=models)
        performers = people.performers(
            tenant=job.tenant, use=people.performance_use(authority.use_of(job)), models=models, now=now
        )
        facts = replace(
            facts,
            templates_model=performers.model_sha256,
            gallery_model=blocked.model_sha256,
            gallery=blocked.version,
        )
        info = _info(job)
        if info is None:
            return facts, None
        path: Path = blobs.store().path(job.media.sha256)
        seen = footage.look(
            sampled_frames(path, info), people.ModelEyes(models),
            performers=performers, blocked=blocked, bands=bands,
        )  # fmt: skip
    except (ConsentError, EngineError, GateError):
        return facts, None
    facts = replace(
        facts,
        frames_looked_at=seen.frames_looked_at,
        strong_faces=seen.strong_faces,
        strong_without_embedding=seen.strong_without_embedding,
        blocked_distance=seen.blocked_distance,
        strangers=seen.strangers,
        stranger_distance=seen.stranger_distance,
        performers=seen.performers,
        faces_at_once=seen.faces_at_once,
    )
    return facts, seen


def _admission(
    job: Job,
    facts: Facts,
    *,
    inputs: tuple[InputClaim, ...],
    sighting: Sighting,
    models: FaceModels,
    now: datetime,
) -> Admission:
    """What the permit will say of consents, inputs and models."""
    use = authority.use_of(job)
    source = consents.permission(job.identity_id, tenant=job.tenant, use=use, now=now)
    performing = people.performance_use(use)
    released = {
        one.consent_id: one for one in consents.performers(tenant=job.tenant, use=performing, now=now)
    }
    claims = [LicenceClaim(job.consent_id, source.revision, source.json_sha256, source.epoch)]
    for consent_id in sighting.performers:
        identity_id = released[consent_id].identity_id
        release = consents.permission(identity_id, tenant=job.tenant, use=performing, now=now)
        claims.append(LicenceClaim(consent_id, release.revision, release.json_sha256, release.epoch))
    return Admission(
        licences=tuple(claims),
        inputs=inputs,
        models=authority.model_claims(models),
        gallery=facts.gallery or 0,
    )


def _info(job: Job) -> MediaInfo | None:
    try:
        return MediaInfo.from_record(job.media.info)
    except (KeyError, TypeError, ValueError):
        return None
