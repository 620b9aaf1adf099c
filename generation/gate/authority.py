"""Permits in the hands of the platform: made from an admission, asked again before every step."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from consent import selectors as consents
from consent.answers import Permission
from consent.catalogue import Kind, Operation
from consent.licence import Use
from generation import blobs, loaded
from generation.engine.faces.models import FaceModels
from generation.errors import PermitError, RefusedError
from generation.gate import permit as permits
from generation.gate.permit import (
    InHand,
    InputClaim,
    LicenceClaim,
    LogPlace,
    ModelClaim,
    Permit,
    PolicyClaim,
    UseClaim,
)
from generation.gate.rules import ADMIT
from generation.models import Job, JobConsent

READ_BYTES = 1 << 20
RELIED = "relied"
"""In a job's decision: the epochs of the consents of its voices and surroundings, by their ids."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What an admission stood on; kept with the job until the permit is signed."""

    licences: tuple[LicenceClaim, ...]
    inputs: tuple[InputClaim, ...]
    models: tuple[ModelClaim, ...]
    gallery: int

    def as_record(self) -> dict[str, object]:
        """A JSON-ready record."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, list[dict[str, object]]]) -> Admission:
        """What ``as_record`` gave."""
        return cls(
            licences=tuple(LicenceClaim(**item) for item in record["licences"]),  # type: ignore[arg-type]  # our own JSON
            inputs=tuple(InputClaim(**item) for item in record["inputs"]),  # type: ignore[arg-type]  # our own JSON
            models=tuple(ModelClaim(**item) for item in record["models"]),  # type: ignore[arg-type]  # our own JSON
            gallery=int(record["gallery"]),  # type: ignore[call-overload]  # our own JSON
        )


def issue(job: Job, admission: Admission, *, index: int, now: datetime) -> str:
    """Sign the permit of an admitted job whose decision is entry ``index`` of the log."""
    key = _key()
    issued = int(now.timestamp())
    permit = Permit(
        kid=permits.key_id(key.public_key()),
        job=job.id.hex,
        tenant=job.tenant,
        issued=issued,
        expires=issued + permits.MAX_LIFE_S,
        log=LogPlace(settings.LIKENESS_LOG_ORIGIN, index),
        licences=admission.licences,
        inputs=admission.inputs,
        use=use_claim(job),
        models=admission.models,
        policy=policy_claim(),
        gallery=admission.gallery,
    )
    return permits.sign(permit, key)


def recheck(job: Job, *, inputs: Iterable[InputClaim], models: FaceModels, now: datetime) -> Permit:
    """The job's permit, when it holds for the bytes in hand, the loaded models and the consents of now.

    Raises:
        PermitError: it does not hold any more.
    """
    key = _key().public_key()
    keys = {permits.key_id(key): key}
    claimed = permits.read(job.permit, keys=keys)
    hand = InHand(
        job=job.id.hex,
        tenant=job.tenant,
        log=LogPlace(
            settings.LIKENESS_LOG_ORIGIN, -1 if job.admission_index is None else job.admission_index
        ),
        epochs={claim.id: consents.epoch(claim.id) for claim in claimed.licences},
        inputs=tuple(inputs),
        use=use_claim(job),
        models=model_claims(models),
        policy=policy_claim(),
        gallery=consents.gallery_version(tenant=job.tenant),
    )
    permit = permits.verify(job.permit, keys=keys, hand=hand, now=now)
    allowed = consents.permission(job.identity_id, tenant=job.tenant, use=use_of(job), now=now)
    if allowed.reasons or allowed.consent_id != job.consent_id:
        raise PermitError(
            "licences", f"the licence no longer permits: {', '.join(allowed.reasons) or 'changed'}"
        )
    _require_lent(job, now=now)
    return permit


def _require_lent(job: Job, *, now: datetime) -> None:
    """Make sure that performers, voices and people in the surroundings still lend what they lent.

    Their epochs do not move when a term ends, so each consent is asked for its use.

    Raises:
        PermitError: one of them does not any more.
        NotFoundError: a consent is gone.
    """
    rows = JobConsent.objects.filter(job=job, role=JobConsent.Role.PERFORMER)
    for each in sorted({*rows.values_list("consent_id", flat=True), *_relied(job)}):
        if reasons := _lent(job, each, now=now).reasons:
            raise PermitError("licences", f"consent {each} no longer permits: {', '.join(reasons)}")


def rely(job: Job, consent_ids: Iterable[str], *, now: datetime) -> None:
    """Note in an unadmitted job whose voices and surroundings it stands on, as their consents are now.

    Raises:
        RefusedError: one of them does not allow the use of this job.
        NotFoundError: a consent is gone.
    """
    answers = {each: _lent(job, each, now=now) for each in consent_ids}
    if reasons := tuple(dict.fromkeys(reason for answer in answers.values() for reason in answer.reasons)):
        raise RefusedError(
            "Somebody who is heard or seen does not allow it any more.",
            job=str(job.pk),
            code=reasons[0],
            reasons=reasons,
        )
    job.decision = {**job.decision, RELIED: {each: answer.epoch for each, answer in answers.items()}}


def _lent(job: Job, consent_id: str, *, now: datetime) -> Permission:
    """Whether a consent beside the face's licence allows the job.

    A performer's is asked for the performance, any other for the voice: neither kind can license the other.
    """
    kind = consents.consent(consent_id, tenant=job.tenant).identity.kind
    operation = Operation.PERFORMANCE if kind == Kind.PERFORMER else Operation.VOICE
    use = replace(use_of(job), operation=str(operation))
    return consents.permission_under(consent_id, tenant=job.tenant, use=use, now=now)


def _relied(job: Job) -> Mapping[str, int]:
    found: dict[str, int] = job.decision.get(RELIED, {})
    return found


def epochs_are(job: Job, licences: Sequence[LicenceClaim]) -> bool:
    """True while none of the consents that the job stands on, these among them, was revoked or changed."""
    noted = [(claim.id, claim.epoch) for claim in licences] + list(_relied(job).items())
    return all(consents.epoch(each) == epoch for each, epoch in noted)


def use_of(job: Job) -> Use:
    """The job's use, as a licence is asked about it."""
    return Use(
        operation=job.operation,
        purpose=job.purpose,
        channel=job.channel,
        territory=job.territory,
        language=job.language,
        seconds=seconds_of(job),
        product=job.product,
    )


def seconds_of(job: Job) -> int:
    """Length of the output in whole seconds, rounded up; a picture counts as one."""
    duration = float(job.media.info.get("duration_s", 0))
    return max(1, -int(-duration // 1))


def use_claim(job: Job) -> UseClaim:
    """The job's use, as a permit names it."""
    return UseClaim(job.operation, job.purpose, job.channel, job.territory, job.language, job.product)


def policy_claim() -> PolicyClaim:
    """The policy that admits."""
    return PolicyClaim(ADMIT.name, ADMIT.version, ADMIT.sha256)


def model_claims(models: FaceModels) -> tuple[ModelClaim, ...]:
    """The loaded models by id and hash."""
    return tuple(ModelClaim(entry.id, entry.sha256) for entry in models.used)


def target_claim(job: Job) -> InputClaim:
    """The footage, hashed from the stored bytes.

    Raises:
        PermitError: the bytes are gone.
    """
    if not blobs.store().exists(job.media.sha256):
        raise PermitError("inputs", "the footage is gone")
    with blobs.store().open(job.media.sha256) as stream:
        return hashed("target", stream)


def source_claim(portrait: bytes) -> InputClaim:
    """The portrait, hashed from the decrypted bytes."""
    return InputClaim("source", hashlib.sha256(portrait).hexdigest(), len(portrait))


def hashed(role: str, stream: BinaryIO) -> InputClaim:
    """A claim about everything that is left in a stream."""
    digest, size = hashlib.sha256(), 0
    while part := stream.read(READ_BYTES):
        digest.update(part)
        size += len(part)
    return InputClaim(role, digest.hexdigest(), size)


def _key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(loaded.keyring().seed("permit"))
