"""May this job run: facts gathered from consent, the stored media and a first look at its faces.

- At submit, only what rows can tell; a refusal costs nothing.
- In the worker, everything: the bytes are hashed, the portrait is decrypted, faces are compared.
- What cannot be found out stays None in the facts, and the rules refuse it.
"""

from __future__ import annotations

import logging
import math
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from audit import services as audit
from audit.events import Actor, GateDecided
from consent import selectors as consents
from consent.answers import PerformerTemplate
from consent.errors import ConsentError
from generation import blobs, performances
from generation.engine.errors import EngineError
from generation.engine.faces.models import FaceModels
from generation.engine.media.info import MediaInfo
from generation.errors import GateError
from generation.gate import authority, footage, people
from generation.gate.authority import Admission
from generation.gate.footage import FaceBox, Sighting
from generation.gate.permit import InputClaim, LicenceClaim
from generation.gate.rules import ADMIT, SUBMIT, Decision, Facts, Policy, decide, models_compare
from generation.models import PERMITTED_STATES, Job, Presentation
from generation.presenter.errors import PackageError

log = logging.getLogger(__name__)

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Assessment:
    """Facts, what the rules said of them, and what a permit would stand on."""

    facts: Facts
    decision: Decision
    policy: Policy
    admission: Admission | None = None
    performer_distance: float = math.inf
    faces: tuple[tuple[FaceBox, ...], ...] = ()


def assess_request(job: Job, *, by: Actor, now: datetime) -> Assessment:
    """The cheap part: actor, licence, source and the media's row. ``job`` need not be saved yet."""
    facts = _request_facts(job, requester=by.has("requester"), now=now)
    return Assessment(facts, decide(facts, SUBMIT, now), SUBMIT)


def assess(job: Job, *, models: FaceModels, now: datetime) -> Assessment:
    """Everything, in a worker. The requester's role was checked when the row was written."""
    facts = _request_facts(job, requester=bool(job.requester), now=now)
    inputs = _inputs(job)
    facts = replace(
        facts,
        models=tuple(claim.sha256 for claim in authority.model_claims(models)),
        stored_sha256=next((claim.sha256 for claim in inputs if claim.role == "target"), None),
    )
    seen = None
    if decide(facts, SUBMIT, now).admitted and facts.stored_sha256 == facts.media_sha256:
        # Only what is admitted so far is decoded and looked at.
        facts, seen = _with_faces(job, facts, models=models, now=now)
    decision = decide(facts, ADMIT, now)
    if seen is None or not decision.admitted:
        return Assessment(facts, decision, ADMIT, performer_distance=_distance(seen))
    admission = Admission(
        licences=_licences(job, seen, now=now),
        inputs=inputs,
        models=authority.model_claims(models),
        gallery=facts.gallery or 0,
    )
    return Assessment(facts, decision, ADMIT, admission, _distance(seen), seen.sighting.boxes)


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
    """What rows tell; writes the licence and the source that were found into ``job``."""
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
    job.consent_id = allowed.consent_id or ""
    facts = replace(
        facts,
        licence_reasons=allowed.reasons,
        consent_id=allowed.consent_id,
        epoch=allowed.epoch,
        outputs_left=allowed.max_outputs - _outputs_used(job, consent_id=allowed.consent_id),
        source_licensed=False,
    )
    return replace(facts, **_source_facts(job))


def _source_facts(job: Job) -> dict[str, Any]:
    try:
        wanted = job.source_sha256 or None
        source = consents.licensed_source(job.identity_id, tenant=job.tenant, sha256=wanted)
    except ConsentError:
        return {"source_licensed": False}
    job.source_sha256, job.portrait_id = source.sha256, source.portrait_id
    return {"source_licensed": True, "source_sha256": source.sha256}


def outputs_left(job: Job) -> int:
    """How many outputs the job's licence still allows, this one included."""
    use, now = authority.use_of(job), datetime.now(UTC)
    answer = consents.permission(job.identity_id, tenant=job.tenant, use=use, now=now)
    return answer.max_outputs - _outputs_used(job, consent_id=answer.consent_id)


def _outputs_used(job: Job, *, consent_id: str | None) -> int:
    """How many other jobs have used up an output of a licence, or may still do so."""
    states = [str(state) for state in PERMITTED_STATES]
    return Job.objects.filter(consent_id=consent_id, state__in=states).exclude(pk=job.pk).count()


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


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the first look gave, and the performers it was compared with."""

    sighting: Sighting
    released: tuple[PerformerTemplate, ...]


def _with_faces(job: Job, facts: Facts, *, models: FaceModels, now: datetime) -> tuple[Facts, _Seen | None]:
    """The facts with what was seen; where looking was not possible they stay unknown, which refuses."""
    bands = people.bands(models)
    facts = replace(facts, embedder=models.embedder.model_sha256, same=bands.same, review=bands.review)
    info = _info(job)
    try:
        blocked = people.blocked(tenant=job.tenant, models=models)
        released = _released(job, now=now)
        performers = people.performers(released, models=models)
        facts = replace(
            facts,
            templates_model=performers.model_sha256,
            gallery_model=blocked.model_sha256,
            gallery=blocked.version,
        )
        if info is None or models_compare(facts, now):
            return facts, None
        times_s = footage.sample_times(info.duration_s, _scene_starts(info))
        shown = performances.pictures(job.media, info, times_s)
        eyes = footage.ModelEyes(models)
        sighting = footage.look(shown, eyes, performers=performers, blocked=blocked, bands=bands)
    except (ConsentError, EngineError, GateError, PackageError) as error:
        log.warning("Job %s: the footage could not be compared: %s", job.id, error)
        return facts, None
    seen = {name: getattr(sighting, name) for name in _SEEN}
    return replace(facts, **seen), _Seen(sighting, released)


_SEEN = (
    "frames_looked_at", "strong_faces", "strong_without_embedding", "blocked_distance", "strangers",
    "stranger_distance", "performers", "faces_at_once",
)  # fmt: skip


def _released(job: Job, *, now: datetime) -> tuple[PerformerTemplate, ...]:
    """Performers who may be on the footage; of a script, nobody but the one whom its request names.

    Whoever else has released a performance did not release being that one.
    """
    found = people.released(tenant=job.tenant, use=authority.use_of(job), now=now)
    if not performances.is_performance(job.media):
        return found
    named = set(Presentation.objects.filter(job=job).values_list("performer_id", flat=True))
    return tuple(one for one in found if one.identity_id in named)


def _licences(job: Job, seen: _Seen, *, now: datetime) -> tuple[LicenceClaim, ...]:
    """The source's licence and the releases of the performers who are there, as they are now."""
    use = authority.use_of(job)
    asked = [(job.identity_id, use)]
    asked += [
        (one.identity_id, people.performance_use(use))
        for one in seen.released
        if one.consent_id in seen.sighting.performers
    ]
    claims = []
    for identity_id, wanted in asked:
        answer = consents.permission(identity_id, tenant=job.tenant, use=wanted, now=now)
        claims.append(
            LicenceClaim(answer.consent_id or "", answer.revision, answer.json_sha256, answer.epoch)
        )
    return tuple(claims)


def _scene_starts(info: MediaInfo) -> list[float]:
    """Times of the keyframes: encoders put them where scenes start."""
    return [float((key.pts - info.start_pts) * info.time_base) for key in info.keyframes]


def _distance(seen: _Seen | None) -> float:
    return seen.sighting.performer_distance if seen else math.inf


def _info(job: Job) -> MediaInfo | None:
    try:
        return MediaInfo.from_record(job.media.info)
    except (KeyError, TypeError, ValueError):
        return None
